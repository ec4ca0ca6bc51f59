//! A JSON answer on its way: pieces pass through, the last is held back until the record is written.

use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use keisan_route::{Code, Refusal};

use crate::body::{BrokenAnswer, RelayBody};
use crate::dialect::{View, WholeAnswer, translate_answer};
use crate::member_text::MemberText;
use crate::record::Outcome;
use crate::steps::meter::{Ending, OpenCall};
use crate::upstream_body::{UpstreamBody, UpstreamFault};
use crate::usage::parse_usage;

/// An engine's error text is read up to here; what it says beyond is not needed.
const ERROR_BYTES_MAX: usize = 64 * 1024;
const USAGE_BYTES_MAX: usize = 16 * 1024;

/// Reads an engine's answer up to its second piece. Most answers have one, and are then settled before their head goes
/// out, so that a record that cannot be written becomes an error with a status.
pub async fn relay_answer(
    upstream: UpstreamBody,
    call: Box<OpenCall>,
    (status, view): (u16, View),
) -> Result<RelayBody, Refusal> {
    if !(200..300).contains(&status) {
        // In a box: most calls have no use for the room.
        return Err(Box::pin(refuse_answer(upstream, call, status)).await);
    }
    let mut reading = Reading::new(upstream, call);
    let first = match reading.next().await {
        Ok(first) => first.unwrap_or_default(),
        Err(code) => return Err(reading.cut(code)),
    };
    let held = if reading.upstream.is_at_end() { Ok(None) } else { reading.next().await };
    match held {
        Ok(None) => reading.complete_whole(first, &view),
        Ok(Some(held)) => match reading.follow(&first).and_then(|()| reading.follow(&held)) {
            Ok(()) => Ok(RelayBody::Answer(Box::new(AnswerBody::new(reading, first, held)))),
            Err(code) => Err(reading.cut(code)),
        },
        Err(code) => Err(reading.cut(code)),
    }
}

async fn refuse_answer(mut upstream: UpstreamBody, mut call: Box<OpenCall>, status: u16) -> Refusal {
    let mut text = Vec::new();
    while let Some(Ok(piece)) = upstream.next().await {
        text.extend_from_slice(&piece);
        if text.len() > ERROR_BYTES_MAX {
            break;
        }
    }
    call.note_upstream();
    let refusal = translate_answer(status, &text);
    match call.settle(Ending::failed(Outcome::EngineRefused, refusal.code)) {
        Ok(()) => refusal,
        Err(unmetered) => unmetered,
    }
}

/// An answer while it is read.
#[derive(Debug)]
struct Reading {
    upstream: UpstreamBody,
    call: Box<OpenCall>,
    usage: MemberText,
    read_bytes: u64,
}

