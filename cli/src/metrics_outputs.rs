//! The outputs that tell a run's metrics while it goes on.

use pummel_engine::{LoadModel, Plan};
use pummel_stats::{
    metrics::{listen, Metrics, MetricsFacts, MetricsSpec, Target, TargetError, TargetKind},
    Model, OutputSpec,
};

use crate::{exit, failure::Failure, flags::MetricsFlags};

/// Where the token for InfluxDB stands, so that it is in no list of processes.
const INFLUX_TOKEN: &str = "PUMMEL_INFLUX_TOKEN";

/// What is told, and to whom.
#[derive(Debug, Clone, Default)]
pub(crate) struct MetricsPlan {
    /// Who asks and who is told, as typed.
    flags: MetricsFlags,
    /// See [`INFLUX_TOKEN`].
    influx_token: Option<String>,
}

impl MetricsPlan {
    /// What the flags and the environment say. An empty value is none, hrp's default.
    pub(crate) fn of(flags: &MetricsFlags) -> Self {
        let given = |flag: &Option<String>| flag.clone().filter(|value| !value.is_empty());
        let MetricsFlags { metrics, prometheus_gateway, prometheus_remote_write, influxdb, otlp } = flags;
        let flags = MetricsFlags {
            metrics: given(metrics),
            prometheus_gateway: given(prometheus_gateway),
            prometheus_remote_write: given(prometheus_remote_write),
            influxdb: given(influxdb),
            otlp: given(otlp),
        };
        Self { flags, influx_token: std::env::var(INFLUX_TOKEN).ok().filter(|token| !token.is_empty()) }
    }
}

/// What a run is called in its metrics.
pub(crate) fn metrics_facts(plan: &Plan) -> MetricsFacts {
    let open = matches!(plan.load.model, LoadModel::Open(_));
    MetricsFacts {
        command: plan.command.to_owned(),
        name: plan.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: if open { Model::Open } else { Model::Closed },
        users: (!open).then_some(u64::from(plan.load.users)),
    }
}

/// The outputs; none where none are asked for. A port is taken and threads are started here, before the run.
///
/// # Errors
/// Wrong usage: a text that is no URL or no address, a port that is taken, TLS where the system trusts nobody.
pub(crate) fn metrics_outputs(plan: &MetricsPlan, facts: MetricsFacts) -> Result<Vec<OutputSpec>, Failure> {
    let MetricsFlags { metrics, prometheus_gateway, prometheus_remote_write, influxdb, otlp } = &plan.flags;
    let mut targets = Vec::new();
    for (flag, kind, url) in [
        ("--prometheus-gateway", TargetKind::Pushgateway, prometheus_gateway),
        ("--prometheus-remote-write", TargetKind::RemoteWrite, prometheus_remote_write),
        ("--influxdb", TargetKind::Influx, influxdb),
        ("--otlp", TargetKind::Otlp, otlp),
    ] {
        let Some(url) = url else { continue };
        let mut target = Target::parse(kind, url).map_err(|error| wrong_target(flag, &error))?;
        if let (TargetKind::Influx, Some(token)) = (kind, &plan.influx_token) {
            target = target.with_influx_token(token).map_err(|error| wrong_target(INFLUX_TOKEN, &error))?;
        }
        targets.push(target);
    }
    let listener = match metrics {
        Some(address) => Some(listen(address).map_err(|error| {
            Failure::usage(format!("--metrics: {error}"), "pass an address with a port that is free, such as :9100")
        })?),
        None => None,
    };
    if let Some(address) = listener.as_ref().and_then(|listener| listener.local_addr().ok()) {
        tracing::info!(%address, "metrics can be scraped");
    }
    if listener.is_none() && targets.is_empty() {
        return Ok(Vec::new());
    }
    let metrics = Metrics::start(MetricsSpec { facts, listener, targets });
    let metrics = metrics.map_err(|error| Failure::without_help(exit::USAGE, error.to_string()))?;
    Ok(vec![metrics.into_spec()])
}

fn wrong_target(flag: &str, error: &TargetError) -> Failure {
    Failure::usage(format!("{flag}: {error}"), "it is a URL such as http://127.0.0.1:9091")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(flags: &MetricsFlags) -> Result<usize, String> {
        let outputs = metrics_outputs(&MetricsPlan::of(flags), MetricsFacts::default());
        outputs.map(|outputs| outputs.len()).map_err(|failure| {
            assert_eq!(failure.exit_code(), exit::USAGE);
            failure.message()
        })
    }

    #[test]
    fn one_output_serves_all_and_none_is_asked_for_by_nothing() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(outputs(&MetricsFlags::default()), Ok(0));
        assert_eq!(outputs(&MetricsFlags { prometheus_gateway: some(""), ..MetricsFlags::default() }), Ok(0));
        let both = MetricsFlags { metrics: some("127.0.0.1:0"), otlp: some("h:1"), ..MetricsFlags::default() };
        assert_eq!(outputs(&both), Ok(1));
    }

    #[test]
    fn what_is_wrong_names_the_flag_and_hides_the_secret() {
        let some = |text: &str| Some(text.to_owned());
        let wrong = outputs(&MetricsFlags { influxdb: some("ftp://a:s3cret@h"), ..MetricsFlags::default() });
        assert_eq!(wrong.unwrap_err(), "--influxdb: ftp: is not http:// or https://");
        let wrong = outputs(&MetricsFlags { metrics: some("9100"), ..MetricsFlags::default() }).unwrap_err();
        assert!(wrong.starts_with("--metrics: \"9100\" is not an address with a port"), "{wrong}");
    }
}
