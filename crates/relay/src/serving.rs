//! A listener on threads of its own: how it starts, drains and ends. A gateway and a door serve alike.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::handover::{offer_listener, take_listener};
use crate::listener::{Bounds, Host, Listening, accept_connections};
use crate::options::ListenOptions;
use crate::process::RelayFault;
use crate::threads::{Threads, build_runtime};
use crate::tls::Certificates;

const BACKLOG: u32 = 1_024;
const DRAIN_LOOK_TIME: Duration = Duration::from_millis(10);
/// How long connections without a call get to close: a client may hold one with half a request.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// A host that serves.
#[derive(Debug)]
pub struct Serving {
    pub address: SocketAddr,
    threads: Threads,
    draining: watch::Sender<bool>,
    accepting: AbortHandle,
    drain_idle_time: Duration,
}

impl Serving {
    /// Binds and serves. `start_tasks` runs on the new threads' runtime, before the first connection is taken.
    pub fn start<H: Host>(
        host: Arc<H>,
        options: &ListenOptions,
        thread_name: &str,
        start_tasks: impl FnOnce(),
    ) -> Result<Self, RelayFault> {
        let certificates = options.certificate.clone().map(Certificates::load).transpose();
        let certificates = certificates.map_err(RelayFault::Invalid)?;
        let blame_threads = |fault: io::Error| RelayFault::System(format!("threads: {fault}"));
        let runtime = build_runtime(options.worker_threads, thread_name).map_err(blame_threads)?;
        let (draining, receiver) = watch::channel(false);
        let bounds = host.bounds();
        let listener = runtime.block_on(listen(options, bounds))?;
        let address = listener.local_addr().map_err(|fault| RelayFault::System(format!("listen_host: {fault}")))?;
        let is_handed_over = Arc::new(AtomicBool::new(false));
        {
            let _inside = runtime.enter();
            start_tasks();
            if let Some(path) = &options.handover_path {
                let offering = offer_listener(path, &listener, Arc::clone(&is_handed_over));
                runtime.spawn(offering.map_err(|fault| blame_handover(&fault))?);
            }
        }
        let threads = Threads::drive(runtime, thread_name).map_err(blame_threads)?;
        if let Some(certificates) = &certificates {
            threads.spawn(Arc::clone(certificates).watch());
        }
        threads.spawn(host.cork().clone().run());
        let listening = Arc::new(Listening { host, certificates, draining: receiver, is_handed_over });
        let accepting = threads.spawn(accept_connections(listener, listening));
        let drain_idle_time = Duration::from_secs(bounds.drain_idle_timeout_s);
        Ok(Self { address, threads, draining, accepting, drain_idle_time })
    }

    /// Lets connections end with their calls, and soon accepts no more.
    pub fn begin_draining(&self) -> Draining {
        self.draining.send_replace(true);
        Draining { accepting: self.accepting.clone(), close_time: CLOSE_TIME + self.drain_idle_time }
    }

    /// Ends all threads.
    pub fn stop(self) {
        self.begin_draining();
        self.threads.stop();
    }
}

/// What is waited for after draining began, beside the calls.
#[derive(Debug)]
pub struct Draining {
    accepting: AbortHandle,
    close_time: Duration,
}

/// Waits for open calls and for their connections to close. Returns whether all calls ended.
pub fn wait_for_end(
    (open_calls, open_connections): (&AtomicU64, &AtomicU64),
    draining: Option<&Draining>,
    timeout: Duration,
) -> bool {
    let close_time = draining.map_or(CLOSE_TIME, |draining| draining.close_time);
    let until = Instant::now() + timeout;
    let mut close_until = Instant::now() + close_time;
    loop {
        let now = Instant::now();
        let is_accepting = draining.is_some_and(|draining| !draining.accepting.is_finished());
        let is_done = open_calls.load(Ordering::Acquire) == 0;
        let is_closed = open_connections.load(Ordering::Acquire) == 0;
        // A call ends when its last bytes are handed to the socket; closing the connection sends them.
        if !is_done || is_accepting {
            close_until = now + close_time;
        }
        if now >= until || (is_done && !is_accepting && (is_closed || now >= close_until)) {
            return is_done;
        }
        std::thread::sleep(DRAIN_LOOK_TIME);
    }
}

async fn listen(options: &ListenOptions, bounds: Bounds) -> Result<Arc<TcpListener>, RelayFault> {
    let blame_address = |fault: io::Error| RelayFault::System(format!("listen_host, listen_port: {fault}"));
    let address = find_address(options).await.map_err(blame_address)?;
    let taken = match &options.handover_path {
        Some(path) => take_listener(path).await.map_err(|fault| blame_handover(&fault))?,
        None => None,
    };
    let listener = match taken {
        Some(listener) => check_address(listener, address)?,
        None => bind(address).map_err(blame_address)?,
    };
    // Every accepted connection inherits it. The system itself then ends one whose client acknowledges nothing, or
    // leaves its window closed, for so long; the calls on it see their bodies dropped.
    let timeout_ms = u32::try_from(bounds.client_idle_timeout_s * 1_000).unwrap_or(u32::MAX);
    set_tcp_user_timeout(&listener, timeout_ms).map_err(|fault| blame_address(fault.into()))?;
    Ok(Arc::new(listener))
}

async fn find_address(options: &ListenOptions) -> io::Result<SocketAddr> {
    let mut addresses = tokio::net::lookup_host((options.host.as_str(), options.port)).await?;
    addresses.next().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A socket that was taken over listens where its maker wanted, which must be where this process is told to.
fn check_address(listener: TcpListener, wanted: SocketAddr) -> Result<TcpListener, RelayFault> {
    let found = listener.local_addr().map_err(|fault| blame_handover(&fault))?;
    if found.ip() == wanted.ip() && (wanted.port() == 0 || found.port() == wanted.port()) {
        return Ok(listener);
    }
    Err(RelayFault::Invalid(format!("handover_path: expected a process that listens on {wanted}, got one on {found}")))
}

fn blame_handover(fault: &io::Error) -> RelayFault {
    RelayFault::System(format!("handover_path: {fault}"))
}
