//! What stands in /metrics beside counts: what a gateway holds now, summed up. No line is about one caller.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use keisan_route::Verdict;

use crate::gateway::Gateway;
use crate::metrics::Text;
use crate::purse::Held;
use crate::snapshot::Snapshot;

const VERDICTS: [(&str, Verdict); 3] =
    [("ok", Verdict::Ok), ("unknown", Verdict::Unknown), ("failed", Verdict::Failed)];
const BREAKER_STATES: [&str; 3] = ["closed", "half_open", "open"];

/// A metric of one line: name, kind, text, value.
type Single = (&'static str, &'static str, &'static str, u64);

pub fn write_state(gateway: &Gateway, text: &mut Text) {
    let snapshot = gateway.snapshot();
    for (name, kind, about, value) in list_own(gateway).into_iter().chain(list_snapshot(snapshot.as_deref())) {
        text.single(name, kind, about, value);
    }
    write_credit(gateway, text);
    if let Some(snapshot) = &snapshot {
        write_replicas(snapshot, gateway.now_ns(), text);
    }
}

fn list_own(gateway: &Gateway) -> [Single; 16] {
    let (spool, tracer) = (gateway.spool.state(), &gateway.tracer);
    let open_calls = gateway.open_calls.load(Ordering::Relaxed);
    let open_connections = gateway.open_connections.load(Ordering::Relaxed);
    [
        ("keisan_open_calls", "gauge", "Admitted calls that have not ended.", open_calls),
        ("keisan_open_connections", "gauge", "Connections of clients that are open.", open_connections),
        ("keisan_request_bytes", "gauge", "Bytes of request bodies in memory.", gateway.count_request_bytes()),
        ("keisan_spool_backlog_records", "gauge", "Records not yet taken.", spool.backlog_records),
        ("keisan_spool_bytes", "gauge", "Bytes allocated on disk.", spool.bytes),
        ("keisan_spool_written_records_total", "counter", "Records written.", spool.written_records),
        ("keisan_spool_synced_records_total", "counter", "Records on disk.", spool.synced_records),
        ("keisan_spool_reserved_records", "gauge", "Records of open calls, with room kept.", spool.reserved_records),
        ("keisan_spool_quarantined_segments", "gauge", "Damaged segments set aside.", spool.quarantined_segments),
        ("keisan_spool_failed", "gauge", "1 while records cannot be written.", u64::from(spool.is_failed)),
        ("keisan_spans_waiting", "gauge", "Spans not yet taken for an export.", tracer.count_waiting()),
        ("keisan_spans_collected_total", "counter", "Spans collected for an export.", tracer.collected.get()),
        ("keisan_spans_dropped_total", "counter", "Spans that found the queue full.", tracer.dropped.get()),
        ("keisan_tasks", "gauge", "Tasks on the gateway's threads that have not ended.", count_tasks()),
        ("keisan_links_up", "gauge", "Platforms that calls can be sent to.", gateway.federation.links.count_up()),
        ("keisan_uptime_seconds", "gauge", "Time since the start.", gateway.started.elapsed().as_secs()),
    ]
}

/// Every connection is one, and so is every call that goes on without its client. Known where they run.
fn count_tasks() -> u64 {
    tokio::runtime::Handle::try_current().map_or(0, |runtime| runtime.metrics().num_alive_tasks() as u64)
}

fn list_snapshot(snapshot: Option<&Snapshot>) -> impl Iterator<Item = Single> {
    let lines = snapshot.map(|snapshot| {
        [
            ("keisan_snapshot_version", "gauge", "Version of the snapshot in force.", snapshot.version),
            ("keisan_snapshot_age_seconds", "gauge", "Age of the snapshot in force.", snapshot.age().as_secs()),
            ("keisan_snapshot_unusable_rows", "gauge", "Rows left out.", snapshot.unusable_rows),
        ]
    });
    lines.into_iter().flatten()
}

/// Name, text, and which number of what is held.
type CreditGauge = (&'static str, &'static str, fn(&Held) -> u128);

const CREDIT_GAUGES: [CreditGauge; 4] = [
    ("keisan_credit_tickets", "Tickets that are held.", |held| u128::from(held.tickets)),
    ("keisan_credit_free_nano", "Credit held and free, in nano-units.", |held| held.free_nano),
    ("keisan_credit_reserved_nano", "Credit set aside for open calls.", |held| held.reserved_nano),
    ("keisan_credit_waiting_nano", "Credit that calls wait for.", |held| held.waiting_nano),
];

/// Sums over all organizations: which of them is short is the platform's to know.
fn write_credit(gateway: &Gateway, text: &mut Text) {
    let sums = gateway.credit.sum_up();
    for (name, about, count) in CREDIT_GAUGES {
        text.describe(name, "gauge", about);
        for (currency, held) in &sums {
            text.line(name, &format!("currency=\"{currency}\""), count(held));
        }
    }
    let share_ppm = gateway.moment().default_share_ppm;
    text.single("keisan_default_share_ppm", "gauge", "This gateway's part of limits that nobody named.", share_ppm);
}

fn write_replicas(snapshot: &Snapshot, now_ns: u64, text: &mut Text) {
    let replicas = || snapshot.models.values().flat_map(|model| &model.replicas);
    text.describe("keisan_replicas", "gauge", "Replicas in the snapshot, by verdict.");
    for (name, verdict) in VERDICTS {
        let count = replicas().filter(|replica| replica.row.verdict == verdict).count();
        text.line("keisan_replicas", &format!("verdict=\"{name}\""), count);
    }
    let mut states: BTreeMap<&str, usize> = BREAKER_STATES.map(|name| (name, 0)).into();
    for replica in replicas() {
        *states.entry(replica.station.circuit.name_state(now_ns)).or_default() += 1;
    }
    text.describe("keisan_replica_breakers", "gauge", "Breakers of replicas, by state.");
    for (name, count) in states {
        text.line("keisan_replica_breakers", &format!("state=\"{name}\""), count);
    }
    let open: u64 = replicas().map(|replica| u64::from(replica.station.count_open())).sum();
    text.single("keisan_replica_open_calls", "gauge", "Calls that have a replica's slot.", open);
    let backlog: u64 = replicas().map(|replica| replica.station.backlog.tokens()).sum();
    let about = "Tokens of prompts that were sent, until the first byte of their answers.";
    text.single("keisan_replica_backlog_tokens", "gauge", about, backlog);
    let waiting: u64 = replicas().map(|replica| u64::from(replica.station.count_waiting())).sum();
    text.single("keisan_queue_waiting_calls", "gauge", "Calls that wait for a replica's slot.", waiting);
}
