//! A listener on threads of its own: how it starts, drains and ends. A gateway and a door serve alike.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::listener::{Host, Listening, accept_connections};
use crate::options::ListenOptions;
use crate::process::RelayFault;
use crate::tls::Certificates;

const BACKLOG: u32 = 1_024;
const DRAIN_LOOK_TIME: Duration = Duration::from_millis(10);
/// How long connections without a call get to close: a client may hold one with half a request.
const CLOSE_TIME: Duration = Duration::from_secs(1);
/// How long tasks get to notice that the runtime ends.
const STOP_TIME: Duration = Duration::from_secs(2);

/// A host that serves.
#[derive(Debug)]
pub struct Serving {
    pub address: SocketAddr,
    runtime: Runtime,
    draining: watch::Sender<bool>,
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
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(options.worker_threads)
            .thread_name(thread_name)
            .enable_all()
            .build()
            .map_err(|fault| RelayFault::System(format!("threads: {fault}")))?;
        let (draining, receiver) = watch::channel(false);
        let listener = runtime
            .block_on(listen(options, host.bounds().client_idle_timeout_s))
            .map_err(|fault| RelayFault::System(format!("listen_host, listen_port: {fault}")))?;
        let address = listener.local_addr().map_err(|fault| RelayFault::System(format!("listen_host: {fault}")))?;
        {
            let _inside = runtime.enter();
            start_tasks();
        }
        if let Some(certificates) = &certificates {
            runtime.spawn(Arc::clone(certificates).watch());
        }
        let listening = Arc::new(Listening { host, certificates, draining: receiver });
        runtime.spawn(accept_connections(listener, listening));
        Ok(Self { address, runtime, draining })
    }

    /// Stops accepting; connections end with their calls.
    pub fn begin_draining(&self) {
        self.draining.send_replace(true);
    }

    /// Ends all threads.
    pub fn stop(self) {
        self.begin_draining();
        self.runtime.shutdown_timeout(STOP_TIME);
    }
}

/// Waits for open calls and for their connections to close. Returns whether all calls ended.
pub fn wait_for_end(open_calls: &AtomicU64, open_connections: &AtomicU64, timeout: Duration) -> bool {
    let until = Instant::now() + timeout;
    let mut close_until = Instant::now() + CLOSE_TIME;
    loop {
        let now = Instant::now();
        let is_done = open_calls.load(Ordering::Acquire) == 0;
        let is_closed = open_connections.load(Ordering::Acquire) == 0;
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

async fn listen(options: &ListenOptions, client_idle_timeout_s: u64) -> std::io::Result<TcpListener> {
    let mut addresses = tokio::net::lookup_host((options.host.as_str(), options.port)).await?;
    let address = addresses.next().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    // Every accepted connection inherits it. The system itself then ends one whose client acknowledges nothing, or
    // leaves its window closed, for so long; the calls on it see their bodies dropped.
    let timeout_ms = u32::try_from(client_idle_timeout_s * 1_000).unwrap_or(u32::MAX);
    set_tcp_user_timeout(&socket, timeout_ms)?;
    socket.listen(BACKLOG)
}
