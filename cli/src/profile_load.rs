//! Keys of a profile about load over time.

use clap::ValueEnum;

use crate::{
    flags::{CatchUpBy, LoadFlags},
    profile::parse_switch,
    values::{parse_positive_duration, parse_rate_per, parse_stages, parse_users, parse_whole_at_least_one},
};

/// Sets what a key of these stands for; none where the key is another.
pub(crate) fn set_load_value(flags: &mut LoadFlags, key: &str, value: &str) -> Option<Result<(), String>> {
    let open = &mut flags.open;
    Some(match key {
        "iterations" => parse_whole_at_least_one(value).map(|count| flags.iterations = Some(count)),
        "pacing" => parse_positive_duration(value).map(|time| flags.pacing = Some(time)),
        "rate" => parse_rate_per(value).map(|rate| open.rate = Some(rate)),
        "stages" => parse_stages(value).map(|stages| open.stages = Some(stages)),
        "poisson" => parse_switch(value).map(|on| open.poisson = on),
        "seed" => value.parse().map(|seed| open.seed = Some(seed)).map_err(|_| "is not a whole number".into()),
        "max-users" => parse_users(value).map(|users| open.max_users = Some(users)),
        "catch-up" => CatchUpBy::from_str(value, false)
            .map(|how| open.catch_up = how)
            .map_err(|_| "is not burst, smooth or drop".into()),
        _ => return None,
    })
}
