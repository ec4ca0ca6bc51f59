//! The snapshot (R10): all that is needed to serve without the platform, indexed for a call's look-ups.
//! The Python side writes it (`keisan.wire.snapshot`); unknown fields are ignored, so versions may differ.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use keisan_route::{PriceSheet, Surface, Verdict};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::{Dialect, RunningUsage};
use crate::replica::Replica;
use crate::upstream::Upstream;

pub type KeyDigest = [u8; 32];

#[derive(Deserialize)]
struct SnapshotText<'a> {
    schema_version: u32,
    platform_id: String,
    incarnation: String,
    version: u64,
    compiled_at_ms: u64,
    #[serde(borrow)]
    tables: TablesText<'a>,
}

#[derive(Deserialize)]
struct TablesText<'a> {
    #[serde(default)]
    keys: BTreeMap<String, KeyRow>,
    #[serde(default)]
    models: BTreeMap<String, ModelRow>,
    #[serde(default)]
    prices: BTreeMap<String, PriceRow>,
    #[serde(default)]
    engines: BTreeMap<String, EngineRow>,
    // Replicas are read one by one: one that this version does not understand is left out, not the snapshot.
    #[serde(default, borrow)]
    replicas: BTreeMap<String, &'a RawValue>,
}

#[derive(Deserialize)]
struct KeyRow {
    digest: String,
    organization_id: String,
    project_id: String,
    rights: Vec<String>,
    models: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct ModelRow {
    name: String,
    surfaces: Vec<String>,
    capabilities: Vec<String>,
    context_tokens: u64,
    output_tokens_max: u64,
    price_id: String,
    created_at_s: u64,
    owner: String,
}

#[derive(Deserialize)]
struct PriceRow {
    nano_per_million: PriceSheet,
}

#[derive(Clone, Copy, Deserialize)]
struct EngineRow {
    running_usage: RunningUsage,
    idle_connection_s: u64,
    requests_per_connection_max: u64,
}

/// A replica as the snapshot tells it.
#[derive(Clone, Debug, Deserialize)]
pub struct ReplicaRow {
    pub model_id: String,
    pub deployment_id: String,
    pub provider_id: String,
    pub site_id: String,
    pub engine: String,
    pub model_digest: String,
    pub verdict: Verdict,
    pub slots: u32,
    pub upstream: Upstream,
}

/// How an engine's connections and streams behave.
#[derive(Clone, Copy, Debug)]
pub struct EngineProfile {
    pub dialect: Dialect,
    pub idle_connection_s: u64,
    pub requests_per_connection_max: u64,
}

impl EngineProfile {
    /// For an engine that the snapshot does not describe: nothing is assumed, no connection is used twice.
    const UNKNOWN: Self =
        Self { dialect: Dialect::new(RunningUsage::None), idle_connection_s: 1, requests_per_connection_max: 1 };
}

/// A key in force.
#[derive(Debug)]
pub struct Key {
    pub id: String,
    pub organization_id: String,
    pub project_id: String,
    pub can_call: bool,
    models: Option<Vec<String>>,
}

impl Key {
    pub fn may_name(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|name| name == model))
    }
}

/// A model with its price and its replicas.
#[derive(Debug)]
pub struct Model {
    pub id: String,
    pub name: String,
    pub owner: String,
    pub created_at_s: u64,
    pub context_tokens: u64,
    pub output_tokens_max: u64,
    pub price_id: String,
    pub price: PriceSheet,
    pub replicas: Vec<Arc<Replica>>,
    surfaces: Vec<String>,
    capabilities: Vec<String>,
}

impl Model {
    pub fn is_on(&self, surface: Surface) -> bool {
        self.surfaces.iter().any(|name| name == surface.name())
    }

    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|name| name == capability)
    }
}

/// One version of the state.
#[derive(Debug)]
pub struct Snapshot {
    pub incarnation: String,
    pub version: u64,
    pub compiled_at_ms: u64,
    pub keys: HashMap<KeyDigest, Arc<Key>>,
    pub models: BTreeMap<String, Arc<Model>>,
    /// Rows left out because they cannot be used; shown in stats and metrics.
    pub unusable_rows: u64,
}

