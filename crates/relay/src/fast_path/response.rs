//! The head of an answer, and what stands around the pieces of its body.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use hyper::header::{CONNECTION, HeaderMap};
use hyper::http::response::Parts;

/// `Tue, 15 Nov 1994 08:12:31 GMT`
const DATE_BYTES: usize = 29;
pub const CHUNKS_END: &[u8] = b"0\r\n\r\n";

/// Writes the head of an answer whose body is so long, or comes in chunks.
pub fn write_head(head: &Parts, body_bytes: Option<u64>) -> Vec<u8> {
    let mut text = Vec::with_capacity(512);
    text.extend_from_slice(b"HTTP/1.1 ");
    text.extend_from_slice(head.status.as_str().as_bytes());
    text.push(b' ');
    text.extend_from_slice(head.status.canonical_reason().unwrap_or_default().as_bytes());
    text.extend_from_slice(b"\r\n");
    for (name, value) in &head.headers {
        write_header(&mut text, name.as_str(), value.as_bytes());
    }
    match body_bytes {
        Some(_) if !has_body(head.status) => {}
        Some(size) => write_header(&mut text, "content-length", itoa::Buffer::new().format(size).as_bytes()),
        None => write_header(&mut text, "transfer-encoding", b"chunked"),
    }
    write_header(&mut text, "date", &read_date());
    text.extend_from_slice(b"\r\n");
    text
}

fn write_header(text: &mut Vec<u8>, name: &str, value: &[u8]) {
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

/// Writes what stands before a chunk.
pub fn write_chunk_head(text: &mut Vec<u8>, size: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    text.extend((0..digits).rev().map(|place| DIGITS[size >> (4 * place) & 0xf]));
    text.extend_from_slice(b"\r\n");
}

/// Tells whether an answer of this status has a body, of whatever length. Source: RFC 9110, 6.4.1.
pub fn has_body(status: StatusCode) -> bool {
    !status.is_informational() && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

pub fn is_last(headers: &HeaderMap) -> bool {
    headers.get(CONNECTION).is_some_and(|value| value == "close")
}

/// The date, written anew when its second is over.
fn read_date() -> [u8; DATE_BYTES] {
    thread_local! {
        static WRITTEN: Cell<(u64, [u8; DATE_BYTES])> = const { Cell::new((u64::MAX, [b' '; DATE_BYTES])) };
    }
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (written_s, date) = WRITTEN.get();
    if written_s == now_s {
        return date;
    }
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now_s));
    // Always as long until the year 10,000.
    let date = text.as_bytes().try_into().unwrap_or(date);
    WRITTEN.set((now_s, date));
    date
}
