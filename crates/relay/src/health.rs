//! What a gateway says of itself: /healthz for balancers, /metrics for Prometheus, stats for the Python shell.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::body::RelayBody;
use crate::federation::{LinkView, list_links};
use crate::gateway::Gateway;
use crate::metrics::Text;
use crate::models::answer_json;
use crate::snapshot::Snapshot;
use crate::spool::SpoolState;
use crate::state_metrics::write_state;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    snapshot: Option<SnapshotView>,
    spool: SpoolView,
    open_calls: u64,
}

#[derive(Serialize)]
struct SnapshotView {
    incarnation: String,
    version: u64,
    /// Since the platform compiled it; grows while nothing changes or the platform is gone.
    age_s: u64,
    unusable_rows: u64,
}

#[derive(Serialize)]
struct SpoolView {
    backlog_records: u64,
    bytes: u64,
    written_records: u64,
    synced_records: u64,
    quarantined_segments: u64,
    is_failed: bool,
}

#[derive(Serialize)]
struct Stats {
    #[serde(flatten)]
    health: Health,
    uptime_s: u64,
    calls: BTreeMap<&'static str, u64>,
    refusals: BTreeMap<&'static str, u64>,
    records_failed: u64,
    /// Where other platforms' gateways come in, and how the links to them stand.
    federation_address: Option<String>,
    links: Vec<LinkView>,
}

impl From<SpoolState> for SpoolView {
    fn from(state: SpoolState) -> Self {
        Self {
            backlog_records: state.backlog_records,
            bytes: state.bytes,
            written_records: state.written_records,
            synced_records: state.synced_records,
            quarantined_segments: state.quarantined_segments,
            is_failed: state.is_failed,
        }
    }
}

fn view_snapshot(snapshot: &Snapshot) -> SnapshotView {
    SnapshotView {
        incarnation: snapshot.incarnation.clone(),
        version: snapshot.version,
        age_s: snapshot.age().as_secs(),
        unusable_rows: snapshot.unusable_rows,
    }
}

fn examine(gateway: &Gateway) -> Health {
    let spool = gateway.spool.state();
    let snapshot = gateway.snapshot();
    let status = match () {
        () if gateway.is_draining() => "draining",
        () if spool.is_failed || spool.quarantined_segments > 0 || snapshot.is_none() => "degraded",
        () => "ok",
    };
    Health {
        status,
        snapshot: snapshot.as_deref().map(view_snapshot),
        spool: spool.into(),
        open_calls: gateway.open_calls.load(Ordering::Relaxed),
    }
}

/// 200 while the gateway takes calls, 503 while it does not.
pub fn answer_health(gateway: &Gateway) -> Response<RelayBody> {
    let health = examine(gateway);
    let takes_calls = !gateway.is_draining() && !health.spool.is_failed && health.snapshot.is_some();
    let mut response = answer_json(&health);
    if !takes_calls {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

pub fn format_stats(gateway: &Gateway) -> String {
    let stats = Stats {
        health: examine(gateway),
        uptime_s: gateway.started.elapsed().as_secs(),
        calls: gateway.metrics.calls().collect(),
        refusals: gateway.metrics.refusals().filter(|(_, count)| *count > 0).collect(),
        records_failed: gateway.metrics.records_failed.get(),
        federation_address: gateway.federation.address.get().map(ToString::to_string),
        links: list_links(gateway),
    };
    // Texts and numbers always serialize.
    serde_json::to_string(&stats).unwrap_or_default()
}

/// Everything that Prometheus is told.
pub fn format_metrics(gateway: &Gateway) -> String {
    let mut text = Text::default();
    gateway.metrics.write(&mut text);
    write_state(gateway, &mut text);
    text.finish()
}

pub fn answer_metrics(gateway: &Gateway) -> Response<RelayBody> {
    let mut response = Response::new(RelayBody::full(format_metrics(gateway)));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