/// Makes or finds the living side of a replica, which outlasts snapshots.
pub trait ReplicaSource {
    fn find_replica(&mut self, id: &str, row: &ReplicaRow, profile: EngineProfile) -> Arc<Replica>;
}

/// Reads a snapshot of this platform; the text of the error says what is wrong.
pub fn parse_snapshot(bytes: &[u8], platform_id: &str, source: &mut dyn ReplicaSource) -> Result<Snapshot, String> {
    let text: SnapshotText<'_> = serde_json::from_slice(bytes).map_err(|fault| format!("snapshot: {fault}"))?;
    if text.schema_version != 1 {
        return Err(format!("snapshot: expected schema_version 1, got {}", text.schema_version));
    }
    if text.platform_id != platform_id {
        return Err("snapshot: it belongs to another platform".to_owned());
    }
    let mut unusable_rows = 0;
    let mut replicas = read_replicas(&text.tables, source, &mut unusable_rows);
    let mut models = BTreeMap::new();
    for (id, row) in text.tables.models {
        let Some(price) = text.tables.prices.get(&row.price_id) else {
            unusable_rows += 1;
            continue;
        };
        let replicas = replicas.remove(&id).unwrap_or_default();
        models.insert(row.name.clone(), Arc::new(build_model(id, row, &price.nano_per_million, replicas)));
    }
    let mut keys = HashMap::with_capacity(text.tables.keys.len());
    for (id, row) in text.tables.keys {
        match decode_digest(&row.digest) {
            Some(digest) => drop(keys.insert(digest, Arc::new(build_key(id, row)))),
            None => unusable_rows += 1,
        }
    }
    let SnapshotText { incarnation, version, compiled_at_ms, .. } = text;
    Ok(Snapshot { incarnation, version, compiled_at_ms, keys, models, unusable_rows })
}

fn read_replicas(
    tables: &TablesText<'_>,
    source: &mut dyn ReplicaSource,
    unusable_rows: &mut u64,
) -> HashMap<String, Vec<Arc<Replica>>> {
    let mut by_model: HashMap<String, Vec<Arc<Replica>>> = HashMap::new();
    for (id, raw) in &tables.replicas {
        let Ok(row) = serde_json::from_str::<ReplicaRow>(raw.get()) else {
            *unusable_rows += 1;
            continue;
        };
        let replica = source.find_replica(id, &row, find_profile(&tables.engines, &row));
        by_model.entry(row.model_id).or_default().push(replica);
    }
    by_model
}

fn find_profile(engines: &BTreeMap<String, EngineRow>, replica: &ReplicaRow) -> EngineProfile {
    engines.get(&replica.engine).map_or(EngineProfile::UNKNOWN, |row| EngineProfile {
        dialect: Dialect::new(row.running_usage),
        idle_connection_s: row.idle_connection_s,
        requests_per_connection_max: row.requests_per_connection_max,
    })
}

fn build_model(id: String, row: ModelRow, price: &PriceSheet, replicas: Vec<Arc<Replica>>) -> Model {
    Model {
        id,
        name: row.name,
        owner: row.owner,
        created_at_s: row.created_at_s,
        context_tokens: row.context_tokens,
        output_tokens_max: row.output_tokens_max,
        price_id: row.price_id,
        price: price.clone(),
        replicas,
        surfaces: row.surfaces,
        capabilities: row.capabilities,
    }
}

fn build_key(id: String, row: KeyRow) -> Key {
    Key {
        id,
        organization_id: row.organization_id,
        project_id: row.project_id,
        can_call: row.rights.iter().any(|right| right == "call"),
        models: row.models,
    }
}

