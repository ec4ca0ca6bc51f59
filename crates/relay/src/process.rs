//! One gateway in one process: opened, fed with snapshots, started, drained, stopped. What the Python shell holds.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::batch::{Shelf, UsageBatch};
use crate::federation::start_federation;
use crate::gateway::Gateway;
use crate::health::format_stats;
use crate::options::Options;
use crate::serving::{Serving, wait_for_end};
use crate::spool::{Cursor, Spool};
use crate::trace::{Exporter, format_spans};

const SWEEP_TIME: Duration = Duration::from_secs(1);

/// Why the relay did not do what it was asked; the text is for its operator.
#[derive(Debug, PartialEq, Eq)]
pub enum RelayFault {
    /// What was given is wrong.
    Invalid(String),
    /// The system refused.
    System(String),
}

/// A gateway that may be running.
#[derive(Debug)]
pub struct Relay {
    gateway: Arc<Gateway>,
    serving: Mutex<Option<Serving>>,
    shelf: Shelf,
}

impl Relay {
    /// Opens the spool; starts nothing.
    pub fn open(options: Options) -> Result<Self, RelayFault> {
        let spool = Spool::open(&options.spool_directory, options.limits.spool_bytes_max)
            .map_err(|fault| RelayFault::System(format!("spool_directory: {fault}")))?;
        Ok(Self { gateway: Arc::new(Gateway::new(options, spool)), serving: Mutex::new(None), shelf: Shelf::default() })
    }

    fn serving(&self) -> MutexGuard<'_, Option<Serving>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a snapshot in force, or fails and changes nothing.
    pub fn load_snapshot(&self, snapshot: &[u8]) -> Result<(), RelayFault> {
        self.gateway.load_snapshot(snapshot).map_err(RelayFault::Invalid)
    }

    /// Binds and serves on threads of its own. Port 0 takes a free one. Needs a snapshot (D2).
    pub fn start(&self) -> Result<SocketAddr, RelayFault> {
        let mut serving = self.serving();
        if let Some(serving) = &*serving {
            return Ok(serving.address);
        }
        if self.gateway.snapshot().is_none() {
            return Err(RelayFault::Invalid("a snapshot must be loaded before start".to_owned()));
        }
        self.gateway.roots.load().map_err(RelayFault::Invalid)?;
        if let Some(credentials) = &self.gateway.federation.credentials {
            credentials.load_if_there().map_err(RelayFault::Invalid)?;
        }
        let (host, mut federated) = (Arc::clone(&self.gateway), Ok(()));
        let started = Serving::start(host, &self.gateway.options.listen, "keisan-relay", || {
            tokio::spawn(Arc::clone(&self.gateway.roots).watch());
            tokio::spawn(sweep_pools(Arc::clone(&self.gateway)));
            federated = start_federation(&self.gateway);
        })?;
        if let Err(fault) = federated {
            started.stop();
            return Err(RelayFault::System(format!("federation.listen: {fault}")));
        }
        Ok(serving.insert(started).address)
    }

    /// Returns synced records behind the cursor as the body of one upload.
    pub fn read_batch(&self, records_max: usize) -> Result<UsageBatch, RelayFault> {
        let spool = &self.gateway.spool;
        let backlog = usize::try_from(spool.state().backlog_records).unwrap_or(records_max);
        let mut batch = UsageBatch::open(&self.shelf, backlog.min(records_max));
        let (count, cursor) = spool
            .read(records_max, |spooled| batch.put(&spooled))
            .map_err(|fault| RelayFault::System(format!("spool: {fault}")))?;
        (batch.count, batch.cursor) = (count, cursor.format());
        Ok(batch)
    }

    /// Records that all before the cursor was taken; segments behind it go.
    pub fn advance_spool(&self, cursor: &str) -> Result<(), RelayFault> {
        let cursor = Cursor::parse(cursor)
            .ok_or_else(|| RelayFault::Invalid("cursor: expected one that read_batch gave".to_owned()))?;
        self.gateway.spool.advance(cursor).map_err(|fault| match fault.kind() {
            std::io::ErrorKind::InvalidInput => RelayFault::Invalid(format!("cursor: {fault}")),
            _ => RelayFault::System(format!("spool: {fault}")),
        })
    }

    /// Waits until a call needs credit before the next exchange is due; tells whether one does.
    pub fn wait_credit(&self, timeout: Duration) -> bool {
        self.gateway.credit.bell.wait(timeout)
    }

    /// What this gateway holds and wants, as JSON for the platform.
    pub fn report_credit(&self) -> String {
        self.gateway.credit.report(&self.gateway.options.incarnation)
    }

    /// Takes the platform's answer to a report, or fails and changes nothing.
    pub fn apply_credit(&self, answer: &str) -> Result<(), RelayFault> {
        self.gateway.credit.apply(answer).map_err(RelayFault::Invalid)
    }

    /// Takes the oldest spans that wait, as the body of one export; nothing if none does.
    pub fn take_spans(&self, spans_max: usize) -> Vec<u8> {
        let Options { gateway_id, platform_id, .. } = &self.gateway.options;
        format_spans(Exporter { gateway_id, platform_id }, &self.gateway.tracer.take(spans_max))
    }

    /// Soon accepts no more, waits for open calls and for their connections to close. Returns whether all calls ended.
    pub fn drain(&self, timeout: Duration) -> bool {
        self.gateway.is_draining.store(true, Ordering::Relaxed);
        self.gateway.federation.begin_draining();
        let draining = self.serving().as_ref().map(Serving::begin_draining);
        wait_for_end((&self.gateway.open_calls, &self.gateway.open_connections), draining.as_ref(), timeout)
    }

    /// Ends all threads and lets go of the spool. Open calls are abandoned, each with its record.
    pub fn stop(&self) {
        let serving = self.serving().take();
        if let Some(serving) = serving {
            serving.stop();
        }
        self.gateway.spool.close();
    }

    /// Counters and states as JSON.
    pub fn stats(&self) -> String {
        format_stats(&self.gateway)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn sweep_pools(gateway: Arc<Gateway>) {
    loop {
        tokio::time::sleep(SWEEP_TIME).await;
        gateway.sweep_pools();
    }
}
