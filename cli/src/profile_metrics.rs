//! The keys of a profile that are flags of metrics.

use crate::flags::MetricsFlags;

/// Puts a value over what the flag has; none where no flag of metrics has this name. What is wrong with it is said when the run begins,
/// as of the flag itself.
pub(crate) fn set_metrics_value(flags: &mut MetricsFlags, key: &str, value: &str) -> Option<Result<(), String>> {
    let flag = match key {
        "metrics" => &mut flags.metrics,
        "prometheus-gateway" => &mut flags.prometheus_gateway,
        "prometheus-remote-write" => &mut flags.prometheus_remote_write,
        "influxdb" => &mut flags.influxdb,
        "otlp" => &mut flags.otlp,
        _ => return None,
    };
    *flag = Some(value.to_owned());
    Some(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::command;

    #[test]
    fn every_flag_of_metrics_is_a_key() {
        let command = command();
        let boom = command.find_subcommand("boom").unwrap();
        let shown = boom.get_arguments().filter(|flag| !flag.is_hide_set());
        let of_metrics = shown.filter(|flag| flag.get_help_heading() == Some("Metrics"));
        let names: Vec<_> = of_metrics.filter_map(|flag| flag.get_long()).collect();
        assert_eq!(names.len(), 5);
        let mut flags = MetricsFlags::default();
        for name in names {
            assert_eq!(set_metrics_value(&mut flags, name, "a"), Some(Ok(())), "{name}");
        }
        let set = [flags.metrics, flags.prometheus_gateway, flags.prometheus_remote_write, flags.influxdb, flags.otlp];
        assert!(set.iter().all(|flag| flag.as_deref() == Some("a")));
        assert_eq!(set_metrics_value(&mut MetricsFlags::default(), "rate", "1"), None);
    }
}
