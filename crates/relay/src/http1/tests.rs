//! A connection against a scripted peer on a socket pair: heads and bodies in pieces of any size.

use std::future::poll_fn;

use bytes::BytesMut;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::cork::Cork;

use super::connection::BodyFault;
use super::framing::{Framing, Misframed};
use super::head::parse_head;
use super::{EngineConnection, Request};

const ASKED: Request<'static> = Request { parts: [b"POST / HTTP/1.1\r\n", b"", b"content-length: 2\r\n\r\n", b"{}"] };

fn pair() -> (EngineConnection, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (EngineConnection::new(ours, Cork::new(2)), theirs)
}

async fn read_all(connection: &mut EngineConnection) -> Result<Vec<u8>, BodyFault> {
    let mut body = Vec::new();
    while let Some(bytes) = poll_fn(|context| connection.poll_body(context)).await {
        body.extend_from_slice(&bytes?);
    }
    Ok(body)
}

/// Sends an answer in pieces of a size and returns the status and the body, or nothing if there was no head.
async fn exchange(answer: &[u8], size: usize) -> (Option<u16>, Result<Vec<u8>, BodyFault>, bool) {
    let (mut connection, mut peer) = pair();
    let speaking = async {
        for piece in answer.chunks(size) {
            // Whoever gave up on it does not hear the rest.
            if peer.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let _ = peer.shutdown().await;
        let mut asked = Vec::new();
        peer.read_to_end(&mut asked).await.unwrap();
        asked
    };
    let asking = async {
        let head = connection.ask(ASKED).await.ok();
        let body = if head.is_some() { read_all(&mut connection).await } else { Ok(Vec::new()) };
        let is_kept = connection.is_kept_for_tests();
        drop(connection);
        (head.map(|head| head.status), body, is_kept)
    };
    let (asked, heard) = tokio::join!(speaking, asking);
    assert_eq!(asked, b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}");
    heard
}

/// Thousands of streams are quiet at a time, and what each keeps then is what they take together.
#[tokio::test]
async fn a_quiet_stream_holds_no_room() {
    let (mut connection, mut peer) = pair();
    peer.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    connection.ask(ASKED).await.unwrap();
    for _ in 0..3 {
        peer.write_all(b"6\r\nevent\n\r\n").await.unwrap();
        let read = poll_fn(|context| connection.poll_body(context)).await.unwrap();
        assert_eq!((read.unwrap().as_ref(), connection.room_for_tests()), (&b"event\n"[..], 0));
    }
}

#[tokio::test]
async fn every_framing_in_pieces_of_any_size() {
    let cases: [(&str, &str, bool); 10] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", "hello", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n", "hello", true),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello", "hello", false),
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nhello",
            "hello",
            false,
        ),
        ("HTTP/1.1 200 OK\r\n\r\nhello", "hello", false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello", false),
        ("HTTP/1.1 204 No Content\r\n\r\n", "", true),
        ("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", "", false),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "", true),
    ];
    for (answer, body, is_kept) in cases {
        for size in [1, 2, 3, 7, answer.len()] {
            let (status, heard, kept) = exchange(answer.as_bytes(), size).await;
            assert!(matches!(status, Some(101 | 200 | 204)), "{answer} in {size}");
            assert_eq!((heard.as_deref(), kept), (Ok(body.as_bytes()), is_kept), "{answer} in {size}");
        }
    }
}

#[tokio::test]
async fn a_body_that_ends_early_is_lost() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nz\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
    ] {
        let (status, body, is_kept) = exchange(answer.as_bytes(), 4).await;
        assert_eq!((status, body, is_kept), (Some(200), Err(BodyFault::Lost), false), "{answer}");
    }
}

#[tokio::test]
async fn what_is_no_head_is_no_answer() {
    for answer in [
        "",
        "HTTP/1.1 200",
        "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        assert_eq!(exchange(answer.as_bytes(), 3).await.0, None, "{answer}");
    }
}

#[tokio::test]
async fn an_answer_may_come_before_the_request_is_heard() {
    let (mut connection, mut peer) = pair();
    let long = vec![b'x'; 4 << 20];
    let speaking = async {
        peer.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
    };
    let asked = connection.ask(Request { parts: [b"POST / HTTP/1.1\r\n\r\n", &long, b"", b""] });
    let (head, ()) = tokio::join!(asked, speaking);
    assert_eq!(head.unwrap().status, 413);
    assert_eq!(read_all(&mut connection).await, Ok(b"no".to_vec()));
    assert!(!connection.is_reusable());
}

#[tokio::test]
async fn a_connection_is_used_again_until_the_engine_closes_it() {
    let (mut connection, mut peer) = pair();
    let mut asked = [0; 128];
    for _ in 0..3 {
        assert!(connection.is_reusable());
        let (head, ()) = tokio::join!(connection.ask(ASKED), async {
            let _ = peer.read(&mut asked).await.unwrap();
            peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        });
        assert_eq!(head.unwrap().status, 200);
        assert!(!connection.is_reusable(), "the body was not read");
        assert_eq!(read_all(&mut connection).await, Ok(b"ok".to_vec()));
    }
    drop(peer);
    while connection.is_reusable() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn heads_of_any_size_are_bounded_by_their_headers() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(65));
    assert!(parse_head(many.as_bytes()).is_err());
    assert!(parse_head(b"HTTP/1.1 200 OK\r\na: b\r\n").unwrap().is_none());
}

proptest! {
    #[test]
    fn chunks_of_any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut framing = Framing::chunked();
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(data)) = framing.take(&mut buffer) {
            prop_assert!(!data.is_empty());
        }
        let _ = parse_head(&bytes);
    }

    #[test]
    fn chunks_give_back_what_was_put_in(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8), cut in 1usize..9) {
        let mut text = Vec::new();
        for chunk in &chunks {
            text.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            text.extend_from_slice(chunk);
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"0\r\n\r\n");
        let (mut framing, mut buffer, mut body) = (Framing::chunked(), BytesMut::new(), Vec::new());
        for piece in text.chunks(cut) {
            buffer.extend_from_slice(piece);
            while let Some(data) = framing.take(&mut buffer).unwrap() {
                body.extend_from_slice(&data);
            }
        }
        prop_assert!(framing.is_at_end());
        prop_assert_eq!(body, chunks.concat());
    }
}

#[test]
fn a_chunk_of_absurd_size_is_refused() {
    for line in ["11111111111111111\r\n", "\r\n", "-1\r\n"] {
        assert_eq!(Framing::chunked().take(&mut BytesMut::from(line)), Err(Misframed), "{line}");
    }
}

#[test]
fn a_chunk_s_line_is_bounded_whatever_pieces_it_comes_in() {
    let (fits, too_long) =
        (format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(1_021)), format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(1_022)));
    for size in [1, 100, 2_000] {
        for (text, is_taken) in [(&fits, true), (&too_long, false)] {
            let (mut framing, mut buffer) = (Framing::chunked(), BytesMut::new());
            let taken = text.as_bytes().chunks(size).try_for_each(|piece| {
                buffer.extend_from_slice(piece);
                while framing.take(&mut buffer)?.is_some() {}
                Ok::<(), Misframed>(())
            });
            assert_eq!(taken.is_ok(), is_taken, "pieces of {size}");
        }
    }
}
