//! The head of an engine's answer: its status, the kind of its content, and how its body is framed.

use std::mem::MaybeUninit;

use hyper::header::HeaderValue;

use super::framing::Framing;

const HEADERS_MAX: usize = 64;

/// What is kept of a head.
#[derive(Clone, Debug)]
pub struct AnswerHead {
    pub status: u16,
    /// Content-Type, if there is one that may stand in a header.
    pub kind: Option<HeaderValue>,
}

impl AnswerHead {
    pub fn is_event_stream(&self) -> bool {
        let kind = self.kind.as_ref().map_or(&b""[..], HeaderValue::as_bytes);
        (200..300).contains(&self.status) && kind.starts_with(b"text/event-stream")
    }
}

/// A head as it was read, with what it says of the body and of the connection.
#[derive(Debug)]
pub struct ParsedHead {
    pub head: AnswerHead,
    pub framing: Framing,
    pub is_kept: bool,
    /// Bytes of the head.
    pub length: usize,
}

/// The bytes are no head of HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoHead;

/// Reads a head from the start of `bytes`; nothing while it is not whole. Heads of 1xx are passed over by the caller.
pub fn parse_head(bytes: &[u8]) -> Result<Option<ParsedHead>, NoHead> {
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let length = match config.parse_response_with_uninit_headers(&mut response, bytes, &mut headers) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(NoHead),
    };
    let status = response.code.ok_or(NoHead)?;
    let mut reading = Reading { is_kept: response.version == Some(1), ..Reading::default() };
    for header in response.headers.iter() {
        reading.take(header)?;
    }
    let has_body = !matches!(status, 100..=199 | 204 | 304);
    let framing = if has_body { reading.framing()? } else { Framing::END };
    // What follows a 101 is no HTTP, whoever asked for it.
    let is_kept = reading.is_kept && !reading.is_closed && framing != Framing::UntilClose && status != 101;
    Ok(Some(ParsedHead { head: AnswerHead { status, kind: reading.kind }, framing, is_kept, length }))
}

#[derive(Default)]
struct Reading {
    is_kept: bool,
    is_closed: bool,
    is_chunked: bool,
    length: Option<u64>,
    kind: Option<HeaderValue>,
}

impl Reading {
    fn take(&mut self, header: &httparse::Header<'_>) -> Result<(), NoHead> {
        let has_word = |word: &[u8]| header.value.split(|byte| *byte == b',').any(|part| is_equal(part, word));
        if is_equal(header.name.as_bytes(), b"content-type") {
            self.kind = keep_kind(header.value);
        } else if is_equal(header.name.as_bytes(), b"content-length") {
            let text = std::str::from_utf8(header.value).map_err(|_| NoHead)?.trim();
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let length = text.parse().ok().filter(|_| is_number).ok_or(NoHead)?;
            // Two lengths that differ leave open where the next answer begins.
            if self.length.replace(length).is_some_and(|before| before != length) {
                return Err(NoHead);
            }
        } else if is_equal(header.name.as_bytes(), b"transfer-encoding") {
            // Any other coding, or chunks within chunks, would pass for the body itself.
            if self.is_chunked || !is_equal(header.value, b"chunked") {
                return Err(NoHead);
            }
            self.is_chunked = true;
        } else if is_equal(header.name.as_bytes(), b"connection") {
            self.is_kept |= has_word(b"keep-alive");
            self.is_closed |= has_word(b"close");
        }
        Ok(())
    }

    /// Source: RFC 9112, section 6.3; both framings at once are an attempt to smuggle, or a defect.
    fn framing(&self) -> Result<Framing, NoHead> {
        match (self.is_chunked, self.length) {
            (true, Some(_)) => Err(NoHead),
            (true, None) => Ok(Framing::chunked()),
            (false, Some(length)) => Ok(Framing::Length(length)),
            (false, None) => Ok(Framing::UntilClose),
        }
    }
}

/// The kinds that engines send cost nothing to keep.
fn keep_kind(value: &[u8]) -> Option<HeaderValue> {
    const USUAL: [&str; 2] = ["application/json", "text/event-stream"];
    let usual = USUAL.into_iter().find(|kind| kind.as_bytes() == value);
    usual.map(HeaderValue::from_static).or_else(|| HeaderValue::from_bytes(value).ok())
}

fn is_equal(text: &[u8], word: &[u8]) -> bool {
    text.trim_ascii().eq_ignore_ascii_case(word)
}
