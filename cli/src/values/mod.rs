//! The small languages people type on the command line: times, CPU lists, rates and stages, headers, URLs,
//! addresses, credentials, thresholds, limits of difference.
//!
//! Each parser takes the text as typed and either returns the value or one sentence that says what is wrong and what
//! is expected; clap puts the flag's name before it and exits with 2.

mod address;
mod change_limit;
mod connections;
mod cpu_list;
mod credentials;
mod duration;
mod http;
mod number;
mod rate;
mod size;
mod threshold;

pub(crate) use address::{
    parse_connect_to, parse_resolve, parse_seconds_or_off, parse_sources, parse_unix_path, Sources, TimeOrOff,
    SOURCES_MAX,
};
pub(crate) use change_limit::parse_change_limit;
pub(crate) use connections::parse_connections;
pub(crate) use cpu_list::{format_cpu_list, parse_cpu_list, CpuList};
pub(crate) use credentials::parse_credentials;
pub(crate) use duration::{parse_duration, parse_positive_duration};
pub(crate) use http::{parse_header, parse_http_url, parse_method, parse_name_value, Header};
pub(crate) use number::{parse_rate, parse_rate_limit, parse_users, parse_whole_at_least_one};
pub(crate) use rate::{parse_level, parse_rate_per, parse_stages, Level, StageTarget, Stages};
pub(crate) use size::{parse_age, parse_size};
pub(crate) use threshold::parse_threshold;
