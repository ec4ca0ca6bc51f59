//! What all calls of a gateway share: options, the current snapshot, replicas, the spool, counters.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use keisan_route::{Code, Facts, Refusal};
use ring::rand::{SecureRandom, SystemRandom};

use crate::cork::Cork;
use crate::credit::CreditBook;
use crate::currency::Currency;
use crate::door_pool::{DoorKey, DoorPool};
use crate::federation::{Federation, LinkBook};
use crate::limiter::{Meter, Moment};
use crate::metrics::Metrics;
use crate::model_times::{ModelBook, ModelTimes};
use crate::options::{Limits, Options};
use crate::pool::{PlatformWay, Pool};
use crate::purse::Purse;
use crate::record::write_first_part;
use crate::replica::{Replica, Station};
use crate::snapshot::{EngineProfile, LivingSource, ReplicaRow, Snapshot, parse_snapshot};
use crate::spool::{Part, Spool};
use crate::tls::Roots;
use crate::trace::Tracer;
use crate::upstream::Upstream;

/// The state of one gateway process.
#[derive(Debug)]
pub struct Gateway {
    pub options: Options,
    pub record_part: Part,
    pub spool: Arc<Spool>,
    pub cork: Cork,
    pub metrics: Metrics,
    pub tracer: Tracer,
    pub credit: CreditBook,
    pub started: Instant,
    pub is_draining: AtomicBool,
    pub open_calls: AtomicU64,
    pub open_connections: AtomicU64,
    pub turn: AtomicUsize,
    /// Begins every chain of prompt hashes, so that nobody outside can make two prompts look alike.
    pub prompt_secret: u64,
    /// What certificates of doors are checked against.
    pub roots: Arc<Roots>,
    pub federation: Federation,
    snapshot: ArcSwapOption<Snapshot>,
    stations: Mutex<HashMap<String, (Upstream, Arc<Station>)>>,
    request_bytes: AtomicU64,
}

impl Gateway {
    pub fn new(options: Options, spool: Arc<Spool>) -> Self {
        let roots = Arc::new(Roots::new(options.upstream_ca_path.clone()));
        let record_part =
            write_first_part(&[("platform_id", &options.platform_id), ("gateway_id", &options.gateway_id)]);
        let started = Instant::now();
        Self {
            record_part,
            tracer: Tracer::new(options.trace_sample_ppm),
            cork: Cork::new(options.listen.worker_threads),
            federation: Federation::new(options.federation.as_ref().map(|federation| &federation.files)),
            options,
            spool,
            metrics: Metrics::default(),
            credit: CreditBook::new(started),
            started,
            is_draining: AtomicBool::new(false),
            open_calls: AtomicU64::new(0),
            open_connections: AtomicU64::new(0),
            turn: AtomicUsize::new(0),
            prompt_secret: create_secret(),
            roots,
            snapshot: ArcSwapOption::empty(),
            stations: Mutex::new(HashMap::new()),
            request_bytes: AtomicU64::new(0),
        }
    }

    pub const fn limits(&self) -> &Limits {
        &self.options.limits
    }

    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// Reads a snapshot and makes it the current one; open calls keep the one they were admitted under.
    ///
    /// Fails, changing nothing, if it does not parse or goes back within its incarnation (R10).
    pub fn load_snapshot(&self, bytes: &[u8]) -> Result<(), String> {
        let mut stations = self.stations.lock().unwrap_or_else(PoisonError::into_inner);
        let mut registry =
            Registry::new((&self.credit, &self.metrics.models), &stations, (&self.roots, &self.federation.links));
        let snapshot = parse_snapshot(bytes, &self.options.platform_id, &mut registry)?;
        if let Some(current) = self.snapshot()
            && current.incarnation == snapshot.incarnation
            && snapshot.version < current.version
        {
            return Err(format!("snapshot: expected version {} or later, got {}", current.version, snapshot.version));
        }
        let mut current = registry.new;
        for replica in snapshot.models.values().flat_map(|model| &model.replicas) {
            replica.station.set_slots(replica.row.slots);
            if let (Pool::Door(door), Some(pass)) = (&replica.station.pool, &replica.row.door_pass) {
                door.set_pass(pass);
            }
        }
        std::mem::swap(&mut *stations, &mut current);
        self.snapshot.store(Some(Arc::new(snapshot)));
        self.credit.sweep();
        self.metrics.models.sweep();
        Ok(())
    }

    /// Closes connections that have been idle too long.
    pub fn sweep_pools(&self) {
        if let Some(snapshot) = self.snapshot() {
            for replica in snapshot.models.values().flat_map(|model| &model.replicas) {
                replica.station.pool.sweep(replica.lifetime());
            }
        }
    }

    pub fn count_request_bytes(&self) -> u64 {
        self.request_bytes.load(Ordering::Relaxed)
    }

