//! Makes a snapshot of its text: rows are joined and indexed, rules compiled, and what cannot be used is left out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keisan_route::{Fact, Facts, Known, Policy};

use super::text::{
    ChipRow, DoorRow, EngineRow, KeyRow, LimitsText, ModelRow, OrganizationRow, PriceRow, ProjectRow, SnapshotText,
    TablesText,
};
use super::{EngineProfile, Key, KeyDigest, LivingSource, Model, ReplicaRow, Snapshot};
use crate::clock::read_wall_ms;
use crate::currency::Currency;
use crate::dialect::Dialect;
use crate::limiter::{Limit, LimitKind, OwnerLimits};
use crate::model_times::ModelTimes;
use crate::purse::Purse;
use crate::record::write_part;
use crate::replica::Replica;
use crate::upstream::{DoorPass, DoorSecret, Upstream};

/// The right of a platform's administrators alone.
const EXPLAIN_RIGHT: &str = "write_organizations";

/// Reads a snapshot of this platform; the text of the error says what is wrong.
pub fn parse_snapshot(bytes: &[u8], platform_id: &str, source: &mut dyn LivingSource) -> Result<Snapshot, String> {
    let text: SnapshotText<'_> = serde_json::from_slice(bytes).map_err(|fault| format!("snapshot: {fault}"))?;
    if text.schema_version != 1 {
        return Err(format!("snapshot: expected schema_version 1, got {}", text.schema_version));
    }
    if text.platform_id != platform_id {
        return Err("snapshot: it belongs to another platform".to_owned());
    }
    let SnapshotText { incarnation, version, compiled_at_ms, mut tables, .. } = text;
    let mut building = Building { source, platform_id, unusable_rows: 0, currencies: BTreeSet::new() };
    let mut neighbours = building.read_neighbours(&tables);
    let replicas = building.read_replicas(&tables);
    let offers = building.read_offers(&tables, &neighbours);
    let models = building.build_models(&mut tables, (replicas, offers));
    building.read_tickets(&tables, &models, &mut neighbours);
    let keys = building.build_keys(tables);
    Ok(Snapshot {
        incarnation,
        version,
        keys,
        models,
        neighbours,
        unusable_rows: building.unusable_rows,
        age_at_load: Duration::from_millis(read_wall_ms().saturating_sub(compiled_at_ms)),
        loaded: Instant::now(),
    })
}

pub struct Building<'a> {
    pub source: &'a mut dyn LivingSource,
    pub platform_id: &'a str,
    pub unusable_rows: u64,
    /// Those in which a model is priced.
    pub currencies: BTreeSet<Currency>,
}

/// Candidates by what names their model: its id of own ones, its name of other platforms.
pub type ByModel = HashMap<String, Vec<Arc<Replica>>>;

/// What an organization or a project says of the calls of its keys.
#[derive(Default)]
struct Layer {
    limits: OwnerLimits,
    policy: Arc<Policy>,
    purses: Option<Arc<[Arc<Purse>]>>,
    snapshot_age_max: Option<Duration>,
}

