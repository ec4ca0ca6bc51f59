//! Connections to a replica (R14): its own, idle and newest first, dropped before the engine would; or those to its door.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::connection::{Connection, Source};
use crate::cork::Cork;
use crate::dial::{DialFault, connect_engine};
use crate::door_pool::DoorPool;
use crate::federation::{Link, LinkStream};
use crate::http1::EngineConnection;
use crate::upstream::Upstream;

/// How long and how often a connection may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// One second less than the engine's own limit; zero keeps nothing.
    pub idle_max: Duration,
    pub requests_max: u64,
}

impl Lifetime {
    pub fn new(idle_connection_s: u64, requests_per_connection_max: u64) -> Self {
        Self {
            idle_max: Duration::from_secs(idle_connection_s.saturating_sub(1)),
            requests_max: requests_per_connection_max,
        }
    }
}

#[derive(Debug)]
pub enum Pool {
    Engine(IdleConnections),
    /// Shared by all replicas behind the door.
    Door(Arc<DoorPool>),
    /// Shared by all calls to the platform, and by those through it.
    Platform(PlatformWay),
}

/// A platform's own link, and that of the neighbour which it lies behind.
#[derive(Debug)]
pub struct PlatformWay {
    pub own: Arc<Link>,
    pub hop: Option<Arc<Link>>,
}

impl PlatformWay {
    fn is_open(&self) -> bool {
        self.own.is_up() || self.hop.as_ref().is_some_and(|hop| hop.is_up())
    }

    fn take(&self) -> Option<LinkStream> {
        self.own.take().or_else(|| self.hop.as_ref()?.take())
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::Engine(IdleConnections::default())
    }
}

impl Pool {
    /// Takes a connection that was used before, if there is a good one.
    pub fn take(&self, lifetime: Lifetime) -> Option<Connection> {
        match self {
            Self::Engine(idle) => idle.take(lifetime).map(Connection::Engine),
            Self::Door(door) => door.take().map(Connection::Door),
            // Never twice: what was sent there may have been served.
            Self::Platform(_) => None,
        }
    }

    /// Opens a connection, or shares one to the door that others have just opened.
    pub async fn open(&self, upstream: &Upstream, timeout: Duration, cork: &Cork) -> Result<Connection, DialFault> {
        match (self, upstream) {
            (Self::Engine(_), Upstream::Unix { path }) => {
                let stream = connect_engine(path, timeout).await?;
                Ok(Connection::Engine(EngineConnection::new(stream, cork.clone())))
            }
            // Apart from the call: handshakes are rare, and half of a call's own state would be room for theirs.
            (Self::Door(door), Upstream::Door { .. }) => Box::pin(door.open(timeout)).await.map(Connection::Door),
            (Self::Platform(way), Upstream::Platform { .. }) => {
                way.take().map(Connection::Platform).ok_or(DialFault::Unreachable)
            }
            _ => Err(DialFault::Other),
        }
    }

    /// Gives back a connection whose answer was read to the end.
    pub fn give(&self, source: Source, lifetime: Lifetime) {
        match (self, source) {
            (Self::Engine(idle), Source::Engine(connection)) => idle.give(connection, lifetime),
            // A stream ends; the connection it was on never left.
            (_, source) => drop(source),
        }
    }

    /// Tells whether a connection is there, or can be dialled for when it is wanted.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Engine(_) | Self::Door(_) => true,
            Self::Platform(way) => way.is_open(),
        }
    }

    /// What the way there and back adds, as far as it was measured.
    pub fn distance_us(&self) -> u64 {
        match self {
            Self::Engine(_) | Self::Door(_) => 0,
            Self::Platform(way) => way.own.distance_us(),
        }
    }

    /// Closes what has been idle too long.
    pub fn sweep(&self, lifetime: Lifetime) {
        match self {
            Self::Engine(idle) => idle.sweep(lifetime),
            Self::Door(door) => door.sweep(),
            Self::Platform(_) => {}
        }
    }
}

#[derive(Debug)]
struct Idle {
    connection: EngineConnection,
    since: Instant,
}

impl Idle {
    fn is_good(&self, lifetime: Lifetime) -> bool {
        self.since.elapsed() < lifetime.idle_max && self.connection.is_reusable()
    }
}

#[derive(Debug, Default)]
pub struct IdleConnections(Mutex<Vec<Idle>>);

impl IdleConnections {
    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, lifetime: Lifetime) -> Option<EngineConnection> {
        let mut idle = self.lock();
        while let Some(entry) = idle.pop() {
            if entry.is_good(lifetime) {
                return Some(entry.connection);
            }
        }
        None
    }

    fn give(&self, connection: EngineConnection, lifetime: Lifetime) {
        let is_worn = connection.requests >= lifetime.requests_max || lifetime.idle_max.is_zero();
        if !is_worn && connection.is_reusable() {
            self.lock().push(Idle { connection, since: Instant::now() });
        }
    }

    fn sweep(&self, lifetime: Lifetime) {
        self.lock().retain(|entry| entry.is_good(lifetime));
    }
}