impl Reading {
    fn new(upstream: UpstreamBody, call: Box<OpenCall>) -> Self {
        Self { upstream, call, usage: MemberText::new("usage"), read_bytes: 0 }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Code> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Code>> {
        let polled = ready!(self.upstream.poll_bytes(context));
        self.call.note_upstream();
        Poll::Ready(match polled {
            None => Ok(None),
            Some(Ok(piece)) => Ok(Some(piece)),
            Some(Err(UpstreamFault::Lost)) => Err(Code::EngineLost),
            Some(Err(UpstreamFault::Idle)) => Err(Code::EngineTimeout),
        })
    }

    /// Looks for the usage in the next of several pieces.
    fn follow(&mut self, piece: &[u8]) -> Result<(), Code> {
        self.read_bytes += piece.len() as u64;
        self.usage.scan(piece);
        let response_bytes_max = self.call.gateway().limits().response_bytes_max;
        let is_large = self.read_bytes > response_bytes_max || self.usage.text().len() > USAGE_BYTES_MAX;
        if is_large || self.usage.is_no_object() { Err(Code::EngineError) } else { Ok(()) }
    }

    /// Settles the call of an answer that came in one piece.
    fn complete_whole(mut self, piece: Bytes, view: &View) -> Result<RelayBody, Refusal> {
        let Some(WholeAnswer { usage, rewritten }) = self.call.dialect().read_answer(&piece, view) else {
            return Err(self.cut(Code::EngineError));
        };
        self.upstream.finish();
        if let Some(usage) = usage {
            self.call.usage.set_final(usage);
        }
        let body = rewritten.map_or(piece, Bytes::from);
        self.call.note_delivered(body.len(), 0);
        self.call.settle(Ending::COMPLETED)?;
        Ok(RelayBody::Full(body))
    }

    /// The engine says that all pieces are here: settles the call. An engine that was cut off without a length to miss says
    /// so too, so that an object must have been closed.
    fn complete(mut self) -> Result<(), Refusal> {
        if !self.usage.is_complete() {
            return Err(self.cut(Code::EngineError));
        }
        self.upstream.finish();
        if let Some(usage) = parse_usage(self.usage.text()) {
            self.call.usage.set_final(usage);
        }
        self.call.settle(Ending::COMPLETED)
    }

    fn cut(self, code: Code) -> Refusal {
        match self.call.settle(Ending::failed(Outcome::EngineCut, code)) {
            Ok(()) => Refusal::new(code, "the model's engine gave no whole answer"),
            Err(unmetered) => unmetered,
        }
    }
}

/// An answer of several pieces. Dropped before its end, its client is gone: the engine is heard to the end elsewhere,
/// for a while, since only a whole answer is billed (R6).
#[derive(Debug)]
pub struct AnswerBody {
    reading: Option<Reading>,
    first: Option<Bytes>,
    held: Option<Bytes>,
}

impl AnswerBody {
    fn new(reading: Reading, first: Bytes, held: Bytes) -> Self {
        Self { reading: Some(reading), first: Some(first), held: Some(held) }
    }

    pub fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenAnswer>>> {
        if let Some(first) = self.first.take() {
            self.note_delivered(&first);
            return Poll::Ready(Some(Ok(first)));
        }
        let Some(reading) = &mut self.reading else {
            return Poll::Ready(self.held.take().map(Ok));
        };
        if reading.upstream.is_at_end() {
            return Poll::Ready(self.end());
        }
        let next = ready!(reading.poll_next(context));
        match next.and_then(|piece| piece.map(|piece| reading.follow(&piece).map(|()| piece)).transpose()) {
            Ok(Some(piece)) => {
                let passed = self.held.replace(piece).unwrap_or_default();
                self.note_delivered(&passed);
                Poll::Ready(Some(Ok(passed)))
            }
            Ok(None) => Poll::Ready(self.end()),
            Err(code) => {
                if let Some(reading) = self.reading.take() {
                    reading.cut(code);
                }
                self.held = None;
                Poll::Ready(Some(Err(BrokenAnswer)))
            }
        }
    }

    fn note_delivered(&mut self, bytes: &Bytes) {
        if let Some(reading) = &mut self.reading {
            reading.call.note_delivered(bytes.len(), 0);
        }
    }

    /// The record first, then the last piece.
    fn end(&mut self) -> Option<Result<Bytes, BrokenAnswer>> {
        let held = self.held.take()?;
        self.note_delivered(&held);
        match self.reading.take().map(Reading::complete) {
            Some(Err(_)) => Some(Err(BrokenAnswer)),
            _ => Some(Ok(held)),
        }
    }

    /// Reads to the end without a client.
    pub async fn drain(mut self) {
        while let Some(Ok(_)) = std::future::poll_fn(|context| self.poll_bytes(context)).await {}
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        let Some(reading) = self.reading.take() else {
            return;
        };
        let was_gone = reading.call.client_flag().swap(true, Ordering::AcqRel);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if !was_gone {
            let time = Duration::from_secs(reading.call.gateway().limits().drain_after_client_s);
            let body = Self { reading: Some(reading), first: self.first.take(), held: self.held.take() };
            // Past the time the call is dropped with its answer unread: nothing is billed.
            runtime.spawn(async move { tokio::time::timeout(time, body.drain()).await });
        }
    }
}
