//! Connections on socket pairs, held and let go; the other end is the plain socket, which shows what is there and no more.

use std::future::poll_fn;
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream as Peer;
use std::time::Duration;

use proptest::prelude::*;
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedReadHalf;
use tokio::task::yield_now;

use super::*;

type Ours = Corked<OwnedReadHalf>;

const A_WHILE: Duration = Duration::from_secs(9);

async fn connect(cork: &Cork) -> (Ours, Peer) {
    let (ours, theirs) = Peer::pair().unwrap();
    // So little room that pieces do not fit.
    set_socket_send_buffer_size(&ours, 4_096).unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_nonblocking(true).unwrap();
    let ours = UnixStream::from_std(ours).unwrap();
    ours.writable().await.unwrap();
    (Corked::unix(ours, cork.clone()), theirs)
}

fn hear(theirs: &mut Peer) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 64];
    match theirs.read(&mut bytes) {
        Ok(size) => Some(bytes[..size].to_vec()),
        Err(fault) => {
            assert_eq!(fault.kind(), ErrorKind::WouldBlock);
            None
        }
    }
}

/// A cork whose turns end, as long as its task lives.
async fn start() -> Cork {
    let cork = Cork::new(1);
    tokio::spawn(cork.clone().run());
    yield_now().await;
    cork
}

#[tokio::test]
async fn writes_of_one_turn_go_out_at_its_end() {
    let cork = start().await;
    let (mut first, mut heard_first) = connect(&cork).await;
    let (mut second, mut heard_second) = connect(&cork).await;
    for part in ["a", "b"] {
        first.write_all(part.as_bytes()).await.unwrap();
        first.flush().await.unwrap();
    }
    second.write_all(b"c").await.unwrap();
    assert_eq!((hear(&mut heard_first), hear(&mut heard_second)), (None, None), "before the end");
    yield_now().await;
    assert_eq!((hear(&mut heard_first), hear(&mut heard_second)), (Some(b"ab".to_vec()), Some(b"c".to_vec())));
    first.write_all(b"d").await.unwrap();
    yield_now().await;
    assert_eq!(hear(&mut heard_first), Some(b"d".to_vec()), "the next turn");
}

#[tokio::test]
async fn nobody_waits_for_more_than_so_many_others() {
    let cork = start().await;
    let mut pairs = Vec::new();
    for _ in 0..HELD_MAX {
        pairs.push(connect(&cork).await);
    }
    for (count, (ours, _)) in pairs.iter_mut().enumerate() {
        ours.write_all(&[u8::try_from(count).unwrap()]).await.unwrap();
    }
    for (count, (_, theirs)) in pairs.iter_mut().enumerate() {
        assert_eq!(hear(theirs), Some(vec![u8::try_from(count).unwrap()]));
    }
}

#[tokio::test]
async fn long_writes_and_those_of_several_threads_are_not_held() {
    let (mut ours, mut theirs) = connect(&start().await).await;
    ours.write_all(b"first ").await.unwrap();
    let long = [b'x'; 9_000];
    let begun = poll_fn(|context| Pin::new(&mut ours).poll_write(context, &long)).await.unwrap();
    assert!(begun > 0);
    assert_eq!(hear(&mut theirs).unwrap()[..8], *b"first xx");
    let (mut ours, mut theirs) = connect(&Cork::new(2)).await;
    ours.write_all(b"at once").await.unwrap();
    assert_eq!(hear(&mut theirs), Some(b"at once".to_vec()));
}

#[tokio::test]
async fn what_is_held_goes_before_the_end_of_the_connection() {
    let cork = start().await;
    let (mut ours, mut theirs) = connect(&cork).await;
    ours.write_all(b"last").await.unwrap();
    ours.shutdown().await.unwrap();
    assert_eq!((hear(&mut theirs), hear(&mut theirs)), (Some(b"last".to_vec()), Some(Vec::new())));
    let (mut ours, mut theirs) = connect(&cork).await;
    ours.write_all(b"last").await.unwrap();
    drop(ours);
    yield_now().await;
    assert_eq!((hear(&mut theirs), hear(&mut theirs)), (Some(b"last".to_vec()), Some(Vec::new())));
}

#[tokio::test]
async fn a_peer_that_is_gone_is_noticed_by_whoever_waits() {
    let (mut ours, theirs) = connect(&start().await).await;
    ours.write_all(b"a").await.unwrap();
    drop(theirs);
    yield_now().await;
    assert_eq!(ours.flush().await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(ours.write_all(b"b").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

/// Writes pieces, and sees to its connection when it is woken and not before, as a server does.
async fn speak(mut ours: Ours, pieces: Vec<Vec<u8>>) {
    for piece in pieces {
        yield_now().await;
        ours.write_all(&piece).await.unwrap();
    }
    // The last piece is held still, and only being woken tells that it did not get through.
    poll_fn(|context| {
        let _ = Pin::new(&mut ours).poll_flush(context);
        Poll::<()>::Pending
    })
    .await;
}

async fn listen(mut theirs: Peer, size: usize) -> Vec<u8> {
    let mut heard = Vec::new();
    while heard.len() < size {
        match hear(&mut theirs) {
            Some(bytes) => heard.extend_from_slice(&bytes),
            None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
        yield_now().await;
    }
    heard
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_slow_reader_hears_all_in_order(sizes in prop::collection::vec(1_usize..7_000, 1..60)) {
        let pieces: Vec<Vec<u8>> = sizes.iter().zip(0_u8..).map(|(size, byte)| vec![byte; *size]).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let heard = runtime.block_on(async {
            let (ours, theirs) = connect(&start().await).await;
            let size = sizes.iter().sum();
            let speaking = tokio::spawn(speak(ours, pieces.clone()));
            let heard = tokio::time::timeout(A_WHILE, listen(theirs, size)).await;
            speaking.abort();
            heard
        });
        prop_assert_eq!(heard.expect("bytes that nobody sends"), pieces.concat());
    }
}
