//! The snapshot (R10): all that is needed to serve without the platform, indexed for a call's look-ups.
//! Here: what a call looks up. Not here: how the platform's text is read (text, build).

mod build;
mod neighbours;
mod platforms;
mod text;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keisan_route::{Facts, Policy, PriceSheet, Surface, Verdict};
use serde::Deserialize;

use crate::currency::Currency;
use crate::dialect::{Dialect, RunningUsage};
use crate::limiter::{CallLimits, Meter};
use crate::model_times::ModelTimes;
use crate::purse::Purse;
use crate::record::write_part;
use crate::replica::Replica;
use crate::spool::Part;
use crate::upstream::{DoorPass, Upstream};

pub use build::{decode_digest, parse_snapshot};
pub use neighbours::{GuestTicket, Neighbours, SpendingTicket};
pub use platforms::ELSEWHERE;

pub type KeyDigest = [u8; 32];

/// A replica as the snapshot tells it.
#[derive(Clone, Debug, Deserialize)]
pub struct ReplicaRow {
    pub model_id: String,
    pub deployment_id: String,
    pub provider_id: String,
    pub site_id: String,
    #[serde(default)]
    pub region: String,
    #[serde(default)]
    pub chip: String,
    pub engine: String,
    pub model_digest: String,
    pub verdict: Verdict,
    pub slots: u32,
    pub upstream: Upstream,
    #[serde(default)]
    pub attested_at_ms: Option<u64>,
    #[serde(default)]
    pub prefill_tokens_per_s: Option<u32>,
    /// There is one if and only if the replica stands behind a door.
    #[serde(skip)]
    pub door_pass: Option<Arc<DoorPass>>,
    /// There is one if and only if this is another platform.
    #[serde(skip)]
    pub offer: Option<Arc<Offer>>,
}

/// What another platform offers.
#[derive(Debug)]
pub struct Offer {
    pub platform_id: String,
    pub platform_name: String,
    pub region: String,
    pub chip: String,
    /// At wholesale: what home owes for a call there.
    pub price: PriceSheet,
    pub currency: Currency,
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

/// The owners whose rules bind a call, from the widest to the narrowest.
pub const LAYERS: [&str; 3] = ["organization", "project", "key"];

/// A key in force, with all that its organization and project say of its calls.
#[derive(Debug)]
pub struct Key {
    pub organization_id: String,
    pub can_call: bool,
    /// May ask how a call was decided.
    pub can_explain: bool,
    pub limits: Arc<CallLimits>,
    /// Of each layer; all are in force together.
    pub policies: [Arc<Policy>; LAYERS.len()],
    /// The credit that calls are taken from, one for each currency in which a model is priced: the key's own if it is
    /// budgeted, else its project's, else its organization's if that is budgeted or prepaid, else none.
    pub purses: Option<Arc<[Arc<Purse>]>>,
    /// How old a snapshot may be to serve this key.
    pub snapshot_age_max: Option<Duration>,
    pub record_part: Part,
    models: Option<Vec<String>>,
}

impl Key {
    pub fn may_name(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|name| name == model))
    }

    /// The largest body that any of its limits allows.
    pub fn body_bytes_max(&self, of_gateway: u64) -> u64 {
        self.limits.iter().filter_map(|limits| limits.body_bytes_max).fold(of_gateway, u64::min)
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
    pub template_tokens_max: u64,
    pub price: PriceSheet,
    /// That of the price.
    pub currency: Currency,
    /// Own ones, and other platforms behind them.
    pub replicas: Vec<Arc<Replica>>,
    pub record_part: Part,
    pub times: Arc<ModelTimes>,
    surfaces: Vec<String>,
    capabilities: Vec<String>,
}

impl Model {
    pub fn is_on(&self, surface: Surface) -> bool {
        self.surfaces.iter().any(|name| name == surface.name())
    }

    /// This model for another platform's customers: at a price of its own, and by own replicas only.
    fn sell_at(&self, price_id: &str, (price, currency): (&PriceSheet, Currency)) -> Self {
        let own = self.replicas.iter().filter(|replica| replica.row.offer.is_none());
        Self {
            id: self.id.clone(),
            name: self.name.clone(),
            owner: self.owner.clone(),
            created_at_s: self.created_at_s,
            context_tokens: self.context_tokens,
            output_tokens_max: self.output_tokens_max,
            template_tokens_max: self.template_tokens_max,
            price: price.clone(),
            currency,
            replicas: own.cloned().collect(),
            record_part: write_part(&[("model_id", &self.id), ("price_id", price_id)]),
            times: Arc::clone(&self.times),
            surfaces: self.surfaces.clone(),
            capabilities: self.capabilities.clone(),
        }
    }

