//! The answer of an engine on its socket: its head and the framing of its body, against a plain reading by RFC 9112.
//! What is read is the same whatever pieces it comes in, and what stands behind an answer is never taken for its body.
//! The same bytes are tried as a client's request, too.

use bytes::BytesMut;
use keisan_relay::fuzzing::{Framing, ParsedHead, parse_head};

use crate::usual::check_usual;

pub fn check_http1(input: &[u8]) {
    // The first byte says how large the pieces are; digits and letters do as well as any.
    let Some((size, answer)) = input.split_first() else {
        return;
    };
    check_usual(answer);
    let piece_bytes = usize::from(size % 64) + 1;
    let Some(parsed) = check_head(answer, piece_bytes) else {
        return;
    };
    check_kept(&parsed, &Said::read(&answer[..parsed.length]));
    let body = &answer[parsed.length..];
    let whole = take_body(parsed.framing, body, body.len().max(1));
    for size in [1, piece_bytes] {
        assert_eq!(take_body(parsed.framing, body, size), whole, "pieces of {size}");
    }
    assert_eq!(whole, read_body(parsed.framing, body));
}

/// A head reads as itself as soon as it is whole, and not before; what follows it changes nothing.
fn check_head(answer: &[u8], piece_bytes: usize) -> Option<ParsedHead> {
    let whole = parse_head(answer);
    for end in (0..answer.len()).step_by(piece_bytes) {
        let part = parse_head(&answer[..end]);
        match (&part, &whole) {
            (Ok(None), _) | (Err(_), Err(_)) => {}
            (Ok(Some(early)), Ok(Some(late))) => assert_eq!(format!("{early:?}"), format!("{late:?}")),
            _ => panic!("{part:?} of {end} bytes, {whole:?} of all"),
        }
        assert!(end == 0 || !matches!((&part, &whole), (Ok(None), Ok(Some(late))) if late.length <= end));
    }
    let parsed = whole.ok().flatten()?;
    let head = &answer[..parsed.length];
    assert!(head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n"), "{}", head.escape_ascii());
    Some(parsed)
}

/// What a head says of the body and of the connection.
#[derive(Debug, Default)]
pub struct Said {
    is_new: bool,
    pub lengths: Vec<String>,
    pub codings: Vec<String>,
    pub options: Vec<String>,
    /// Of `Expect` and `Upgrade`.
    pub others: Vec<String>,
}

impl Said {
    pub fn read(head: &[u8]) -> Self {
        let text: String = head.iter().map(|byte| char::from(*byte)).collect();
        let mut lines = text.trim_start().lines();
        let is_new = lines.next().is_some_and(|line| line.starts_with("HTTP/1.1"));
        let mut said = Self { is_new, ..Self::default() };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let values = value.split(',').map(|value| value.trim_matches([' ', '\t']).to_ascii_lowercase());
            match name.to_ascii_lowercase().as_str() {
                "content-length" => said.lengths.extend(values),
                "transfer-encoding" => said.codings.extend(values),
                "connection" => said.options.extend(values),
                "expect" | "upgrade" => said.others.extend(values),
                _ => {}
            }
        }
        said
    }

    /// Section 6.3. Nothing if it leaves open where the body ends.
    fn framing(&self) -> Option<Framing> {
        match (&self.codings[..], &self.lengths[..]) {
            ([], []) => Some(Framing::UntilClose),
            ([coding], []) if coding == "chunked" => Some(Framing::chunked()),
            ([], [first, rest @ ..]) if rest.iter().all(|other| other.parse::<u64>() == first.parse()) => {
                first.parse().ok().filter(|_| !first.starts_with('+')).map(Framing::Length)
            }
            _ => None,
        }
    }

    /// Section 9.3: "close" ends a connection, whatever else is said.
    fn is_kept(&self) -> bool {
        let has = |wanted: &str| self.options.iter().any(|option| option == wanted);
        !has("close") && (self.is_new || has("keep-alive"))
    }
}

