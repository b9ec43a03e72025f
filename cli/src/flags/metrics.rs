//! Metrics of a run while it goes on, for the monitoring that is there already.

use clap::Args;

/// Flags of every command that makes load.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Metrics")]
pub(crate) struct MetricsFlags {
    /// Let Prometheus scrape the run at http://ADDR/metrics: :9100 is every address of this machine, 127.0.0.1:9100 one
    ///
    /// From the start of the run to its end. A scraper that asks for protobuf gets native histograms.
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<String>,

    /// Push to a Prometheus Pushgateway every 3 s, with the names and labels of hrp, so that its dashboards go on working
    ///
    /// Here and below: http://USER:PASSWORD@HOST is basic authentication, http://bearer:TOKEN@HOST a bearer token. No receiver holds
    /// up the load, whatever it does: a push is tried once, has 5 s, and what failed is said at the end.
    #[arg(long, value_name = "URL")]
    pub(crate) prometheus_gateway: Option<String>,

    /// Write to Prometheus, or what speaks its remote write 1.0, every 5 s; such as http://HOST:9090/api/v1/write
    #[arg(long, value_name = "URL")]
    pub(crate) prometheus_remote_write: Option<String>,

    /// Write to InfluxDB every second, to the URL as it is: http://HOST:8086/write?db=DB, or http://HOST:8086/api/v2/write?org=ORG&bucket=BUCKET
    ///
    /// A token is read from the environment, PUMMEL_INFLUX_TOKEN.
    #[arg(long, value_name = "URL")]
    pub(crate) influxdb: Option<String>,

    /// Export to an OpenTelemetry collector every 5 s, over HTTP: http://HOST:4318, or the whole URL
    #[arg(long, value_name = "URL")]
    pub(crate) otlp: Option<String>,
}