    pub fn has_offers(&self) -> bool {
        self.replicas.last().is_some_and(|last| last.row.offer.is_some())
    }

    /// Other platforms that offer it.
    pub fn list_offers(&self) -> impl Iterator<Item = (&Replica, &Offer)> {
        self.replicas.iter().filter_map(|replica| Some((replica.as_ref(), replica.row.offer.as_deref()?)))
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
    pub keys: HashMap<KeyDigest, Arc<Key>>,
    pub models: BTreeMap<String, Arc<Model>>,
    pub neighbours: Neighbours,
    /// Rows left out because they cannot be used; shown in stats and metrics.
    pub unusable_rows: u64,
    age_at_load: Duration,
    loaded: Instant,
}

impl Snapshot {
    /// How long ago the platform last said that this is its state. Wall time counts up to loading, and no step of it
    /// afterwards.
    pub fn age(&self) -> Duration {
        self.age_at_load + self.loaded.elapsed()
    }
}

/// Makes or finds what outlasts snapshots: connections, limits' meters, credit, times.
pub trait LivingSource {
    fn find_replica(&mut self, id: &str, row: ReplicaRow, profile: EngineProfile, facts: Facts) -> Arc<Replica>;
    fn find_meter(&mut self, limit_id: &str) -> Arc<Meter>;
    fn find_purse(&mut self, holder_id: &str, currency: Currency) -> Arc<Purse>;
    fn find_times(&mut self, model: &str) -> Arc<ModelTimes>;
}

#[cfg(test)]
mod tests {
    use keisan_route::{Fact, Side, TokenClass};

    use super::*;
    use crate::options::Place;
    use crate::pool::Pool;
    use crate::replica::Station;
    use crate::upstream::DoorPlace;

    const GOLDEN: &[u8] = include_bytes!("../../../../tests/golden/snapshot.json");
    /// As it was before there were doors; frozen.
    const OLDER: &[u8] = include_bytes!("../../../../tests/golden/snapshot_before_doors.json");
    const PLATFORM: &str = "abababababababababababababababababababababababababababababababab";

    struct NewReplicas;

    impl LivingSource for NewReplicas {
        fn find_replica(&mut self, id: &str, row: ReplicaRow, profile: EngineProfile, facts: Facts) -> Arc<Replica> {
            let station = Arc::new(Station::new(row.slots, Pool::default()));
            Arc::new(Replica::new(id, row, (facts, profile), station))
        }

        fn find_meter(&mut self, _limit_id: &str) -> Arc<Meter> {
            Arc::default()
        }

        fn find_purse(&mut self, _holder_id: &str, currency: Currency) -> Arc<Purse> {
            Arc::new(Purse::new(currency, Arc::default()))
        }

        fn find_times(&mut self, _model: &str) -> Arc<ModelTimes> {
            Arc::default()
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
        assert_eq!((snapshot.version, snapshot.unusable_rows), (17, 0));
        assert!(snapshot.age() > Duration::from_secs(60));
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
        assert_eq!((model.currency.code(), other.currency.code()), ("CNY", "JPY"));
        let purses: Vec<_> = snapshot.keys.values().filter_map(|key| key.purses.as_ref()).collect();
        let currencies: Vec<_> = purses[0].iter().map(|purse| purse.currency.code()).collect();
        assert_eq!((purses.len(), currencies), (2, vec!["CNY", "JPY"]));
        assert!(!other.is_on(Surface::Completions));
        assert_eq!(other.replicas[0].profile.requests_per_connection_max, 1_000);
        let place = DoorPlace { host: "door.example".into(), port: 8443, is_tls: true };
        let path = "/replicas/019ab000-000c-7000-8000-000000000002".to_owned();
        assert_eq!(other.replicas[0].row.upstream, Upstream::Door { place, path });
        let pass = other.replicas[0].row.door_pass.as_ref().unwrap();
        assert!(pass.certificates.starts_with("-----BEGIN CERTIFICATE-----"));
        assert_eq!(pass.secret.header(), "Bearer dk-keisan-golden");
    }

