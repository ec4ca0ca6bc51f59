//! The snapshot's text, as the Python side writes it (`keisan.wire.snapshot`). Unknown fields are ignored, so that
//! versions may differ; a row that cannot be read is left out, not the snapshot.

use std::collections::{BTreeMap, HashMap};

use keisan_route::{Known, PriceSheet, Verdict};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::RunningUsage;
use crate::upstream::DoorPlace;

#[derive(Deserialize)]
pub struct SnapshotText<'a> {
    pub schema_version: u32,
    pub platform_id: String,
    pub incarnation: String,
    pub version: u64,
    pub compiled_at_ms: u64,
    #[serde(borrow)]
    pub tables: TablesText<'a>,
}

#[derive(Deserialize)]
pub struct TablesText<'a> {
    #[serde(default)]
    pub organizations: Option<HashMap<String, OrganizationRow>>,
    #[serde(default)]
    pub projects: Option<HashMap<String, ProjectRow>>,
    #[serde(default)]
    pub keys: BTreeMap<String, KeyRow>,
    #[serde(default)]
    pub models: BTreeMap<String, ModelRow>,
    #[serde(default)]
    pub prices: BTreeMap<String, PriceRow>,
    #[serde(default)]
    pub engines: BTreeMap<String, EngineRow>,
    #[serde(default, borrow)]
    pub chips: BTreeMap<String, ChipRow<'a>>,
    #[serde(default)]
    pub doors: BTreeMap<String, DoorRow>,
    #[serde(default, borrow)]
    pub replicas: BTreeMap<String, &'a RawValue>,
    #[serde(default, borrow)]
    pub platforms: BTreeMap<String, &'a RawValue>,
    #[serde(default, borrow)]
    pub neighbours: BTreeMap<String, &'a RawValue>,
    #[serde(default, borrow)]
    pub platform_offers: BTreeMap<String, &'a RawValue>,
    #[serde(default, borrow)]
    pub platform_tickets: BTreeMap<String, &'a RawValue>,
}

#[derive(Deserialize, Default)]
pub struct LimitsText {
    pub requests_per_minute: Option<u64>,
    pub tokens_per_minute: Option<u64>,
    pub calls_open_max: Option<u64>,
    pub body_bytes_max: Option<u64>,
}

#[derive(Deserialize)]
pub struct OrganizationRow {
    pub billing: String,
    pub snapshot_age_s_max: Option<u64>,
    pub limits: LimitsText,
    pub policy: String,
    #[serde(default)]
    pub is_budgeted: bool,
}

#[derive(Deserialize)]
pub struct ProjectRow {
    pub limits: LimitsText,
    pub policy: String,
    #[serde(default)]
    pub is_budgeted: bool,
}

#[derive(Deserialize)]
pub struct KeyRow {
    pub digest: String,
    pub organization_id: String,
    pub project_id: String,
    pub rights: Vec<String>,
    pub models: Option<Vec<String>>,
    #[serde(default)]
    pub limits: LimitsText,
    #[serde(default)]
    pub policy: String,
    #[serde(default)]
    pub is_budgeted: bool,
}

#[derive(Deserialize)]
pub struct ModelRow {
    pub name: String,
    pub surfaces: Vec<String>,
    pub capabilities: Vec<String>,
    pub context_tokens: u64,
    pub output_tokens_max: u64,
    pub template_tokens_max: u64,
    pub price_id: String,
    pub created_at_s: u64,
    pub owner: String,
}

#[derive(Deserialize)]
pub struct PriceRow {
    pub currency: String,
    pub nano_per_million: PriceSheet,
}

#[derive(Clone, Copy, Deserialize)]
pub struct EngineRow {
    pub running_usage: RunningUsage,
    pub idle_connection_s: u64,
    pub requests_per_connection_max: u64,
}

/// A site's door, and what this platform's gateways show there.
#[derive(Deserialize)]
pub struct DoorRow {
    #[serde(flatten)]
    pub place: DoorPlace,
    pub secret: String,
    #[serde(default)]
    pub certificates: String,
}

/// Facts that can be read.
pub fn list_known<'a>(facts: &'a BTreeMap<String, &RawValue>) -> impl Iterator<Item = (&'a str, Known)> {
    facts.iter().filter_map(|(name, raw)| Some((name.as_str(), serde_json::from_str(raw.get()).ok()?)))
}

/// Facts by name; one that cannot be read is not known.
#[derive(Deserialize)]
pub struct ChipRow<'a> {
    #[serde(borrow)]
    facts: BTreeMap<String, &'a RawValue>,
}

impl ChipRow<'_> {
    pub fn list_known(&self) -> impl Iterator<Item = (&str, Known)> {
        list_known(&self.facts)
    }
}

/// A model that another platform offers, on one kind of chip.
#[derive(Deserialize)]
pub struct OfferRow<'a> {
    pub platform_id: String,
    /// By name, as models have other ids there.
    pub model: String,
    pub model_digest: String,
    #[serde(default)]
    pub region: String,
    #[serde(default)]
    pub chip: String,
    #[serde(default, borrow)]
    pub facts: BTreeMap<String, &'a RawValue>,
    pub verdict: Verdict,
    pub slots: u32,
    /// Of the price version at wholesale.
    pub price_id: String,
    #[serde(default)]
    pub attested_at_ms: Option<u64>,
}

/// What one platform gave another for an organization's calls.
#[derive(Deserialize)]
pub struct TicketRow {
    pub organization_id: String,
    pub home_platform_id: String,
    pub audience_platform_id: String,
    pub policy: String,
    pub currency: String,
    /// The price versions at wholesale, by the model's name.
    #[serde(default)]
    pub price_ids: BTreeMap<String, String>,
    pub ends_at_ms: u64,
}
