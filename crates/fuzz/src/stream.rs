//! The stream parser: events are the same whatever pieces they come in, and nothing is lost or added between them.
//! What an event becomes is `event.rs`; the same bytes as one JSON answer are `answer.rs`.

use std::borrow::Cow;

use bytes::Bytes;
use keisan_relay::fuzzing::{Dialect, EventKind, EventSplitter, RunningUsage, View, read_event, translate_error_line};

use crate::answer::check_answer;
use crate::event::{Heard, check_outside_text};

/// Far below what a gateway allows, so that small inputs reach it.
const EVENT_BYTES_MAX: usize = 16;

/// How an input is read: its first two bytes, for which digits and letters do as well as any.
pub struct Setup {
    pub running: RunningUsage,
    pub dialect: Dialect,
    pub view: View,
    pub piece_bytes: usize,
}

impl Setup {
    fn read(input: &[u8]) -> Option<(Self, &[u8])> {
        let (&[way, piece], stream) = input.split_first_chunk::<2>()?;
        let ways = [RunningUsage::None, RunningUsage::LlamaCppTimings, RunningUsage::ContinuousUsage];
        let running = ways[usize::from(way % 3)];
        let view = View::new(way / 3 % 2 == 1, "m");
        let setup = Self { running, dialect: Dialect::new(running), view, piece_bytes: usize::from(piece % 64) + 1 };
        Some((setup, stream))
    }
}

pub fn check_stream(input: &[u8]) {
    let Some((setup, stream)) = Setup::read(input) else {
        return;
    };
    let events = check_splitting(stream, setup.piece_bytes);
    check_bound(stream, setup.piece_bytes, &events);
    let mut heard = Heard::default();
    for event in &events {
        let kind = read_event(event);
        assert_eq!(kind, read_plainly(event));
        match kind {
            EventKind::Data(json) => heard.check_event(&json, &setup),
            EventKind::Error(text) => check_outside_text(&translate_error_line(text)),
            EventKind::Done | EventKind::Other => {}
        }
    }
    heard.check_conclusion();
    check_answer(stream, &setup);
}

/// Returns the whole events, and what is left.
fn split_events(stream: &[u8], piece_bytes: usize) -> (Vec<Bytes>, Vec<u8>) {
    let mut splitter = EventSplitter::new(stream.len());
    let mut events = Vec::new();
    for piece in stream.chunks(piece_bytes) {
        let split = splitter.split(Bytes::copy_from_slice(piece), |event| events.push(event));
        assert!(split.is_ok(), "an event larger than its stream");
    }
    (events, splitter.rest().to_vec())
}

fn check_splitting(stream: &[u8], piece_bytes: usize) -> Vec<Bytes> {
    let (events, rest) = split_events(stream, stream.len().max(1));
    for size in [1, piece_bytes] {
        assert_eq!(split_events(stream, size), (events.clone(), rest.clone()), "pieces of {size}");
    }
    assert_eq!([&events.concat(), &rest[..]].concat(), stream);
    for event in &events {
        assert_eq!(find_blank_line(event), Some(event.len()), "{event:?}");
    }
    assert_eq!(find_blank_line(&rest), None);
    events
}

/// Returns the position behind the first blank line that follows a line's end.
fn find_blank_line(bytes: &[u8]) -> Option<usize> {
    (0..bytes.len()).find_map(|start| match &bytes[start..] {
        [b'\n', b'\n', ..] => Some(start + 2),
        [b'\n', b'\r', b'\n', ..] => Some(start + 3),
        _ => None,
    })
}

/// No more is carried than allowed, and no event is refused that fits.
fn check_bound(stream: &[u8], piece_bytes: usize, events: &[Bytes]) {
    let mut splitter = EventSplitter::new(EVENT_BYTES_MAX);
    let mut count = 0;
    for piece in stream.chunks(piece_bytes) {
        let split = splitter.split(Bytes::copy_from_slice(piece), |event| {
            assert_eq!(event, events[count]);
            count += 1;
        });
        assert_eq!(split.is_ok(), splitter.rest().len() <= EVENT_BYTES_MAX);
        if split.is_err() {
            return;
        }
    }
    assert_eq!(count, events.len());
}

/// Reads an event field by field, as the standard says it.
fn read_plainly(event: &[u8]) -> EventKind<'_> {
    let mut data: Vec<&[u8]> = Vec::new();
    for line in event.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let text = line[colon + 1..].strip_prefix(b" ").unwrap_or(&line[colon + 1..]);
        match &line[..colon] {
            b"data" => data.push(text),
            b"error" => return EventKind::Error(text),
            _ => {}
        }
    }
    match &data[..] {
        [] => EventKind::Other,
        [b"[DONE]"] => EventKind::Done,
        lines => EventKind::Data(Cow::Owned(lines.join(&b'\n'))),
    }
}
