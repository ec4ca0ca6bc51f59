//! Idle HTTP/1.1 connections to one replica (R14): newest first, dropped before the engine would.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::upstream::Sender;

/// A connection and how often it was used.
#[derive(Debug)]
pub struct Connection {
    pub sender: Sender,
    pub requests: u64,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

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

#[derive(Debug, Default)]
pub struct Pool {
    idle: Mutex<Vec<Idle>>,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the connection used last, if it is still good.
    pub fn take(&self, lifetime: Lifetime) -> Option<Connection> {
        let mut idle = self.lock();
        while let Some(entry) = idle.pop() {
            if entry.since.elapsed() < lifetime.idle_max && !entry.connection.sender.is_closed() {
                return Some(entry.connection);
            }
        }
        None
    }

    /// Gives back a connection whose answer was read to the end.
    pub fn give(&self, mut connection: Connection, lifetime: Lifetime) {
        connection.requests += 1;
        let is_worn = connection.requests >= lifetime.requests_max || lifetime.idle_max.is_zero();
        if !is_worn && !connection.sender.is_closed() {
            self.lock().push(Idle { connection, since: Instant::now() });
        }
    }

    /// Closes what has been idle too long.
    pub fn sweep(&self, lifetime: Lifetime) {
        self.lock().retain(|entry| entry.since.elapsed() < lifetime.idle_max && !entry.connection.sender.is_closed());
    }
}