fn check_kept(parsed: &ParsedHead, said: &Said) {
    let has_body = !matches!(parsed.head.status, 100..=199 | 204 | 304);
    let framing = if has_body { said.framing() } else { Some(Framing::END) };
    assert_eq!(Some(parsed.framing), framing, "{said:?}");
    if parsed.is_kept {
        assert!(said.is_kept() && framing != Some(Framing::UntilClose) && parsed.head.status != 101, "{said:?}");
    }
}

/// What became of a body.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// And what stands behind it.
    Ended(Vec<u8>),
    Unfinished,
    Misframed,
}

fn take_body(mut framing: Framing, bytes: &[u8], size: usize) -> (Vec<u8>, Outcome) {
    let (mut buffer, mut body) = (BytesMut::new(), Vec::new());
    let mut pieces = bytes.chunks(size);
    loop {
        match framing.take(&mut buffer) {
            Err(_) => return (body, Outcome::Misframed),
            Ok(Some(data)) => {
                assert!(!data.is_empty());
                body.extend_from_slice(&data);
            }
            Ok(None) if framing.is_at_end() => {
                let read: Vec<_> = std::iter::once(&buffer[..]).chain(pieces).collect();
                return (body, Outcome::Ended(read.concat()));
            }
            Ok(None) => match pieces.next() {
                Some(piece) => buffer.extend_from_slice(piece),
                None => return (body, Outcome::Unfinished),
            },
        }
    }
}

fn read_body(framing: Framing, bytes: &[u8]) -> (Vec<u8>, Outcome) {
    match framing {
        Framing::UntilClose => (bytes.to_vec(), Outcome::Unfinished),
        Framing::Length(length) => match usize::try_from(length).ok().and_then(|length| bytes.split_at_checked(length))
        {
            Some((body, rest)) => (body.to_vec(), Outcome::Ended(rest.to_vec())),
            None => (bytes.to_vec(), Outcome::Unfinished),
        },
        Framing::Chunked(_) => {
            let mut body = Vec::new();
            let outcome = read_chunks(bytes, &mut body);
            (body, outcome)
        }
    }
}

const LINE_BYTES_MAX: usize = 1_024;
const TRAILERS_MAX: usize = 32;

/// Section 7.1; a line may end without CR.
fn read_chunks(mut rest: &[u8], body: &mut Vec<u8>) -> Outcome {
    loop {
        let line = match take_line(&mut rest) {
            Ok(line) => line,
            Err(outcome) => return outcome,
        };
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let is_number = digits.len() <= 16 && digits.iter().all(u8::is_ascii_hexdigit);
        let digits = std::str::from_utf8(digits).ok().filter(|_| is_number);
        let Some(size) = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()) else {
            return Outcome::Misframed;
        };
        if size == 0 {
            return read_trailers(rest);
        }
        let length = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
        body.extend_from_slice(&rest[..length]);
        rest = &rest[length..];
        if (length as u64) < size {
            return Outcome::Unfinished;
        }
        match take_line(&mut rest) {
            Ok([]) => {}
            Ok(_) => return Outcome::Misframed,
            Err(outcome) => return outcome,
        }
    }
}

fn read_trailers(mut rest: &[u8]) -> Outcome {
    for _ in 0..=TRAILERS_MAX {
        match take_line(&mut rest) {
            Ok([]) => return Outcome::Ended(rest.to_vec()),
            Ok(_) => {}
            Err(outcome) => return outcome,
        }
    }
    Outcome::Misframed
}

fn take_line<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Outcome> {
    let end = rest.iter().take(LINE_BYTES_MAX + 1).position(|byte| *byte == b'\n');
    let Some(end) = end else {
        return Err(if rest.len() > LINE_BYTES_MAX { Outcome::Misframed } else { Outcome::Unfinished });
    };
    let line = &rest[..end];
    *rest = &rest[end + 1..];
    Ok(line.strip_suffix(b"\r").unwrap_or(line))
}
