//! Splits a server-sent event stream into whole events, whatever pieces it comes in, with bounded memory.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use memchr::memchr;

/// An event grew past the limit.
#[derive(Debug, PartialEq, Eq)]
pub struct EventTooLarge;

/// Holds the beginning of an event whose end has not come.
#[derive(Debug)]
pub struct EventSplitter {
    carry: BytesMut,
    /// Up to here the carried bytes hold no end of an event.
    scanned: usize,
    event_bytes_max: usize,
}

impl EventSplitter {
    pub fn new(event_bytes_max: usize) -> Self {
        Self { carry: BytesMut::new(), scanned: 0, event_bytes_max }
    }

    /// Takes the next piece and hands each whole event, its closing blank line included, to `take`.
    pub fn split(&mut self, mut piece: Bytes, mut take: impl FnMut(Bytes)) -> Result<(), EventTooLarge> {
        if self.carry.is_empty() {
            while let Some(end) = find_event_end(&piece, 0) {
                take(piece.split_to(end));
            }
            self.carry.extend_from_slice(&piece);
        } else {
            self.carry.extend_from_slice(&piece);
            while let Some(end) = find_event_end(&self.carry, self.scanned) {
                take(self.carry.split_to(end).freeze());
                self.scanned = 0;
            }
        }
        // The end of an event has at most four bytes, so the last three are looked at again.
        self.scanned = self.carry.len().saturating_sub(3);
        if self.carry.len() > self.event_bytes_max { Err(EventTooLarge) } else { Ok(()) }
    }

    /// What came behind the last whole event.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn rest(&self) -> &[u8] {
        &self.carry
    }
}

/// Returns the position behind the first blank line at or after `from`.
fn find_event_end(bytes: &[u8], mut from: usize) -> Option<usize> {
    while let Some(found) = memchr(b'\n', bytes.get(from..)?) {
        let next = from + found + 1;
        match bytes.get(next..) {
            Some([b'\n', ..]) => return Some(next + 1),
            Some([b'\r', b'\n', ..]) => return Some(next + 2),
            _ => from = next,
        }
    }
    None
}

/// What an event says.
#[derive(Debug, PartialEq, Eq)]
pub enum EventKind<'a> {
    Done,
    Data(Cow<'a, [u8]>),
    /// The `error:` line of older llama.cpp servers.
    Error(&'a [u8]),
    /// Comments and fields without data.
    Other,
}

/// Reads an event; several data lines are one text, joined by line feeds as the standard says.
pub fn read_event(event: &[u8]) -> EventKind<'_> {
    let mut data: Option<Cow<'_, [u8]>> = None;
    let mut rest = event;
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(memchr(b'\n', rest).unwrap_or(rest.len()));
        rest = behind.get(1..).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(text) = strip_field(line, b"data:") {
            data = Some(match data {
                None => Cow::Borrowed(text),
                Some(lines) => Cow::Owned([&lines, text].join(&b'\n')),
            });
        } else if let Some(text) = strip_field(line, b"error:") {
            return EventKind::Error(text);
        }
    }
    match data {
        Some(text) if text.as_ref() == b"[DONE]" => EventKind::Done,
        Some(text) => EventKind::Data(text),
        None => EventKind::Other,
    }
}

fn strip_field<'a>(line: &'a [u8], field: &[u8]) -> Option<&'a [u8]> {
    let text = line.strip_prefix(field)?;
    Some(text.strip_prefix(b" ").unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": ping\n\ndata: {\"a\":1}\n\nevent: x\r\ndata: b\r\n\r\ndata: [DONE]\n\n";

    fn split_in(size: usize) -> Vec<Vec<u8>> {
        let mut splitter = EventSplitter::new(64);
        let mut events = Vec::new();
        for piece in STREAM.as_bytes().chunks(size) {
            splitter.split(Bytes::copy_from_slice(piece), |event| events.push(event.to_vec())).unwrap();
        }
        assert!(splitter.rest().is_empty());
        events
    }

    #[test]
    fn pieces_of_any_size_give_the_same_events() {
        let whole = split_in(STREAM.len());
        assert_eq!(whole.len(), 4);
        assert_eq!(whole.concat(), STREAM.as_bytes());
        for size in 1..STREAM.len() {
            assert_eq!(split_in(size), whole, "pieces of {size}");
        }
    }

    #[test]
    fn events_say_what_they_are() {
        assert_eq!(read_event(b"data: [DONE]\n\n"), EventKind::Done);
        assert_eq!(read_event(b"data:{}\r\n\r\n"), EventKind::Data(Cow::Borrowed(b"{}")));
        assert_eq!(read_event(b"data: {\ndata: }\n\n"), EventKind::Data(Cow::Owned(b"{\n}".to_vec())));
        assert_eq!(read_event(b"error: {\"code\":500}\n\n"), EventKind::Error(b"{\"code\":500}"));
        assert_eq!(read_event(b": ping\n\n"), EventKind::Other);
        assert_eq!(read_event(b"event: x\nid: 1\n\n"), EventKind::Other);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut splitter = EventSplitter::new(8);
        assert_eq!(splitter.split(Bytes::from_static(b"data: ab"), |_| ()), Ok(()));
        assert_eq!(splitter.split(Bytes::from_static(b"c"), |_| ()), Err(EventTooLarge));
    }

    #[test]
    fn what_is_left_over_is_kept_apart() {
        let mut splitter = EventSplitter::new(64);
        splitter.split(Bytes::from_static(b"data: a\n\ndata: b\n"), |_| ()).unwrap();
        assert_eq!(splitter.rest(), b"data: b\n");
    }
}