    /// Books bytes of a request body that is held in memory.
    pub fn book_request_bytes(self: &Arc<Self>, bytes: u64) -> Result<RequestBytes, Refusal> {
        let mut booked = RequestBytes { gateway: Arc::clone(self), bytes: 0 };
        booked.grow(bytes)?;
        Ok(booked)
    }

    /// Time since the start, by the clock that no one sets.
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// What limits are measured by, now.
    pub fn moment(&self) -> Moment {
        self.credit.shares.moment()
    }

    /// How long a call waits for the platform's word on credit or on a share.
    pub const fn credit_wait(&self) -> Duration {
        Duration::from_millis(self.limits().credit_wait_ms)
    }

    pub fn stream_idle_timeout(&self) -> Duration {
        Duration::from_secs(self.limits().stream_idle_timeout_s)
    }

    pub fn first_byte_timeout(&self) -> Duration {
        Duration::from_secs(self.limits().first_byte_timeout_s)
    }

    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }
}

fn create_secret() -> u64 {
    let mut bytes = [0; 8];
    // The system's source fails only before it was ever seeded, at boot.
    SystemRandom::new().fill(&mut bytes).expect("the system has random numbers");
    u64::from_le_bytes(bytes)
}

/// Finds stations by replica id; one that moved to another upstream starts anew.
struct Registry<'a> {
    credit: &'a CreditBook,
    models: &'a ModelBook,
    old: &'a HashMap<String, (Upstream, Arc<Station>)>,
    new: HashMap<String, (Upstream, Arc<Station>)>,
    doors: HashMap<DoorKey, Arc<DoorPool>>,
    roots: &'a Arc<Roots>,
    links: &'a LinkBook,
}

impl<'a> Registry<'a> {
    fn new(
        (credit, models): (&'a CreditBook, &'a ModelBook),
        old: &'a HashMap<String, (Upstream, Arc<Station>)>,
        (roots, links): (&'a Arc<Roots>, &'a LinkBook),
    ) -> Self {
        let mut doors = HashMap::new();
        for (_, station) in old.values() {
            if let Pool::Door(door) = &station.pool {
                doors.entry(door.key.clone()).or_insert_with(|| Arc::clone(door));
            }
        }
        Self { credit, models, old, new: HashMap::new(), doors, roots, links }
    }

    /// Replicas behind one door share its connections, from snapshot to snapshot.
    fn find_pool(&mut self, row: &ReplicaRow) -> Pool {
        let place = match &row.upstream {
            Upstream::Door { place, .. } => place,
            Upstream::Platform { platform_id, next_hop } => {
                let hop = next_hop.as_ref().map(|hop| self.links.find(hop));
                return Pool::Platform(PlatformWay { own: self.links.find(platform_id), hop });
            }
            Upstream::Unix { .. } | Upstream::Unknown => return Pool::default(),
        };
        let key = DoorKey { site_id: row.site_id.clone(), place: place.clone() };
        let door = self.doors.entry(key.clone());
        let door = door.or_insert_with(|| Arc::new(DoorPool::new(key, Arc::clone(self.roots))));
        Pool::Door(Arc::clone(door))
    }
}

impl LivingSource for Registry<'_> {
    fn find_replica(&mut self, id: &str, row: ReplicaRow, profile: EngineProfile, facts: Facts) -> Arc<Replica> {
        let station = match self.old.get(id) {
            Some((upstream, station)) if *upstream == row.upstream => Arc::clone(station),
            _ => Arc::new(Station::new(row.slots, self.find_pool(&row))),
        };
        self.new.insert(id.to_owned(), (row.upstream.clone(), Arc::clone(&station)));
        Arc::new(Replica::new(id, row, (facts, profile), station))
    }

    fn find_meter(&mut self, limit_id: &str) -> Arc<Meter> {
        self.credit.shares.find_meter(limit_id)
    }

    fn find_purse(&mut self, holder_id: &str, currency: Currency) -> Arc<Purse> {
        self.credit.find_purse(holder_id, currency)
    }

    fn find_times(&mut self, model: &str) -> Arc<ModelTimes> {
        self.models.find(model)
    }
}

/// Bytes of a request in memory; free again when dropped.
#[derive(Debug)]
pub struct RequestBytes {
    gateway: Arc<Gateway>,
    bytes: u64,
}

impl RequestBytes {
    pub fn grow(&mut self, bytes: u64) -> Result<(), Refusal> {
        let most = self.gateway.limits().request_bytes_in_flight_max;
        let booked = self.gateway.request_bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
            now.checked_add(bytes).filter(|total| *total <= most)
        });
        if booked.is_err() {
            return Err(Refusal::new(Code::RequestBytesFull, "too many request bytes are in flight; try again soon"));
        }
        self.bytes += bytes;
        Ok(())
    }

    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for RequestBytes {
    fn drop(&mut self) {
        self.gateway.request_bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}