impl Building<'_> {
    fn read_replicas(&mut self, tables: &TablesText<'_>) -> ByModel {
        let mut by_model = ByModel::new();
        let passes = tables.doors.iter().filter_map(|(id, door)| Some((id.as_str(), read_pass(door)?)));
        let passes: HashMap<&str, Arc<DoorPass>> = passes.collect();
        for (id, raw) in &tables.replicas {
            let Ok(mut row) = serde_json::from_str::<ReplicaRow>(raw.get()) else {
                self.unusable_rows += 1;
                continue;
            };
            find_door_pass(&mut row, &tables.doors, &passes);
            let model_id = row.model_id.clone();
            let (profile, facts) = (find_profile(&tables.engines, &row), self.gather_facts(&tables.chips, &row));
            let replica = self.source.find_replica(id, row, profile, facts);
            by_model.entry(model_id).or_default().push(replica);
        }
        by_model
    }

    fn build_models(
        &mut self,
        tables: &mut TablesText<'_>,
        (mut replicas, mut offers): (ByModel, ByModel),
    ) -> BTreeMap<String, Arc<Model>> {
        let mut models = BTreeMap::new();
        for (id, row) in std::mem::take(&mut tables.models) {
            let price = tables.prices.get(&row.price_id);
            let Some((price, currency)) = price.and_then(|price| Some((price, Currency::parse(&price.currency)?)))
            else {
                self.unusable_rows += 1;
                continue;
            };
            self.currencies.insert(currency);
            let mut replicas = replicas.remove(&id).unwrap_or_default();
            replicas.extend(offers.remove(&row.name).unwrap_or_default());
            let living = (replicas, self.source.find_times(&row.name));
            models.insert(row.name.clone(), Arc::new(build_model(id, row, (price, currency), living)));
        }
        models
    }

    /// A key whose organization or project is not there may not call: nobody knows its rules.
    fn build_keys(&mut self, tables: TablesText<'_>) -> HashMap<KeyDigest, Arc<Key>> {
        let organizations = tables.organizations.map(|rows| self.build_layers(rows, Self::build_organization));
        let projects = tables.projects.map(|rows| self.build_layers(rows, Self::build_project));
        let mut keys = HashMap::with_capacity(tables.keys.len());
        for (id, row) in tables.keys {
            let Some(digest) = decode_digest(&row.digest) else {
                self.unusable_rows += 1;
                continue;
            };
            let organization = find_layer(organizations.as_ref(), &row.organization_id);
            let project = find_layer(projects.as_ref(), &row.project_id);
            let key = self.build_key(&id, row, (organization, project));
            keys.insert(digest, Arc::new(key));
        }
        keys
    }

    /// What is known of a replica: its chip's facts, and what the platform itself has on record.
    fn gather_facts(&self, chips: &BTreeMap<String, ChipRow<'_>>, row: &ReplicaRow) -> Facts {
        let known = chips.get(&row.chip).into_iter().flat_map(ChipRow::list_known);
        let own = [
            (Fact::Chip, row.chip.as_str()),
            (Fact::Region, &row.region),
            (Fact::Site, &row.site_id),
            (Fact::Provider, &row.provider_id),
            (Fact::Platform, self.platform_id),
        ];
        let mut facts = insert_facts(known, &own);
        facts.attested_at_ms = row.attested_at_ms;
        facts
    }

    fn build_layers<Row>(
        &mut self,
        rows: HashMap<String, Row>,
        build: impl Fn(&mut Self, &str, &Row) -> Layer,
    ) -> HashMap<String, Layer> {
        rows.into_iter()
            .map(|(id, row)| {
                let layer = build(self, &id, &row);
                (id, layer)
            })
            .collect()
    }

    fn build_organization(&mut self, id: &str, row: &OrganizationRow) -> Layer {
        // A way of billing that this version does not know is one that needs credit.
        let is_prepaid = row.billing != "postpaid";
        Layer {
            limits: self.build_limits("organization", id, &row.limits),
            policy: Arc::new(read_policy(&row.policy)),
            purses: (is_prepaid || row.is_budgeted).then(|| self.find_purses(id)),
            snapshot_age_max: row.snapshot_age_s_max.map(Duration::from_secs),
        }
    }

    pub fn find_purses(&mut self, holder_id: &str) -> Arc<[Arc<Purse>]> {
        let find = |currency: &Currency| self.source.find_purse(holder_id, *currency);
        self.currencies.iter().map(find).collect()
    }

    fn build_project(&mut self, id: &str, row: &ProjectRow) -> Layer {
        Layer {
            limits: self.build_limits("project", id, &row.limits),
            policy: Arc::new(read_policy(&row.policy)),
            purses: row.is_budgeted.then(|| self.find_purses(id)),
            snapshot_age_max: None,
        }
    }

    fn build_key(&mut self, id: &str, row: KeyRow, layers: (Option<&Layer>, Option<&Layer>)) -> Key {
        let none = Layer::default();
        let (organization, project) = (layers.0.unwrap_or(&none), layers.1.unwrap_or(&none));
        let limits = self.build_limits("key", id, &row.limits);
        // The finest that is budgeted; what binds those above it the platform minds when it leases.
        let own_purses = row.is_budgeted.then(|| self.find_purses(id));
        let purses = own_purses.or_else(|| project.purses.clone()).or_else(|| organization.purses.clone());
        let record_part =
            write_part(&[("organization_id", &row.organization_id), ("project_id", &row.project_id), ("key_id", id)]);
        Key {
            record_part,
            can_call: row.rights.iter().any(|right| right == "call") && layers.0.is_some() && layers.1.is_some(),
            can_explain: row.rights.iter().any(|right| right == EXPLAIN_RIGHT),
            limits: Arc::new([organization.limits.clone(), project.limits.clone(), limits]),
            policies: [
                Arc::clone(&organization.policy),
                Arc::clone(&project.policy),
                Arc::new(read_policy(&row.policy)),
            ],
            purses,
            snapshot_age_max: organization.snapshot_age_max,
            organization_id: row.organization_id,
            models: row.models,
        }
    }

    fn build_limits(&mut self, owner: &str, id: &str, text: &LimitsText) -> OwnerLimits {
        let mut build = |most: Option<u64>, kind: LimitKind| {
            let meter = |most| Limit { most, meter: self.source.find_meter(&format!("{owner}:{id}:{}", kind.name())) };
            most.map(meter)
        };
        OwnerLimits {
            requests: build(text.requests_per_minute, LimitKind::Requests),
            tokens: build(text.tokens_per_minute, LimitKind::Tokens),
            calls: build(text.calls_open_max, LimitKind::Calls),
            body_bytes_max: text.body_bytes_max,
        }
    }
}

