//! A made-up run for tests of displays and stores. Not part of the crate's promises.
//!
//! Two steps in one transaction, 200 users; the figures agree with each other, so that a display may add them up.

use std::sync::Arc;

use crate::collector::Model;
use crate::endpoint::Endpoint;
use crate::latency::{Distribution, Recorded};
use crate::row::{ExchangeCounts, RowKey, RowKind};
use crate::snapshot::{ClientState, Overall, RowSecond, RowTotal, Snapshot};
use crate::summary::{
    Client, Connections, Conservation, CpuCore, ErrorCount, Host, Iterations, Little, Memory, Phases, Run, SeriesPoint,
    Step, Summary, System, Totals, Transaction, SCHEMA,
};
use crate::verdict::{Limit, Verdict};

fn key(kind: RowKind, label: &str, name: &str) -> Arc<RowKey> {
    Arc::new(RowKey { case: "demo".into(), kind, label: label.into(), name: name.into() })
}

fn hello() -> Arc<RowKey> {
    key(RowKind::Request, "request-GET", "hello")
}

fn order() -> Arc<RowKey> {
    key(RowKind::Request, "request-POST", "order")
}

fn checkout() -> Arc<RowKey> {
    key(RowKind::Transaction, "transaction", "checkout")
}

/// `count` latencies spread evenly from `from_us` on, `step_us` apart.
fn spread(count: u64, from_us: u64, step_us: u64) -> Distribution {
    let mut recorded = Recorded::<u32>::default();
    (0..count).for_each(|n| recorded.record(from_us + n * step_us));
    recorded.to_distribution()
}

fn errors() -> Vec<ErrorCount> {
    vec![
        ErrorCount {
            kind: "assertion".into(),
            step: "order".into(),
            message: "status_code: expected 200, got 500".into(),
            count: 3,
        },
        ErrorCount {
            kind: "connect_refused".into(),
            step: "order".into(),
            message: "127.0.0.1:8080 refused the connection".into(),
            count: 1,
        },
    ]
}

/// One second of the run: 1,000 requests of `hello`, 996 of `order` and 4 failed ones, 996 of 1,000 transactions passed.
pub fn snapshot(second: u64) -> Snapshot {
    let row = |key: Arc<RowKey>, succeeded, failed, from_us| RowSecond {
        key,
        succeeded,
        failed,
        bytes_received: 200 * (succeeded + failed),
        bytes_sent: 100 * (succeeded + failed),
        latency: spread(succeeded, from_us, 2),
        service_us: Distribution::default(),
        failed_us: spread(failed, 50, 10),
    };
    let mut transaction = row(checkout(), 996, 4, 0);
    (transaction.bytes_received, transaction.bytes_sent) = (0, 0);
    (transaction.latency, transaction.failed_us) = (spread(1000, 1200, 4), Distribution::default());
    let rows = [row(hello(), 1000, 0, 400), row(order(), 996, 4, 800), transaction];

    let seconds = second + 1;
    let totals = rows.iter().map(|row| {
        let mut so_far = RowSecond::new(Arc::clone(&row.key));
        (0..seconds).for_each(|_| so_far.merge(row));
        Arc::new(RowTotal {
            key: so_far.key,
            succeeded: so_far.succeeded,
            failed: so_far.failed,
            bytes_received: so_far.bytes_received,
            bytes_sent: so_far.bytes_sent,
            latency: so_far.latency.latency(),
            failed_us: so_far.failed_us.latency(),
        })
    });
    let mut both = rows[0].latency.clone();
    both.merge(&rows[1].latency);
    let mut all = Distribution::default();
    (0..seconds).for_each(|_| all.merge(&both));
    let mut failed = Distribution::default();
    (0..seconds).for_each(|_| failed.merge(&rows[1].failed_us));
    Snapshot {
        point: SeriesPoint {
            span_s: 1,
            t_s: second,
            users: (50 * seconds).min(200),
            requests: 2000,
            failures: 4,
            p50_us: both.value_at(0.50),
            p95_us: both.value_at(0.95),
            p99_us: both.value_at(0.99),
            bytes_received: 400_000,
            handshakes: 0,
            plugin_calls: 0,
            arrivals: 0,
            arrivals_missed: 0,
            warmup: false,
            drain: false,
        },
        totals: totals.collect(),
        rows: rows.into_iter().map(Arc::new).collect(),
        overall: Overall {
            requests: 2000 * seconds,
            failures: 4 * seconds,
            in_flight: 200,
            load_s: seconds as f64,
            bytes_received: 400_000 * seconds,
            bytes_sent: 200_000 * seconds,
            latency: all.latency(),
            failed_us: failed.latency(),
            transactions_passed: 996 * seconds,
            transactions_failed: 4 * seconds,
            arrivals_made: 0,
            arrivals_missed: 0,
            arrivals_waiting: 0,
        },
        errors: errors().into(),
        corrections: Vec::new(),
        model: Model::Closed,
        client: ClientState {
            cpu_share_max: Some(0.62),
            connections_open: 200,
            connections_opened: 200,
            time_wait: Some(3),
            lateness_us: spread(1000, 1, 0).latency(),
        },
    }
}

