//! Opening connections: to engines' sockets, and why one to an engine or a door could not be opened.

use std::io;
use std::path::Path;
use std::time::Duration;

use hyper::body::Body;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::Instant;

use crate::metrics::{Counter, Text};

/// A whole head of an engine's answer fits; a body passes through in pieces of at most this.
const READ_BYTES_MAX: usize = 64 * 1024;
/// How long until a full backlog is tried again: doubled each time, because an engine that is behind stays so for a while.
const BACKLOG_PAUSE_MIN: Duration = Duration::from_millis(1);
const BACKLOG_PAUSE_MAX: Duration = Duration::from_millis(50);

/// Why a connection could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialFault {
    /// There is no socket at the path: the engine has not begun, or the gateway is on another host.
    NoSocket,
    /// Nobody listens.
    Refused,
    /// The engine accepts too slowly: its backlog was full until the time was over.
    BacklogFull,
    Timeout,
    /// This process may not.
    Denied,
    /// No name, no route, no network.
    Unreachable,
    /// The door's certificate is not trusted, or its trust cannot be read.
    Untrusted,
    /// The door does not speak HTTP/2.
    Protocol,
    Other,
}

impl DialFault {
    pub const ALL: [Self; 9] = [
        Self::NoSocket,
        Self::Refused,
        Self::BacklogFull,
        Self::Timeout,
        Self::Denied,
        Self::Unreachable,
        Self::Untrusted,
        Self::Protocol,
        Self::Other,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSocket => "no_socket",
            Self::Refused => "refused",
            Self::BacklogFull => "backlog_full",
            Self::Timeout => "timeout",
            Self::Denied => "denied",
            Self::Unreachable => "unreachable",
            Self::Untrusted => "untrusted",
            Self::Protocol => "protocol",
            Self::Other => "other",
        }
    }
}

impl From<io::Error> for DialFault {
    fn from(fault: io::Error) -> Self {
        match fault.kind() {
            io::ErrorKind::NotFound => Self::NoSocket,
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::WouldBlock => Self::BacklogFull,
            io::ErrorKind::TimedOut => Self::Timeout,
            io::ErrorKind::PermissionDenied => Self::Denied,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => {
                Self::Unreachable
            }
            _ => Self::Other,
        }
    }
}

/// Counts of connections that could not be opened, by reason.
#[derive(Debug, Default)]
pub struct DialFaults([Counter; DialFault::ALL.len()]);

impl DialFaults {
    pub fn count(&self, fault: DialFault) {
        self.0[fault as usize].add(1);
    }

    pub fn write(&self, text: &mut Text, name: &str) {
        text.describe(name, "counter", "Connections that could not be opened, by reason.");
        for (fault, counter) in DialFault::ALL.iter().zip(&self.0) {
            text.line(name, &format!("reason=\"{}\"", fault.name()), counter.get());
        }
    }
}

/// Opens a connection to an engine for a body that comes in pieces; a task of its own drives it until it closes.
pub async fn dial_engine<B>(path: &Path, timeout: Duration) -> Result<http1::SendRequest<B>, DialFault>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let stream = connect_engine(path, timeout).await?;
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(READ_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| DialFault::Protocol)?;
    // A fault of the connection reaches whoever waits for its answer; the task only moves bytes.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// A unix socket refuses at once what its engine has not accepted yet and its backlog has no room for (llama.cpp: 5).
pub async fn connect_engine(path: &Path, timeout: Duration) -> Result<UnixStream, DialFault> {
    let deadline = Instant::now() + timeout;
    let mut pause = BACKLOG_PAUSE_MIN;
    loop {
        let connected = tokio::time::timeout_at(deadline, UnixStream::connect(path)).await;
        match connected.map_err(|_| DialFault::Timeout)? {
            Err(fault) if fault.kind() == io::ErrorKind::WouldBlock && Instant::now() + pause < deadline => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(BACKLOG_PAUSE_MAX);
            }
            connected => return Ok(connected?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_match_their_names() {
        for (position, fault) in DialFault::ALL.iter().enumerate() {
            assert_eq!(*fault as usize, position);
        }
    }

    /// A socket whose backlog is full: one place, taken by the connections that are returned.
    async fn fill_backlog(path: &Path) -> (std::os::unix::net::UnixListener, Vec<UnixStream>) {
        let socket = tokio::net::UnixSocket::new_stream().unwrap();
        socket.bind(path).unwrap();
        let listener = socket.listen(1).unwrap().into_std().unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = UnixStream::connect(path).await {
            waiting.push(stream);
        }
        (listener, waiting)
    }

    #[tokio::test]
    async fn a_full_backlog_is_tried_again_until_there_is_room() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("e.sock");
        let (listener, waiting) = fill_backlog(&path).await;
        let accepting = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            (listener.accept().unwrap(), listener)
        });
        let began = Instant::now();
        assert!(connect_engine(&path, Duration::from_secs(9)).await.is_ok());
        assert!(began.elapsed() >= Duration::from_millis(30), "there was room from the beginning");
        drop((accepting.await, waiting));
    }

    #[tokio::test]
    async fn a_backlog_that_stays_full_is_given_up_within_the_time_and_told_as_such() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("e.sock");
        let (_listener, _waiting) = fill_backlog(&path).await;
        let began = Instant::now();
        let fault = connect_engine(&path, Duration::from_millis(80)).await.unwrap_err();
        assert_eq!(fault, DialFault::BacklogFull);
        assert!(began.elapsed() < Duration::from_secs(20), "it went on past its time");
        assert!(began.elapsed() > Duration::from_millis(20), "it was not tried again");
    }

    #[tokio::test]
    async fn other_faults_are_told_by_their_reason() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("e.sock");
        let dial = async || connect_engine(&path, Duration::from_secs(9)).await.map(drop).unwrap_err();
        assert_eq!(dial().await, DialFault::NoSocket);
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert_eq!(dial().await, DialFault::Refused);
    }
}
