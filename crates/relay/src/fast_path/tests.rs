//! A connection whose other end is a pipe; what it is answered comes from a service of the test.

use std::collections::VecDeque;
use std::future::{Pending, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::SizeHint;
use hyper::header::{CONNECTION, HeaderValue};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::*;
use crate::cork::{Cork, Corked};
use response::write_chunk_head;

const A_WHILE: Duration = Duration::from_secs(9);
const IDLE_TIME: Duration = Duration::from_secs(1);
const POST: &str = "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\ncontent-length: 5\r\n\r\nhello";

/// What a service was asked: method, path and body.
type Asked = (String, String, Bytes);

/// A body that the test says; `None` breaks it.
struct Said {
    pieces: mpsc::Receiver<Option<&'static str>>,
    told: Option<u64>,
}

impl Body for Said {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        let piece = ready!(self.pieces.poll_recv(context));
        Poll::Ready(piece.map(|piece| piece.map(|text| Frame::data(Bytes::from(text))).ok_or("broken")))
    }

    fn size_hint(&self) -> SizeHint {
        self.told.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A connection that is served: what was asked, and the pieces of each answer's body in turn.
struct Served {
    client: DuplexStream,
    asked: Arc<Mutex<Vec<Asked>>>,
    quiet: Arc<Quiet>,
    serving: JoinHandle<Option<Rewound<DuplexStream>>>,
}

impl Served {
    /// Answers each request with the next of `bodies`; without one it is never answered.
    fn start(bodies: Vec<Said>, ending: impl Future + Send + 'static) -> Self {
        Self::start_idle(bodies, ending, 9 * A_WHILE)
    }

    fn start_idle(bodies: Vec<Said>, ending: impl Future + Send + 'static, idle_max: Duration) -> Self {
        let (client, ours) = duplex(100_000);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let quiet = Arc::<Quiet>::default();
        let counted = Arc::clone(&quiet);
        let noted = Arc::clone(&asked);
        let bodies = Mutex::new(VecDeque::from(bodies));
        let answer = move |request: Request<ArrivingBody>| {
            let (head, body) = request.into_parts();
            let ArrivingBody::Whole(body) = body else { panic!("it is not whole") };
            noted.lock().unwrap().push((head.method.to_string(), head.uri.to_string(), body));
            let body = bodies.lock().unwrap().pop_front();
            async move {
                match body {
                    Some(body) => Response::new(body),
                    None => pending().await,
                }
            }
        };
        let serving =
            tokio::spawn(async move { FastPath::new(ours, counted, idle_max).serve(answer, pin!(ending)).await });
        Self { client, asked, quiet, serving }
    }

    async fn send(&mut self, text: &str) {
        self.client.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads up to where an answer ends that is `whole`.
    async fn hear(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            let read = tokio::time::timeout(A_WHILE, self.client.read_buf(&mut heard)).await;
            let Ok(read) = read else { panic!("no more than {}", heard.escape_ascii()) };
            assert_ne!(read.unwrap(), 0, "{}", heard.escape_ascii());
        }
        String::from_utf8(heard).unwrap()
    }

    /// Reads to the end of the connection.
    async fn hear_out(&mut self) -> String {
        let mut heard = String::new();
        let read = self.client.read_to_string(&mut heard);
        tokio::time::timeout(A_WHILE, read).await.expect("it stays open").unwrap();
        heard
    }

    async fn end(self) -> Option<Rewound<DuplexStream>> {
        tokio::time::timeout(A_WHILE, self.serving).await.expect("it goes on").unwrap()
    }
}

fn never() -> Pending<()> {
    pending()
}

/// A body and who says it.
fn say(told: Option<u64>) -> (mpsc::Sender<Option<&'static str>>, Said) {
    let (sender, pieces) = mpsc::channel(9);
    (sender, Said { pieces, told })
}

/// A body that is said already.
fn said(text: &'static str) -> Said {
    let (sender, said) = say(Some(text.len() as u64));
    sender.try_send(Some(text)).unwrap();
    said
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_order() {
    let mut served = Served::start(vec![said("one"), said("two"), said("three")], never());
    served.send(&format!("{POST}GET /healthz HTTP/1.1\r\nConnection: Keep-Alive\r\n\r\n{}", &POST[..70])).await;
    let heard = served.hear("two").await;
    served.send(&POST[70..]).await;
    served.hear("three").await;
    let (first, second) = heard.split_once("\r\n\r\none").unwrap();
    for head in [first, second] {
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("\r\ncontent-length: 3\r\ndate: "), "{head}");
    }
    let post = ("POST".to_owned(), "/v1/chat/completions".to_owned(), Bytes::from("hello"));
    let get = ("GET".to_owned(), "/healthz".to_owned(), Bytes::new());
    assert_eq!(*served.asked.lock().unwrap(), [post.clone(), get, post]);
}

#[tokio::test]
async fn what_is_not_usual_is_handed_on_as_it_was_read() {
    for strange in [
        "GET / HTTP/1.0\r\n\r\n",
        "HEAD / HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: identity\r\n\r\na",
        "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na",
        "POST / HTTP/1.1\r\ncontent-length: +1\r\n\r\na",
        "POST / HTTP/1.1\r\ncontent-length:\r\n\r\na",
        "POST / HTTP/1.1\r\ncontent-length: 65536\r\n\r\na",
        "POST / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\na",
        "POST / HTTP/1.1\r\ncontent-length: 1\r\nexpect: 100-continue\r\n\r\n",
        "GET / HTTP/1.1\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nho",
        "nonsense",
    ] {
        let mut served = Served::start(vec![said("one")], never());
        served.send(&format!("{POST}{strange}")).await;
        served.hear("one").await;
        served.client.shutdown().await.unwrap();
        let asked = Arc::clone(&served.asked);
        let mut rest = String::new();
        served.end().await.expect(strange).read_to_string(&mut rest).await.unwrap();
        assert_eq!((rest.as_str(), asked.lock().unwrap().len()), (strange, 1));
    }
}

#[tokio::test]
async fn a_body_comes_in_pieces_and_one_that_stands_still_is_not_usual() {
    let mut served = Served::start(vec![said("one")], never());
    let (head, tail) = POST.split_at(POST.len() - 3);
    served.send(head).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    served.send(tail).await;
    served.hear("one").await;
    served.send(head).await;
    let beginning = async {
        while !served.quiet.has_begun() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(A_WHILE, beginning).await.expect("a request on its way looks like none");
    let mut rest = vec![0; head.len()];
    served.end().await.expect("it waits for ever").read_exact(&mut rest).await.unwrap();
    assert_eq!(rest, head.as_bytes());
}

#[tokio::test]
async fn a_connection_that_asks_nothing_ends() {
    let mut served = Served::start_idle(vec![said("one")], never(), IDLE_TIME);
    tokio::time::sleep(IDLE_TIME / 2).await;
    served.send(POST).await;
    let began = std::time::Instant::now();
    assert!(served.hear_out().await.ends_with("one"));
    assert!(began.elapsed() >= IDLE_TIME && served.end().await.is_none());
}

/// Ours is corked, and has so little room in its socket that an answer does not fit.
fn connect_corked() -> (Corked<OwnedReadHalf>, UnixStream) {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    rustix::net::sockopt::set_socket_send_buffer_size(&ours, 2_048).unwrap();
    let [ours, theirs] = [ours, theirs].map(|half| {
        half.set_nonblocking(true).unwrap();
        UnixStream::from_std(half).unwrap()
    });
    let cork = Cork::new(1);
    tokio::spawn(cork.clone().run());
    (Corked::unix(ours, cork), theirs)
}

async fn hear_all(theirs: &mut UnixStream, end: &str) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(end.as_bytes()) {
        let read = tokio::time::timeout(A_WHILE, theirs.read_buf(&mut heard)).await;
        assert_ne!(read.expect("the rest is kept back").unwrap(), 0);
    }
    String::from_utf8(heard).unwrap()
}

#[tokio::test]
async fn what_a_full_socket_has_no_room_for_follows_when_it_has() {
    let (stream, mut theirs) = connect_corked();
    // Held to the end of its turn, and then too long.
    let piece: &'static str = "0123456789abcdef".repeat(450).leak();
    let (sender, body) = say(None);
    let body = Mutex::new(Some(body));
    let answer = move |_| std::future::ready(Response::new(body.lock().unwrap().take().unwrap()));
    let serving = tokio::spawn(async move {
        FastPath::new(stream, Arc::default(), 9 * A_WHILE).serve(answer, pin!(never())).await.is_none()
    });
    theirs.write_all(POST.as_bytes()).await.unwrap();
    sender.send(Some(piece)).await.unwrap();
    let heard = hear_all(&mut theirs, "cdef\r\n").await;
    assert!(heard.ends_with(&format!("\r\n{piece}\r\n")), "while the body says nothing");
    sender.send(Some(piece)).await.unwrap();
    drop(sender);
    assert_eq!(hear_all(&mut theirs, "0\r\n\r\n").await, format!("1c20\r\n{piece}\r\n0\r\n\r\n"), "after its end");
    drop(theirs);
    assert!(serving.await.unwrap());
}

#[tokio::test]
async fn a_client_that_goes_takes_its_call_along() {
    let mut served = Served::start(Vec::new(), never());
    served.send(POST).await;
    while served.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(served.client);
    let ended = tokio::time::timeout(A_WHILE, served.serving).await.expect("a call outlives its client").unwrap();
    assert!(ended.is_none());

    let (sender, body) = say(None);
    let mut served = Served::start(vec![body], never());
    served.send(POST).await;
    served.hear("\r\n\r\n").await;
    drop(served.client);
    tokio::time::timeout(A_WHILE, sender.closed()).await.expect("a body outlives its client");
}

#[tokio::test]
async fn a_body_without_a_length_goes_out_piece_by_piece_and_ends_with_its_last() {
    let (sender, body) = say(None);
    let mut served = Served::start(vec![body, said("two")], never());
    served.send(POST).await;
    let head = served.hear("\r\n\r\n").await;
    assert!(head.contains("\r\ntransfer-encoding: chunked\r\n") && !head.contains("content-length"), "{head}");
    for (piece, chunk) in [("a", "1\r\na\r\n"), ("0123456789abcdefg", "11\r\n0123456789abcdefg\r\n")] {
        sender.send(Some(piece)).await.unwrap();
        assert_eq!(served.hear(chunk).await, chunk);
    }
    // A chunk of nothing would end the body.
    sender.send(Some("")).await.unwrap();
    drop(sender);
    assert_eq!(served.hear("0\r\n\r\n").await, "0\r\n\r\n");
    served.send(POST).await;
    served.hear("two").await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_finished_never_looks_whole() {
    for (told, piece) in [(None, None), (Some(9), Some("short")), (Some(1), Some("long"))] {
        let (sender, body) = say(told);
        let mut served = Served::start(vec![body], never());
        served.send(POST).await;
        sender.send(piece).await.unwrap();
        drop(sender);
        let all = served.hear_out().await;
        let (head, behind) = all.split_once("\r\n\r\n").unwrap_or((&all, ""));
        let is_as_told = head.contains(&format!("content-length: {}", behind.len()));
        assert!(!is_as_told && !behind.ends_with("0\r\n\r\n"), "{all}");
        assert!(served.end().await.is_none());
    }
}

#[tokio::test]
async fn the_end_comes_between_calls() {
    let (end, ending) = oneshot::channel::<()>();
    let (sender, body) = say(Some(3));
    let mut served = Served::start(vec![body], ending);
    served.send(POST).await;
    while served.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    end.send(()).unwrap();
    sender.send(Some("one")).await.unwrap();
    assert!(served.hear_out().await.ends_with("one"));
    assert!(served.end().await.is_none());
}

#[test]
fn a_head_says_the_date_and_a_length_where_there_is_a_body() {
    for (status, length) in [(200, Some("content-length: 0")), (204, None), (304, None)] {
        let (head, ()) = Response::builder().status(status).body(()).unwrap().into_parts();
        let text = String::from_utf8(write_head(&head, Some(0))).unwrap();
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")));
        assert_eq!(text.lines().find(|line| line.starts_with("content-length")), length, "{text}");
        let date = text.lines().find_map(|line| line.strip_prefix("date: ")).unwrap();
        let age = SystemTime::now().duration_since(httpdate::parse_http_date(date).unwrap()).unwrap();
        assert!(age < Duration::from_secs(5), "{date}");
    }
}

#[tokio::test]
async fn an_answer_can_be_a_connection_s_last() {
    let (client, ours) = duplex(9_999);
    let answer = |_| {
        let mut response = Response::new(http_body_util::Full::<Bytes>::from("bye"));
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        std::future::ready(response)
    };
    let serving = tokio::spawn(async move {
        FastPath::new(ours, Arc::default(), A_WHILE).serve(answer, pin!(never())).await.is_none()
    });
    let (mut reading, mut writing) = tokio::io::split(client);
    writing.write_all(format!("{POST}{POST}").as_bytes()).await.unwrap();
    let mut heard = String::new();
    reading.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard.matches("bye").count(), 1, "{heard}");
    assert!(serving.await.unwrap());
}

proptest! {
    #[test]
    fn a_chunk_says_its_size(size in 1_usize..) {
        let mut text = Vec::new();
        write_chunk_head(&mut text, size);
        let digits = std::str::from_utf8(&text).unwrap().strip_suffix("\r\n").unwrap();
        prop_assert_eq!((usize::from_str_radix(digits, 16).unwrap(), digits.starts_with('0')), (size, false));
    }

    #[test]
    fn nothing_is_lost_of_what_was_read(
        words in prop::collection::vec(prop::sample::select(vec![
            "POST ", "GET ", "/a", " HTTP/1.1\r\n", "host: a\r\n", "content-length: 2\r\n", "content-length: 9\r\n", "connection: close\r\n", "\r\n", "{}", "x", "\0",
        ]), 0..12),
        first in prop::bool::ANY,
    ) {
        let text = if first { format!("POST / HTTP/1.1\r\n{}", words.concat()) } else { words.concat() };
        let mut buffer = BytesMut::from(text.as_bytes());
        match take_request(&mut buffer) {
            Taken::Other => prop_assert_eq!(&buffer[..], text.as_bytes()),
            Taken::Partial(wanted) => {
                prop_assert_eq!(&buffer[..], text.as_bytes());
                prop_assert!(wanted > buffer.len());
                buffer.resize(wanted, b'+');
                prop_assert!(matches!(take_request(&mut buffer), Taken::Request(_)) && buffer.is_empty());
            }
            Taken::Request(request) => {
                let ArrivingBody::Whole(body) = request.into_body() else { panic!("it is not whole") };
                let end = text.len() - buffer.len();
                prop_assert_eq!(&buffer[..], &text.as_bytes()[end..]);
                let head = text[..end].strip_suffix(std::str::from_utf8(&body).unwrap()).unwrap();
                prop_assert!(head.ends_with("\r\n\r\n"));
            }
        }
    }
}

/// A client that has always asked again, and takes whatever it is answered.
struct Tireless {
    asks: usize,
}

impl AsyncRead for Tireless {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(left) = self.asks.checked_sub(1) {
            self.asks = left;
            room.put_slice(POST.as_bytes());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tireless {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn one_who_asks_without_a_pause_lets_others_have_their_turn() {
    const ASKS: usize = 10_000;
    let answered = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&answered);
    let other = tokio::spawn(async move { counted.load(Ordering::Relaxed) });
    let answer = |_| async {
        answered.fetch_add(1, Ordering::Relaxed);
        Response::new(Full::new(Bytes::from("a")))
    };
    FastPath::new(Tireless { asks: ASKS }, Arc::default(), A_WHILE).serve(answer, pin!(never())).await;
    assert_eq!(answered.load(Ordering::Relaxed), ASKS);
    assert!(other.await.unwrap() < ASKS / 10, "it had to wait");
}