fn decode_digest(text: &str) -> Option<KeyDigest> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (position, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[position * 2..position * 2 + 2], 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::Station;

    const GOLDEN: &[u8] = include_bytes!("../../../tests/golden/snapshot.json");
    const PLATFORM: &str = "abababababababababababababababababababababababababababababababab";

    struct NewReplicas;

    impl ReplicaSource for NewReplicas {
        fn find_replica(&mut self, id: &str, row: &ReplicaRow, profile: EngineProfile) -> Arc<Replica> {
            let station = Arc::new(Station::new(row.slots));
            Arc::new(Replica { id: id.to_owned(), row: row.clone(), profile, station })
        }
    }

    fn parse(text: &[u8]) -> Result<Snapshot, String> {
        parse_snapshot(text, PLATFORM, &mut NewReplicas)
    }

    fn change(from: &str, to: &str) -> Vec<u8> {
        let text = std::str::from_utf8(GOLDEN).unwrap();
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1).into_bytes()
    }

    #[test]
    fn the_platform_s_snapshot_is_read_field_by_field() {
        let snapshot = parse(GOLDEN).unwrap();
        assert_eq!((snapshot.version, snapshot.compiled_at_ms, snapshot.unusable_rows), (17, 1_795_424_400_000, 0));
        assert_eq!((snapshot.keys.len(), snapshot.models.len()), (3, 2));
        assert_eq!(snapshot.keys.values().filter(|key| key.can_call).count(), 2);
        assert_eq!(snapshot.keys.values().filter(|key| key.may_name("tiny-8b")).count(), 2);
        let model = &snapshot.models["smollm2-135m-instruct"];
        assert_eq!((model.context_tokens, model.output_tokens_max, model.created_at_s), (2_048, 512, 1_795_424_400));
        assert!(model.is_on(Surface::Chat) && model.is_on(Surface::Completions) && model.can("stream"));
        assert_eq!(model.price.choose_nano(keisan_route::TokenClass::InputCached), Ok(50_000_000));
        assert_eq!(
            model.replicas.iter().map(|replica| replica.row.verdict).collect::<Vec<_>>(),
            [Verdict::Ok, Verdict::Failed]
        );
        assert_eq!(model.replicas[0].profile.idle_connection_s, 5);
        let other = &snapshot.models["tiny-8b"];
        assert!(!other.is_on(Surface::Completions));
        assert_eq!(other.replicas[0].profile.requests_per_connection_max, 1_000);
        assert_eq!(other.replicas[0].row.upstream, Upstream::Unix { path: "/run/keisan/v.sock".into() });
    }

    #[test]
    fn what_cannot_be_used_is_left_out_and_counted() {
        let unknown = parse(&change("\"kind\": \"unix\"", "\"kind\": \"door\"")).unwrap();
        assert!(!unknown.models["smollm2-135m-instruct"].replicas[0].row.upstream.is_reachable());
        assert_eq!(unknown.unusable_rows, 0);
        let odd = parse(&change("\"slots\": 4", "\"slots\": \"many\"")).unwrap();
        assert_eq!((odd.unusable_rows, odd.models["smollm2-135m-instruct"].replicas.len()), (1, 1));
        let unpriced = change("\"price_id\": \"019ab000-000a-7000-8000-000000000001\"", "\"price_id\": \"x\"");
        assert_eq!(parse(&unpriced).unwrap().models.len(), 1);
        assert_eq!(parse(&change("\"digest\": \"8a23", "\"digest\": \"zz23")).unwrap().keys.len(), 2);
        let later = parse(&change("\"version\": 17,", "\"version\": 17, \"colour\": {},")).unwrap();
        assert_eq!(later.version, 17);
    }

    #[test]
    fn what_is_no_snapshot_of_this_platform_is_refused() {
        assert!(parse(b"{").is_err() && parse(b"[]").is_err() && parse(b"").is_err());
        assert!(
            parse(&change("\"schema_version\": 1", "\"schema_version\": 2")).unwrap_err().contains("schema_version")
        );
        assert!(parse(&change(PLATFORM, "cdcd")).unwrap_err().contains("another platform"));
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_unreachable() {
        let long = "x".repeat(107);
        let path = |path: String| Upstream::Unix { path: path.into() };
        assert!(path(long.clone()).is_reachable());
        assert!(!path(format!("{long}x")).is_reachable());
    }
}
