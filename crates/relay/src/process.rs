//! One gateway in one process: opened, fed with snapshots, started, drained, stopped. What the Python shell holds.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::gateway::Gateway;
use crate::health::format_stats;
use crate::listener::{Certificates, Listening, accept_connections};
use crate::options::Options;
use crate::record::format_batch;
use crate::spool::{Cursor, Spool};

const BACKLOG: u32 = 1_024;
const SWEEP_TIME: Duration = Duration::from_secs(1);
const DRAIN_LOOK_TIME: Duration = Duration::from_millis(10);
/// How long connections without a call get to close: a client may hold one with half a request.
const CLOSE_TIME: Duration = Duration::from_secs(1);
/// How long tasks get to notice that the runtime ends.
const STOP_TIME: Duration = Duration::from_secs(2);

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
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    runtime: Runtime,
    draining: watch::Sender<bool>,
    address: SocketAddr,
}

impl Relay {
    /// Opens the spool; starts nothing.
    pub fn open(options: Options) -> Result<Self, RelayFault> {
        let spool = Spool::open(&options.spool_directory, options.limits.spool_bytes_max)
            .map_err(|fault| RelayFault::System(format!("spool_directory: {fault}")))?;
        Ok(Self { gateway: Arc::new(Gateway::new(options, spool)), running: Mutex::new(None) })
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a snapshot in force, or fails and changes nothing.
    pub fn load_snapshot(&self, snapshot: &[u8]) -> Result<(), RelayFault> {
        self.gateway.load_snapshot(snapshot).map_err(RelayFault::Invalid)
    }

    /// Binds and serves on threads of its own. Port 0 takes a free one. Needs a snapshot (D2).
    pub fn start(&self) -> Result<SocketAddr, RelayFault> {
        let mut running = self.running();
        if let Some(running) = &*running {
            return Ok(running.address);
        }
        if self.gateway.snapshot().is_none() {
            return Err(RelayFault::Invalid("a snapshot must be loaded before start".to_owned()));
        }
        let certificates = self.gateway.options.certificate.clone().map(Certificates::load).transpose();
        let certificates = certificates.map_err(RelayFault::Invalid)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(self.gateway.options.worker_threads)
            .thread_name("keisan-relay")
            .enable_all()
            .build()
            .map_err(|fault| RelayFault::System(format!("threads: {fault}")))?;
        let (draining, receiver) = watch::channel(false);
        let listening = Arc::new(Listening { gateway: Arc::clone(&self.gateway), certificates, draining: receiver });
        let address = runtime
            .block_on(start_serving(listening))
            .map_err(|fault| RelayFault::System(format!("listen_host, listen_port: {fault}")))?;
        *running = Some(Running { runtime, draining, address });
        Ok(address)
    }

    /// Returns synced records behind the cursor, and the cursor behind them as opaque text.
    pub fn read_spool(&self, records_max: usize) -> Result<(Vec<Vec<u8>>, String), RelayFault> {
        let (payloads, cursor) =
            self.gateway.spool.read(records_max).map_err(|fault| RelayFault::System(format!("spool: {fault}")))?;
        Ok((payloads, cursor.format()))
    }

    /// Returns the same records as the body of one upload, how many they are, and the cursor behind them.
    pub fn read_batch(&self, records_max: usize) -> Result<(Vec<u8>, usize, String), RelayFault> {
        let (payloads, cursor) = self.read_spool(records_max)?;
        Ok((format_batch(&payloads), payloads.len(), cursor))
    }

    /// Records that all before the cursor was taken; segments behind it go.
    pub fn advance_spool(&self, cursor: &str) -> Result<(), RelayFault> {
        let cursor = Cursor::parse(cursor)
            .ok_or_else(|| RelayFault::Invalid("cursor: expected one that read_spool gave".to_owned()))?;
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

    /// Stops accepting, waits for open calls and for their connections to close. Returns whether all calls ended.
    pub fn drain(&self, timeout: Duration) -> bool {
        self.gateway.is_draining.store(true, Ordering::Relaxed);
        if let Some(running) = &*self.running() {
            running.draining.send_replace(true);
        }
        let until = Instant::now() + timeout;
        let mut close_until = Instant::now() + CLOSE_TIME;
        loop {
            let now = Instant::now();
            let is_done = self.gateway.open_calls.load(Ordering::Acquire) == 0;
            let is_closed = self.gateway.open_connections.load(Ordering::Acquire) == 0;
            // A call ends when its last bytes are handed to the socket; closing the connection sends them.
            if !is_done {
                close_until = now + CLOSE_TIME;
            }
            if now >= until || (is_done && (is_closed || now >= close_until)) {
                return is_done;
            }
            std::thread::sleep(DRAIN_LOOK_TIME);
        }
    }

    /// Ends all threads. Open calls are abandoned, each with its record.
    pub fn stop(&self) {
        let running = self.running().take();
        if let Some(running) = running {
            running.draining.send_replace(true);
            running.runtime.shutdown_timeout(STOP_TIME);
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

async fn start_serving(listening: Arc<Listening>) -> std::io::Result<SocketAddr> {
    let gateway = Arc::clone(&listening.gateway);
    let place = (gateway.options.listen_host.as_str(), gateway.options.listen_port);
    let mut addresses = tokio::net::lookup_host(place).await?;
    let address = addresses.next().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let bound = listener.local_addr()?;
    if let Some(certificates) = &listening.certificates {
        tokio::spawn(Arc::clone(certificates).watch());
    }
    tokio::spawn(sweep_pools(Arc::clone(&gateway)));
    tokio::spawn(accept_connections(listener, listening));
    Ok(bound)
}

async fn sweep_pools(gateway: Arc<Gateway>) {
    loop {
        tokio::time::sleep(SWEEP_TIME).await;
        gateway.sweep_pools();
    }
}
