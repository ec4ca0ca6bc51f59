//! The spans of one call while it runs: its own, and one for each attempt at a replica. A call that is not sampled keeps
//! no more than what its engine is told.

use std::time::{Duration, Instant};

use keisan_route::{Code, Quantities, Refusal, Surface, TokenClass};

use super::attribute as attributes;
use super::context::{Ids, TraceContext, TraceWords, name_attempt};
use super::span::{Kind, Span};
use super::tracer::Tracer;
use super::{PROVIDER, name_operation};
use crate::clock::read_wall_ns;
use crate::record::Outcome;
use crate::record_id::RecordId;
use crate::steps::meter::Ending;
use crate::usage::UsageSource;

/// The trace of an admitted call.
#[derive(Debug)]
pub struct CallTrace {
    context: TraceContext,
    /// Begun so far.
    attempts: u64,
    /// Of a sampled call.
    draft: Option<Box<Draft>>,
}

#[derive(Debug)]
struct Draft {
    ids: Ids,
    clock: SpanClock,
    attempts: Vec<Attempt>,
}

#[derive(Debug)]
struct Attempt {
    span_id: u64,
    replica_id: String,
    began: Instant,
    status: Option<u16>,
    fault: Option<(Instant, Code)>,
}

/// Wall times of a span: one look at the wall clock, the rest by the clock that no one sets.
#[derive(Clone, Copy, Debug)]
struct SpanClock {
    arrived: Instant,
    arrived_ns: u64,
}

/// How a call ended and what it came to.
#[derive(Debug)]
pub struct Ended<'a> {
    pub surface: Surface,
    pub model: &'a str,
    pub record_id: RecordId,
    pub replica_id: &'a str,
    pub organization_id: &'a str,
    pub ending: Ending,
    pub quantities: &'a Quantities,
    pub usage_source: UsageSource,
}

impl CallTrace {
    pub fn open(context: &TraceContext, arrived: Instant) -> Self {
        let draft = |ids: Ids| Box::new(Draft { ids, clock: SpanClock::start(arrived), attempts: Vec::new() });
        Self { context: context.clone(), attempts: 0, draft: context.sampled().map(draft) }
    }

    pub fn begin_attempt(&mut self, replica_id: &str) {
        self.attempts += 1;
        if let Some(draft) = &mut self.draft {
            draft.attempts.push(Attempt {
                span_id: name_attempt(draft.ids.span_id, self.attempts),
                replica_id: replica_id.to_owned(),
                began: Instant::now(),
                status: None,
                fault: None,
            });
        }
    }

    /// The attempt under way brought no answer.
    pub fn fail_attempt(&mut self, code: Code) {
        if let Some(attempt) = self.draft.as_mut().and_then(|draft| draft.attempts.last_mut()) {
            attempt.fault = Some((Instant::now(), code));
        }
    }

    /// The attempt under way brought the beginning of an answer.
    pub fn note_answer(&mut self, status: u16) {
        if let Some(attempt) = self.draft.as_mut().and_then(|draft| draft.attempts.last_mut()) {
            attempt.status = Some(status);
        }
    }

    /// What the engine of the attempt under way is told.
    pub fn tell(&self) -> TraceWords<'_> {
        self.context.tell(self.attempts)
    }

    /// Hands in the spans of a call that has ended.
    pub fn finish(&mut self, tracer: &Tracer, ended: &Ended<'_>) {
        let Some(draft) = self.draft.take() else {
            return;
        };
        // One end for both: an attempt never outlasts its call.
        let now = Instant::now();
        let mut spans = vec![draft.describe_call(ended, now)];
        spans.extend(draft.attempts.iter().map(|attempt| draft.describe_attempt(attempt, ended, now)));
        tracer.hand_in(spans);
    }
}

impl SpanClock {
    fn start(arrived: Instant) -> Self {
        Self { arrived, arrived_ns: read_wall_ns().saturating_sub(count_ns(arrived.elapsed())) }
    }

    fn read(&self, moment: Instant) -> u64 {
        self.arrived_ns.saturating_add(count_ns(moment.saturating_duration_since(self.arrived)))
    }
}

