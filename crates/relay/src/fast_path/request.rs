//! Which requests are usual, and what they ask. Whatever leaves a doubt is not: hyper reads it, and answers.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Method, Request, Uri};

use crate::arriving_body::ArrivingBody;

/// Head and body together; a longer request is not usual.
const REQUEST_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 64;

/// What was taken from the beginning of what was read.
#[derive(Debug)]
pub enum Taken {
    Request(Box<Request<ArrivingBody>>),
    /// A head whose body is not here yet: so many bytes are both.
    Partial(usize),
    /// Something else, which is still where it was.
    Other,
}

/// Takes a usual request: a GET or POST of HTTP/1.1, its head read at once, the length of its body told once, and nothing in
/// it about the connection. What follows it stays.
pub fn take_request(buffer: &mut BytesMut) -> Taken {
    let read = std::mem::take(buffer).freeze();
    let taken = match parse_head(&read) {
        Some((head, head_bytes, body_bytes)) if read.len() - head_bytes >= body_bytes => {
            let end = head_bytes + body_bytes;
            buffer.extend_from_slice(&read[end..]);
            return Taken::Request(Box::new(head.map(|()| ArrivingBody::Whole(read.slice(head_bytes..end)))));
        }
        Some((_, head_bytes, body_bytes)) => Taken::Partial(head_bytes + body_bytes),
        None => Taken::Other,
    };
    *buffer = read.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    taken
}

/// Reads a usual head; also returns its length, and its body's.
fn parse_head(read: &Bytes) -> Option<(Request<()>, usize, usize)> {
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut []);
    let Ok(httparse::Status::Complete(head_bytes)) = parsed.parse_with_uninit_headers(read, &mut headers) else {
        return None;
    };
    let method = match parsed.method? {
        "POST" => Method::POST,
        "GET" => Method::GET,
        _ => return None,
    };
    let path = parsed.path.filter(|path| path.starts_with('/') && parsed.version == Some(1))?;
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from_maybe_shared(read.slice_ref(path.as_bytes())).ok()?;
    let body_bytes = read_headers(read, parsed.headers, request.headers_mut())?;
    (head_bytes.checked_add(body_bytes)? <= REQUEST_BYTES_MAX).then_some((request, head_bytes, body_bytes))
}

/// Returns the length of the body, 0 if none is told.
fn read_headers(read: &Bytes, parsed: &[httparse::Header<'_>], headers: &mut HeaderMap) -> Option<usize> {
    let mut body_bytes = None;
    headers.reserve(parsed.len());
    for header in parsed {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        if name == CONTENT_LENGTH {
            let told = read_length(header.value)?;
            if body_bytes.replace(told).is_some() {
                return None;
            }
        } else if is_about_connection(&name, header.value) {
            return None;
        }
        headers.append(name, HeaderValue::from_maybe_shared(read.slice_ref(header.value)).ok()?);
    }
    Some(body_bytes.unwrap_or(0))
}

/// Tells whether a header changes how the request or what follows is read. To stay open is the rule.
fn is_about_connection(name: &HeaderName, value: &[u8]) -> bool {
    let is_told = *name == CONNECTION && !value.eq_ignore_ascii_case(b"keep-alive");
    is_told || [TRANSFER_ENCODING, EXPECT, UPGRADE].contains(name)
}

fn read_length(value: &[u8]) -> Option<usize> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| is_number)?.parse().ok()
}