/// A run of 15 s that ended as planned, limited by the server.
pub fn summary() -> Summary {
    let (hello_us, order_us, failed_us) = (spread(15_000, 400, 1), spread(14_996, 800, 1), spread(4, 50, 10));
    let mut service = hello_us.clone();
    service.merge(&order_us);
    let sent = |sent, unsent| ExchangeCounts { sent, answered: sent, unsent, ..ExchangeCounts::default() };
    let step = |key: &RowKey, failures: u64, exchanges, latency: &Distribution, failed: &Distribution| Step {
        case: key.case.to_string(),
        label: key.label.to_string(),
        name: key.name.to_string(),
        requests: 15_000,
        failures,
        abandoned: 0,
        rps: 1000.0,
        bytes_received: 3_000_000,
        bytes_sent: 1_500_000,
        bytes_decoded: 0,
        exchanges,
        service_us: latency.latency(),
        response_us: latency.latency(),
        failed_us: failed.latency(),
        phases: None,
        plugin_us: None,
    };
    Summary {
        schema: SCHEMA.to_owned(),
        run: Run {
            id: "20261122-015220-4f2a".into(),
            name: "demo".into(),
            command: "boom".into(),
            model: Model::Closed,
            started_at: "2026-11-22T01:52:20.000Z".into(),
            duration_s: 15.002,
            load_s: 15.0,
            warmup_s: 0.0,
            version: "0.1.0".into(),
            aborted: false,
            stopped_for: None,
            changes: Vec::new(),
            host: Host {
                kernel: "6.1.0".into(),
                cpus: 2,
                cores_used: 1,
                cpu_model: Some("Example CPU".into()),
                cpu_governor: None,
            },
        },
        plan: serde_json::json!({"users": 200, "spawn_rate": 50, "run_time_s": 15}),
        totals: Totals {
            requests: 30_000,
            failures: 4,
            failure_ratio: 4.0 / 30_000.0,
            rps: 2000.0,
            bytes_received: 6_000_000,
            bytes_sent: 3_000_000,
            bytes_decoded: 0,
            exchanges: sent(29_999, 1),
            service_us: service.latency(),
            response_us: service.latency(),
            failed_us: failed_us.latency(),
        },
        iterations: Iterations { count: 15_000, per_s: 1000.0, mean_us: Some(16_200.0) },
        arrivals: None,
        latency_distribution: Distribution::default(),
        steps: vec![
            step(&hello(), 0, sent(15_000, 0), &hello_us, &Distribution::default()),
            step(&order(), 4, sent(14_999, 1), &order_us, &failed_us),
        ],
        setup: Vec::new(),
        transactions: vec![Transaction {
            case: "demo".into(),
            label: "transaction".into(),
            name: "checkout".into(),
            passed: 14_996,
            failed: 4,
            rps: 1000.0,
            duration_us: spread(15_000, 1200, 2).latency(),
        }],
        errors: errors(),
        warmup: None,
        failure_samples: Vec::new(),
        failure_samples_left_out: 0,
        addresses: vec![Endpoint {
            address: "127.0.0.1:8080".into(),
            connections: 200,
            connect_errors: 1,
            requests: 29_999,
            failures: 3,
        }],
        sources: Vec::new(),
        series: (0..15).map(series_point).collect(),
        client: client(),
        phases: Phases { connect_us: spread(200, 90, 1).latency(), ..Phases::default() },
        tls: None,
        plugin: None,
        conservation: Conservation {
            started: 30_000,
            succeeded: 29_996,
            failed: 4,
            abandoned: 0,
            exchanges: true,
            ok: true,
            broken: Vec::new(),
        },
        thresholds: Vec::new(),
    }
}

fn series_point(t_s: u64) -> SeriesPoint {
    SeriesPoint {
        t_s,
        span_s: 1,
        users: (50 * (t_s + 1)).min(200),
        requests: 2000,
        failures: if t_s == 7 { 4 } else { 0 },
        p50_us: Some(8_000),
        p95_us: Some(14_000),
        p99_us: Some(15_000),
        bytes_received: 400_000,
        handshakes: 0,
        plugin_calls: 0,
        arrivals: 0,
        arrivals_missed: 0,
        warmup: false,
        drain: false,
    }
}

fn client() -> Client {
    Client {
        verdict: Verdict::Valid,
        limit: Limit::Server,
        reasons: vec!["no core of the client was above 62.0 %: the users waited for answers".into()],
        notes: vec!["CPU throttling is unknown: this process has no cgroup cpu.stat".into()],
        exhausted: Vec::new(),
        cpu_cores: vec![CpuCore {
            cpu: Some(0),
            share_mean: Some(0.551),
            share_busy: Some(0.62),
            share_max: Some(0.655),
            run_queue_share: Some(0.004),
            share_occupied: Some(0.624),
            awake_share: Some(0.0),
        }],
        connections: Connections { opened: 200, closed: 200, peak: 200, reused: 29_799, stale: 0, errors: 1 },
        lateness_us: spread(30_000, 1, 0).latency(),
        little: Some(Little { users: 180.0, iterations_per_s: 1000.0, iteration_mean_us: 179_500.0, ratio: 0.997_222 }),
        system: System {
            time_wait_max: Some(3),
            descriptors_max: Some(231),
            descriptors_limit: Some(20_000),
            ports: Some(28_232),
            tcp_retransmits: Some(0),
            listen_drops: Some(0),
            listen_overflows: Some(0),
            steal_share: Some(0.001),
            throttled_us: None,
        },
        memory: Memory {
            histograms_bytes: 1_200_000,
            resident_bytes: Some(24_000_000),
            resident_peak_bytes: Some(25_000_000),
        },
    }
}
