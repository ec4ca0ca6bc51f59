//! Hands the listening socket to the process that comes next: both then take connections from one queue, so that none
//! is lost when the elder stops. Whoever runs as the same user may ask, at a unix socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use tokio::io::Interest;
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// How long the elder may take to answer: it is serving, perhaps on a host that has no processor left, and without its
/// socket the younger cannot start.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// After a fault of accepting, how long until it is tried again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Asks the process that listens now for its socket. Nothing if there is no such process.
pub async fn take_listener(path: &Path) -> io::Result<Option<TcpListener>> {
    let stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        Err(fault) if matches!(fault.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(fault) => return Err(fault),
    };
    check_peer(&stream)?;
    let received = stream.async_io(Interest::READABLE, || receive_descriptor(&stream));
    let descriptor = tokio::time::timeout(ANSWER_TIME, received).await??;
    TcpListener::from_std(std::net::TcpListener::from(descriptor)).map(Some)
}

/// Gives the socket to everyone who asks, until it is closed here. `is_handed_over` is set once somebody has it.
pub fn offer_listener(
    path: &Path,
    listener: &Arc<TcpListener>,
    is_handed_over: Arc<AtomicBool>,
) -> io::Result<impl Future<Output = ()> + use<>> {
    match std::fs::remove_file(path) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
        _ => {}
    }
    let offering = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(serve_offer(offering, Arc::downgrade(listener), is_handed_over))
}

async fn serve_offer(offering: UnixListener, listener: Weak<TcpListener>, is_handed_over: Arc<AtomicBool>) {
    loop {
        let Ok((stream, _)) = offering.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Some(listener) = listener.upgrade() else {
            return;
        };
        let sent = async {
            check_peer(&stream)?;
            stream.async_io(Interest::WRITABLE, || send_descriptor(&stream, &listener)).await
        };
        if let Ok(Ok(())) = tokio::time::timeout(ANSWER_TIME, sent).await {
            is_handed_over.store(true, Ordering::Release);
        }
    }
}

/// The socket's folder says who may connect; this holds where a folder says too much.
fn check_peer(stream: &UnixStream) -> io::Result<()> {
    if stream.peer_cred()?.uid() == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "the other process runs as another user"))
}

fn send_descriptor(stream: &UnixStream, listener: &TcpListener) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [listener.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    // A descriptor travels with a byte at least.
    sendmsg(stream, &[IoSlice::new(b"l")], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive_descriptor(stream: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(stream, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let descriptors = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let text = "the process at this path gave no listening socket";
    descriptors.flatten().next().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, text))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_waits_is_taken_by_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("handover.sock");
        assert!(take_listener(&path).await.unwrap().is_none());
        let elder = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = elder.local_addr().unwrap();
        let is_handed_over = Arc::new(AtomicBool::new(false));
        let offering = tokio::spawn(offer_listener(&path, &elder, Arc::clone(&is_handed_over)).unwrap());
        let mut waiting = TcpStream::connect(address).await.unwrap();
        let younger = take_listener(&path).await.unwrap().unwrap();
        assert_eq!(younger.local_addr().unwrap(), address);
        drop(elder);
        let (mut taken, _) = younger.accept().await.unwrap();
        taken.write_all(b"k").await.unwrap();
        assert_eq!(waiting.read_u8().await.unwrap(), b'k');
        assert!(is_handed_over.load(Ordering::Acquire));
        // Nothing is left to give: who asks now is turned away, and the offer ends.
        assert!(take_listener(&path).await.is_err());
        offering.await.unwrap();
        assert!(take_listener(&path).await.unwrap().is_none());
    }
}