fn count_ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Draft {
    fn describe_call(&self, ended: &Ended<'_>, now: Instant) -> Span {
        let Ended { ending, quantities, .. } = ended;
        let mut span = begin_call(self.ids, self.clock, ended.surface, now);
        span.name = name_span(ended);
        span.note(attributes::REQUEST_MODEL, ended.model);
        if ending.outcome == Outcome::Completed {
            span.note(attributes::RESPONSE_MODEL, ended.model);
        }
        if ended.usage_source != UsageSource::None {
            let sum = |classes: &[TokenClass]| {
                classes.iter().map(|class| quantities.get(*class)).fold(0, u64::saturating_add)
            };
            let input = [TokenClass::Input, TokenClass::InputCached, TokenClass::InputCacheWrite];
            span.count(attributes::INPUT_TOKENS, sum(&input));
            span.count(attributes::OUTPUT_TOKENS, sum(&[TokenClass::Output, TokenClass::Reasoning]));
        }
        span.note(attributes::RECORD, ended.record_id.as_str());
        span.note(attributes::REPLICA, ended.replica_id);
        span.note(attributes::ORGANIZATION, ended.organization_id);
        span.note(attributes::OUTCOME, ending.outcome.name());
        span.note(attributes::USAGE_SOURCE, ended.usage_source.name());
        end_call(&mut span, ending.status, ending.code);
        span
    }

    fn describe_attempt(&self, attempt: &Attempt, ended: &Ended<'_>, now: Instant) -> Span {
        let is_engine_s = matches!(ended.ending.outcome, Outcome::EngineCut | Outcome::EngineRefused);
        let at_end = || ended.ending.code.filter(|_| is_engine_s);
        let fault = attempt.fault.map_or_else(at_end, |(_, code)| Some(code));
        let end = attempt.fault.map_or(now, |(end, _)| end);
        let mut span = Span {
            trace_id: self.ids.trace_id,
            span_id: attempt.span_id,
            parent_id: Some(self.ids.span_id),
            kind: Kind::Attempt,
            name: name_span(ended),
            start_ns: self.clock.read(attempt.began),
            end_ns: self.clock.read(end),
            attributes: Vec::new(),
            is_failed: fault.is_some(),
        };
        span.note(attributes::OPERATION, name_operation(ended.surface));
        span.note(attributes::PROVIDER, PROVIDER);
        span.note(attributes::REQUEST_MODEL, ended.model);
        span.note(attributes::REPLICA, attempt.replica_id.as_str());
        if let Some(status) = attempt.status {
            span.count(attributes::STATUS, status);
        }
        if let Some(code) = fault {
            span.note(attributes::ERROR, code.name());
        }
        span
    }
}

/// Source of the form: semantic conventions for generative AI, "Span name".
fn name_span(ended: &Ended<'_>) -> String {
    format!("{} {}", name_operation(ended.surface), ended.model)
}

fn begin_call(ids: Ids, clock: SpanClock, surface: Surface, now: Instant) -> Span {
    let mut span = Span {
        trace_id: ids.trace_id,
        span_id: ids.span_id,
        parent_id: ids.parent_id,
        kind: Kind::Call,
        name: name_operation(surface).to_owned(),
        start_ns: clock.arrived_ns,
        end_ns: clock.read(now),
        attributes: Vec::with_capacity(13),
        is_failed: false,
    };
    span.note(attributes::OPERATION, name_operation(surface));
    span.note(attributes::PROVIDER, PROVIDER);
    span
}

/// A server has not failed where the client is at fault. Source: semantic conventions for HTTP, "Status".
fn end_call(span: &mut Span, status: u16, code: Option<Code>) {
    span.count(attributes::STATUS, status);
    if let Some(code) = code {
        span.note(attributes::ERROR, code.name());
    }
    span.is_failed = code.map_or(status, Code::status) >= 500;
}

/// Hands in the one span of a request that was refused to a caller who is known.
pub fn trace_refusal(
    tracer: &Tracer,
    (context, arrived): (&TraceContext, Instant),
    (surface, organization_id): (Surface, &str),
    refusal: &Refusal,
) {
    let Some(ids) = context.sampled() else {
        return;
    };
    let mut span = begin_call(ids, SpanClock::start(arrived), surface, Instant::now());
    span.note(attributes::ORGANIZATION, organization_id);
    end_call(&mut span, refusal.code.status(), Some(refusal.code));
    tracer.hand_in(vec![span]);
}