    /// Whose credit each key of a snapshot is given, by the key's digest's first letters.
    fn list_escrows(text: &[u8]) -> BTreeMap<String, Option<String>> {
        let mut source = Purses::default();
        let snapshot = parse_snapshot(text, PLATFORM, &mut source).unwrap();
        let find_holder = |wanted: &Arc<Purse>| {
            let found = source.made.iter().find(|(_, purse)| Arc::ptr_eq(purse, wanted));
            found.unwrap().0.clone()
        };
        let describe = |(digest, key): (&KeyDigest, &Arc<Key>)| {
            let holders = key.purses.as_ref().map(|purses| purses.iter().map(find_holder).collect::<Vec<_>>());
            if let Some(holders) = &holders {
                assert!(holders.len() == 2 && holders[0] == holders[1], "one purse for each currency: {holders:?}");
            }
            (format!("{:02x}{:02x}", digest[0], digest[1]), holders.map(|mut holders| holders.remove(0)))
        };
        snapshot.keys.iter().map(describe).collect()
    }

    #[derive(Default)]
    struct Purses {
        made: Vec<(String, Arc<Purse>)>,
    }

    impl LivingSource for Purses {
        fn find_replica(&mut self, id: &str, row: ReplicaRow, profile: EngineProfile, facts: Facts) -> Arc<Replica> {
            NewReplicas.find_replica(id, row, profile, facts)
        }

        fn find_meter(&mut self, _limit_id: &str) -> Arc<Meter> {
            Arc::default()
        }

        fn find_purse(&mut self, holder_id: &str, currency: Currency) -> Arc<Purse> {
            let purse = Arc::new(Purse::new(currency, Arc::default()));
            self.made.push((holder_id.to_owned(), Arc::clone(&purse)));
            purse
        }

        fn find_times(&mut self, _model: &str) -> Arc<ModelTimes> {
            Arc::default()
        }
    }

    /// The golden snapshot with whoever is named budgeted, and nobody else; the second organization is prepaid.
    fn budget(holder_ids: &[&str]) -> Vec<u8> {
        let mut snapshot: serde_json::Value = serde_json::from_slice(GOLDEN).unwrap();
        for table in ["organizations", "projects", "keys"] {
            for (id, row) in snapshot["tables"][table].as_object_mut().unwrap() {
                row["is_budgeted"] = holder_ids.contains(&id.as_str()).into();
            }
        }
        snapshot.to_string().into_bytes()
    }

    #[test]
    fn the_finest_that_is_budgeted_pays_for_a_call() {
        const DEVELOPER: &str = "019ab000-0003-7000-8000-000000000001";
        const NARROW: &str = "019ab000-0003-7000-8000-000000000002";
        const NARROW_PROJECT: &str = "019ab000-0002-7000-8000-000000000002";
        const PREPAID: &str = "019ab000-0001-7000-8000-000000000002";
        const POSTPAID: &str = "019ab000-0001-7000-8000-000000000001";
        let digests: BTreeMap<String, String> = {
            let snapshot: serde_json::Value = serde_json::from_slice(GOLDEN).unwrap();
            let rows = snapshot["tables"]["keys"].as_object().unwrap().clone();
            rows.into_iter().map(|(id, row)| (id, row["digest"].as_str().unwrap()[..4].to_owned())).collect()
        };
        let find = |budgeted: &[&str], key: &str| list_escrows(&budget(budgeted))[&digests[key]].clone();
        assert_eq!(find(&[], DEVELOPER), None, "nobody bounds a postpaid organization");
        assert_eq!(find(&[], NARROW).unwrap(), PREPAID);
        assert_eq!(find(&[POSTPAID], DEVELOPER).unwrap(), POSTPAID);
        assert_eq!(find(&[NARROW_PROJECT, PREPAID], NARROW).unwrap(), NARROW_PROJECT);
        assert_eq!(find(&[NARROW, NARROW_PROJECT, PREPAID], NARROW).unwrap(), NARROW);
        assert_eq!(find(&[DEVELOPER], DEVELOPER).unwrap(), DEVELOPER);
        assert_eq!(find(&[DEVELOPER], NARROW).unwrap(), PREPAID, "another key's budget is its own");
    }

