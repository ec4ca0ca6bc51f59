//! Calls between platforms, gateway to gateway: HTTP/2 over mutual TLS, a block of what each call says of itself, and who
//! may ask what of whom by the certificate that it shows. The child dials, and serves what its parent asks on what it dialled.
//! Where a call goes is decided by `keisan_route::decide_forward`.

mod answer;
mod awake_time;
mod call_block;
mod credentials;
mod hearing;
mod keeper;
mod link;
mod listen;
mod pass;
mod repeats;
mod stats;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::header::HeaderName;
use listen::Listened;
use tokio::sync::watch;

use crate::gateway::Gateway;

pub use answer::answer_peer;
pub use call_block::{CALL_BLOCK, CallBlock};
pub use credentials::{CredentialFiles, Credentials};
pub use link::{Link, LinkBody, LinkBook, LinkStream};
pub use repeats::Repeats;
pub use stats::{LinkView, list_links};

/// Marks an answer that says why a call was not served, with the code: not a byte of it is an engine's.
pub const CALL_CODE: HeaderName = HeaderName::from_static("keisan-call-code");
/// Asked in place of a call, along the same way, to measure how far a platform is.
pub const ECHO_PATH: &str = "/keisan/echo";
/// What stands for a platform in a request's address; who it is, its certificate says.
pub const AUTHORITY: &str = "platform.keisan";

/// A connection whose other side is gone without a word ends within the sum of both; it is given no other call much sooner
/// (`hearing`), for which it is pinged this often.
const PING_TIME: Duration = Duration::from_secs(1);
const PING_TIMEOUT: Duration = Duration::from_secs(6);
/// How long a handshake may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// What a call may bind on each connection that it passes, as at a door (`door_pool`).
const ANSWER_WINDOW_BYTES: u32 = 64 * 1024;
const REQUEST_WINDOW_BYTES: u32 = 1 << 20;
/// Calls that share a connection.
pub const STREAMS_MAX: u32 = 256;

/// What the record of a call that crossed says of it at both ends: whose customer's it is, who serves it, what pays for it.
#[derive(Clone, Copy, Debug)]
pub struct Crossing<'a> {
    pub home: &'a str,
    pub serving: &'a str,
    pub ticket: &'a str,
}

/// The platforms that this gateway is connected with, and what it shows them.
#[derive(Debug)]
pub struct Federation {
    pub links: LinkBook,
    pub repeats: Repeats,
    /// None: this gateway speaks with no other platform.
    pub credentials: Option<Arc<Credentials>>,
    /// Where children and siblings come in.
    pub address: OnceLock<SocketAddr>,
    draining: watch::Sender<bool>,
}

impl Federation {
    pub fn new(files: Option<&CredentialFiles>) -> Self {
        Self {
            links: LinkBook::default(),
            repeats: Repeats::default(),
            credentials: files.map(|files| Arc::new(Credentials::new(files.clone()))),
            address: OnceLock::new(),
            draining: watch::channel(false).0,
        }
    }

    /// Connections end with the calls on them, and no other call is taken.
    pub fn begin_draining(&self) {
        self.draining.send_replace(true);
    }

    fn watch_draining(&self) -> watch::Receiver<bool> {
        self.draining.subscribe()
    }
}

/// Runs on the gateway's threads: listens if it is to, and keeps connections to parents and to platforms that give an address.
pub fn start_federation(gateway: &Arc<Gateway>) -> std::io::Result<()> {
    let Some(options) = &gateway.options.federation else { return Ok(()) };
    let Some(credentials) = &gateway.federation.credentials else { return Ok(()) };
    let listened = options.listen.as_ref().map(Listened::bind).transpose()?;
    tokio::spawn(Arc::clone(&gateway.federation.links.awake).keep());
    tokio::spawn(Arc::clone(credentials).watch());
    if let Some(listened) = listened {
        let _ = gateway.federation.address.set(listened.address);
        tokio::spawn(listen::accept_peers(listened, Arc::clone(gateway)));
    }
    tokio::spawn(keeper::keep_platforms(Arc::clone(gateway), options.parents.clone()));
    tokio::spawn(keeper::measure_distances(Arc::clone(gateway)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::parse_options;
    use crate::spool::Spool;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn the_time_that_a_gateway_is_awake_runs_once_it_has_begun() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let options = serde_json::json!({"gateway_id": "g", "platform_id": "p", "incarnation": "i",
            "listen_host": "127.0.0.1", "listen_port": 0, "spool_directory": path("spool"),
            "federation": {"certificate_path": path("c"), "certificate_key_path": path("k"), "ca_path": path("a"),
                "listen": null, "parents": []}});
        let options = parse_options(&options.to_string()).unwrap();
        let spool = Spool::open(&options.spool_directory, options.limits.spool_bytes_max).unwrap();
        let gateway = Arc::new(Gateway::new(options, spool));
        start_federation(&gateway).unwrap();
        tokio::time::sleep(2 * SECOND).await;
        assert!(gateway.federation.links.awake.read() > SECOND);
    }
}