fn find_layer<'a>(layers: Option<&'a HashMap<String, Layer>>, id: &str) -> Option<&'a Layer> {
    layers?.get(id)
}

/// A text that this version cannot read admits nobody.
pub fn read_policy(text: &str) -> Policy {
    Policy::parse(text).unwrap_or_else(|_| Policy::unreadable())
}

/// A secret goes to the place it was made for and to no other; without one no door is tried.
fn find_door_pass(row: &mut ReplicaRow, doors: &BTreeMap<String, DoorRow>, passes: &HashMap<&str, Arc<DoorPass>>) {
    let Upstream::Door { place, .. } = &row.upstream else {
        return;
    };
    let is_place_of_site = doors.get(&row.site_id).is_some_and(|door| door.place == *place);
    row.door_pass = is_place_of_site.then(|| passes.get(row.site_id.as_str()).cloned()).flatten();
    if row.door_pass.is_none() {
        row.upstream = Upstream::Unknown;
    }
}

fn read_pass(door: &DoorRow) -> Option<Arc<DoorPass>> {
    let secret = DoorSecret::new(&door.secret)?;
    Some(Arc::new(DoorPass { secret, certificates: door.certificates.clone() }))
}

fn find_profile(engines: &BTreeMap<String, EngineRow>, replica: &ReplicaRow) -> EngineProfile {
    engines.get(&replica.engine).map_or(EngineProfile::UNKNOWN, |row| EngineProfile {
        dialect: Dialect::new(row.running_usage),
        idle_connection_s: row.idle_connection_s,
        requests_per_connection_max: row.requests_per_connection_max,
    })
}

pub fn insert_facts<'a>(known: impl Iterator<Item = (&'a str, Known)>, own: &[(Fact, &str)]) -> Facts {
    let mut facts = Facts::default();
    for (name, known) in known {
        if let Some(fact) = Fact::find(name) {
            facts.insert(fact, known);
        }
    }
    for (fact, value) in own.iter().filter(|(_, value)| !value.is_empty()) {
        facts.insert_own(*fact, value);
    }
    facts
}

fn build_model(
    id: String,
    row: ModelRow,
    (price, currency): (&PriceRow, Currency),
    (replicas, times): (Vec<Arc<Replica>>, Arc<ModelTimes>),
) -> Model {
    let record_part = write_part(&[("model_id", &id), ("price_id", &row.price_id)]);
    Model {
        id,
        record_part,
        name: row.name,
        owner: row.owner,
        created_at_s: row.created_at_s,
        context_tokens: row.context_tokens,
        output_tokens_max: row.output_tokens_max,
        template_tokens_max: row.template_tokens_max,
        price: price.nano_per_million.clone(),
        currency,
        replicas,
        times,
        surfaces: row.surfaces,
        capabilities: row.capabilities,
    }
}

pub fn decode_digest(text: &str) -> Option<KeyDigest> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (position, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[position * 2..position * 2 + 2], 16).ok()?;
    }
    Some(digest)
}