    #[test]
    fn other_platforms_are_candidates_and_their_tickets_stand_for_keys() {
        const PARENT: &str = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd";
        const SIBLING: &str = "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef";
        let snapshot = parse(GOLDEN).unwrap();
        let neighbours = &snapshot.neighbours;
        assert_eq!(neighbours.find_way(SIBLING), Some((PARENT.to_owned(), Side::Parent, Verdict::Ok)));
        assert_eq!(neighbours.find_way(PARENT), Some((PARENT.to_owned(), Side::Parent, Verdict::Ok)));
        assert_eq!(neighbours.find_way(PLATFORM), None);
        let place = Place { host: "coast.example".to_owned(), port: 8443 };
        assert_eq!(neighbours.list_addresses(), [(SIBLING.to_owned(), place)]);
        let model = &snapshot.models["tiny-8b"];
        let offers: Vec<_> =
            model.list_offers().map(|(replica, offer)| (&*offer.platform_name, replica.row.verdict)).collect();
        assert_eq!(offers, [("nation", Verdict::Unknown), ("coast", Verdict::Ok)]);
        let (coast, offer) = model.list_offers().nth(1).unwrap();
        let fact = |fact| coast.facts.get(fact).map(|known| known.values.join(","));
        assert_eq!(fact(Fact::Platform).as_deref(), Some(SIBLING));
        assert_eq!((fact(Fact::Region).as_deref(), fact(Fact::Vendor).as_deref()), (Some("CN-SH"), Some("Huawei")));
        assert_eq!((fact(Fact::Site), offer.price.choose_nano(TokenClass::Output)), (None, Ok(8)));
        assert_eq!(model.replicas[0].facts.get(Fact::Platform).unwrap().values, [PLATFORM]);
        let spending = neighbours.find_spending("019ab000-0001-7000-8000-000000000001", SIBLING).unwrap();
        assert_eq!(spending.id, "019ab000-000b-7000-8000-000000000001");
        let ticket = &neighbours.tickets["019ab000-000b-7000-8000-000000000002"];
        assert_eq!((neighbours.tickets.len(), ticket.home_id.as_str()), (1, SIBLING));
        let sold = &ticket.models["tiny-8b"];
        assert_eq!(sold.price.choose_nano(TokenClass::Output), Ok(8));
        assert_eq!((sold.replicas.len(), sold.list_offers().count()), (1, 0), "a guest is passed on to nobody");
        assert!(!ticket.models.contains_key("smollm2-135m-instruct"), "no price is pinned");
    }

    #[test]
    fn a_platform_without_a_row_or_a_way_takes_no_calls() {
        let lost = parse(&change("\"next_hop\": \"cdcd", "\"next_hop\": \"0000")).unwrap();
        assert!(lost.neighbours.find_way(&"ef".repeat(32)).is_none());
        let odd = parse(&change("\"side\": \"parent\"", "\"side\": \"cousin\"")).unwrap();
        assert_eq!((odd.unusable_rows, odd.neighbours.sides.len()), (1, 0));
        let priceless =
            parse(&change("\"price_id\": \"019ab000-000a-7000-8000-000000000003\"", "\"price_id\": \"x\"")).unwrap();
        assert_eq!((priceless.unusable_rows, priceless.models["tiny-8b"].list_offers().count()), (1, 1));
    }

    #[test]
    fn what_an_older_platform_did_not_write_has_its_default() {
        let snapshot = parse(OLDER).unwrap();
        assert_eq!((snapshot.version, snapshot.unusable_rows), (17, 0));
        assert_eq!(snapshot.keys.values().filter(|key| key.can_call).count(), 2);
        let model = &snapshot.models["smollm2-135m-instruct"];
        assert!(model.replicas.iter().all(|replica| replica.row.upstream.is_reachable()));
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
        assert_eq!(parse(&change("\"currency\": \"JPY\"", "\"currency\": \"yen\"")).unwrap().models.len(), 1);
        for digest in ["zz23", "+a23"] {
            let text = change("\"digest\": \"8a23", &format!("\"digest\": \"{digest}"));
            assert_eq!(parse(&text).unwrap().keys.len(), 2, "{digest}");
        }
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
