//! An event stream on its way: each event passes as it comes, the record is written before the last one.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use keisan_route::{Code, Refusal};

use crate::dialect::{Dialect, EventFate, View, translate_error_line};
use crate::error::format_event;
use crate::record::Outcome;
use crate::sse::{EventKind, EventSplitter, read_event};
use crate::steps::meter::{Ending, OpenCall};
use crate::upstream_body::{UpstreamBody, UpstreamFault};

/// How long an engine may take to close a stream that it has ended.
const CLOSING_TIME: Duration = Duration::from_secs(1);

/// A stream. Dropped before its end, its client is gone: the engine's work is cancelled with the connection.
#[derive(Debug)]
pub struct StreamBody {
    /// Gone once the stream has ended, one way or the other.
    upstream: Option<UpstreamBody>,
    /// What had come when the answer was begun.
    first: Option<Bytes>,
    splitter: EventSplitter,
    events: EventRelay,
}

impl StreamBody {
    pub fn new((first, upstream): (Bytes, UpstreamBody), call: Box<OpenCall>, view: View) -> Self {
        let event_bytes_max = usize::try_from(call.gateway().limits().event_bytes_max).unwrap_or(usize::MAX);
        let dialect = call.dialect();
        let events = EventRelay { call: Some(call), dialect, view, fault: None, passed: BytesMut::new() };
        Self { upstream: Some(upstream), first: Some(first), splitter: EventSplitter::new(event_bytes_max), events }
    }

    pub fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            let passed = self.take(first);
            if !passed.is_empty() {
                return Poll::Ready(Some(passed));
            }
        }
        loop {
            let Some(upstream) = &mut self.upstream else {
                return Poll::Ready(None);
            };
            let polled = upstream.poll_bytes(context);
            if self.events.call.is_none() {
                self.close(polled.is_pending());
                return Poll::Ready(None);
            }
            match ready!(polled) {
                Some(Ok(piece)) => {
                    let passed = self.take(piece);
                    if !passed.is_empty() {
                        return Poll::Ready(Some(passed));
                    }
                }
                Some(Err(UpstreamFault::Idle)) => return Poll::Ready(Some(self.cut(Code::EngineTimeout))),
                Some(Err(UpstreamFault::Lost)) | None => return Poll::Ready(Some(self.cut(Code::EngineLost))),
            }
        }
    }

    /// Returns what of a piece goes to the client now.
    fn take(&mut self, piece: Bytes) -> Bytes {
        if let Some(call) = &mut self.events.call {
            call.note_upstream();
        }
        let events = &mut self.events;
        let is_bounded = self.splitter.split(piece, |event| events.take(&event)).is_ok();
        let fault = self.events.fault.take();
        if let Some(fault) = fault {
            self.end_with(&fault, Outcome::EngineRefused);
        } else if !is_bounded && self.events.call.is_some() {
            let fault = Refusal::new(Code::EngineError, "the model's engine sent an event beyond all bounds");
            self.end_with(&fault, Outcome::EngineCut);
        }
        self.events.passed.split().freeze()
    }

    /// The engine went away: the client gets one event that says so, and the stream ends.
    fn cut(&mut self, code: Code) -> Bytes {
        let fault = Refusal::new(code, "the model's engine was lost before the answer was complete");
        self.end_with(&fault, Outcome::EngineCut);
        self.events.passed.split().freeze()
    }

    fn end_with(&mut self, fault: &Refusal, outcome: Outcome) {
        self.upstream = None;
        let Some(mut call) = self.events.call.take() else {
            return;
        };
        let event = format_event(fault);
        call.note_delivered(event.len(), 1);
        // The client sees an error either way; a record that cannot be written is counted and flips health.
        let _ = call.settle(Ending { outcome, status: 200, code: Some(fault.code) });
        self.events.passed.extend_from_slice(&event);
    }

    /// The answer is complete. If the engine has yet to say so, it is heard elsewhere, to keep its connection.
    fn close(&mut self, is_pending: bool) {
        let Some(mut upstream) = self.upstream.take().filter(|_| is_pending) else {
            return;
        };
        let closing = async move { while let Some(Ok(_)) = upstream.next().await {} };
        tokio::spawn(async move { tokio::time::timeout(CLOSING_TIME, closing).await });
    }
}

/// What happens to each event.
#[derive(Debug)]
struct EventRelay {
    /// Gone once the call is settled; what the engine says afterwards is dropped.
    call: Option<Box<OpenCall>>,
    dialect: Dialect,
    view: View,
    fault: Option<Refusal>,
    passed: BytesMut,
}

impl EventRelay {
    fn take(&mut self, event: &[u8]) {
        let Some(call) = self.call.as_mut().filter(|_| self.fault.is_none()) else {
            return;
        };
        let data = match read_event(event) {
            EventKind::Done => return self.finish(event),
            EventKind::Error(text) => {
                self.fault = Some(translate_error_line(text));
                return;
            }
            EventKind::Other => return self.pass(event, 0),
            EventKind::Data(data) => data,
        };
        match self.dialect.read_event(&data, &self.view, &mut call.usage) {
            EventFate::Pass => self.pass(event, 1),
            EventFate::Hide => {}
            EventFate::Rewrite(json) => self.pass_data(&json),
            EventFate::Fault(fault) => self.fault = Some(fault),
        }
    }

    fn pass(&mut self, event: &[u8], events: u64) {
        if let Some(call) = &mut self.call {
            call.note_delivered(event.len(), events);
        }
        self.passed.extend_from_slice(event);
    }

    /// Passes JSON on as an event of one line; line feeds stand between tokens only, where a space means the same.
    fn pass_data(&mut self, json: &[u8]) {
        const FIELD: &[u8] = b"data: ";
        const END: &[u8] = b"\n\n";
        let start = self.passed.len() + FIELD.len();
        self.passed.reserve(FIELD.len() + json.len() + END.len());
        for part in [FIELD, json, END] {
            self.passed.extend_from_slice(part);
        }
        for byte in &mut self.passed[start..start + json.len()] {
            *byte = if matches!(*byte, b'\n' | b'\r') { b' ' } else { *byte };
        }
        if let Some(call) = &mut self.call {
            call.note_delivered(FIELD.len() + json.len() + END.len(), 1);
        }
    }

    /// The record first, then the event that ends the stream.
    fn finish(&mut self, event: &[u8]) {
        let Some(mut call) = self.call.take() else {
            return;
        };
        call.note_delivered(event.len(), 1);
        match call.settle(Ending::COMPLETED) {
            Ok(()) => self.passed.extend_from_slice(event),
            Err(unmetered) => self.passed.extend_from_slice(&format_event(&unmetered)),
        }
    }
}
