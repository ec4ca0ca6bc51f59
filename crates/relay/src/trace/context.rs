//! Where a call stands in a trace. A call without a caller's trace begins one, whose id is its record's.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use super::parent::{Parent, ParentText};
use super::state::{STATE_HEADER, read_state};
use super::tracer::Tracer;
use crate::record_id::RecordId;

const PARENT_HEADER: HeaderName = HeaderName::from_static("traceparent");

/// What is known of the trace of a call when its request has come.
#[derive(Clone, Debug, Default)]
pub struct TraceContext {
    /// None if there is nothing to say to an engine.
    ids: Option<Ids>,
    state: Option<HeaderValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    pub trace_id: u128,
    pub span_id: u64,
    pub parent_id: Option<u64>,
    pub is_sampled: bool,
    /// The span is this gateway's; else it is the caller's, passed on as it came.
    pub is_own: bool,
}

impl TraceContext {
    /// Reads the caller's words, and takes a span id for this call if this gateway collects spans.
    pub fn read(tracer: &Tracer, headers: &HeaderMap, record_id: RecordId) -> Self {
        let parent = read_parent(headers);
        let state = parent.and_then(|_| read_state(headers));
        let passed = parent.map(|parent| Ids {
            trace_id: parent.trace_id,
            span_id: parent.span_id,
            parent_id: None,
            is_sampled: parent.is_sampled,
            is_own: false,
        });
        let ids = if tracer.is_collecting() { Some(begin_span(tracer, parent, record_id)) } else { passed };
        Self { ids, state }
    }

    /// The ids of this call's span, if it is to be handed in.
    pub fn sampled(&self) -> Option<Ids> {
        self.ids.filter(|ids| ids.is_own && ids.is_sampled)
    }

    /// What the engine of an attempt, counted from 1, is told.
    pub fn tell(&self, attempt: u64) -> TraceWords<'_> {
        let parent = self.ids.map(|ids| {
            let span_id = if ids.is_own { name_attempt(ids.span_id, attempt) } else { ids.span_id };
            Parent { trace_id: ids.trace_id, span_id, is_sampled: ids.is_sampled }.format()
        });
        TraceWords { parent, state: self.state.as_ref() }
    }
}

/// Exactly one header is a caller's word; several contradict each other.
fn read_parent(headers: &HeaderMap) -> Option<Parent> {
    let parent = Parent::parse(headers.get(&PARENT_HEADER)?.as_bytes())?;
    Some(parent).filter(|_| headers.get_all(&PARENT_HEADER).iter().nth(1).is_none())
}

/// Half of a record's id is random, which is as much as a span's id needs, and it is never zero.
#[allow(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
fn begin_span(tracer: &Tracer, parent: Option<Parent>, record_id: RecordId) -> Ids {
    let own_id = record_id.to_bits();
    let trace_id = parent.map_or(own_id, |parent| parent.trace_id);
    Ids {
        trace_id,
        span_id: own_id as u64,
        parent_id: parent.map(|parent| parent.span_id),
        is_sampled: parent.map_or_else(|| tracer.is_sampled(trace_id), |parent| parent.is_sampled),
        is_own: true,
    }
}

/// The spans of a call's attempts are named behind its own: as unlikely to meet another one as that.
pub const fn name_attempt(span_id: u64, attempt: u64) -> u64 {
    match span_id.wrapping_add(attempt) {
        0 => u64::MAX,
        named => named,
    }
}

/// The two headers that an engine gets, where there is something to say.
#[derive(Clone, Copy, Debug, Default)]
pub struct TraceWords<'a> {
    parent: Option<ParentText>,
    state: Option<&'a HeaderValue>,
}

impl TraceWords<'_> {
    /// Writes them into a head of HTTP/1.
    pub fn write(&self, head: &mut Vec<u8>) {
        let values = [self.parent.as_ref().map(ParentText::as_bytes), self.state.map(HeaderValue::as_bytes)];
        for (name, value) in [PARENT_HEADER, STATE_HEADER].iter().zip(values) {
            if let Some(value) = value {
                for part in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
                    head.extend_from_slice(part);
                }
            }
        }
    }

    pub fn insert_into(&self, headers: &mut HeaderMap) {
        let parent = self.parent.and_then(|parent| HeaderValue::from_bytes(parent.as_bytes()).ok());
        for (name, value) in [(PARENT_HEADER, parent), (STATE_HEADER, self.state.cloned())] {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn write(context: &TraceContext, attempt: u64) -> String {
        let mut head = Vec::new();
        context.tell(attempt).write(&mut head);
        let mut map = HeaderMap::new();
        context.tell(attempt).insert_into(&mut map);
        let lines = map.iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()));
        let listed = lines.collect::<Vec<_>>().concat();
        let head = String::from_utf8(head).unwrap();
        assert_eq!(head, listed, "both heads say the same");
        head
    }

    #[test]
    fn a_gateway_that_collects_nothing_passes_on_what_came() {
        let tracer = Tracer::new(None);
        let id = RecordId::create(7);
        let told = TraceContext::read(&tracer, &headers(&[("traceparent", PARENT), ("tracestate", "a=1")]), id);
        assert_eq!(write(&told, 1), format!("traceparent: {PARENT}\r\ntracestate: a=1\r\n"));
        assert_eq!(told.sampled(), None);
        for fields in [vec![], vec![("tracestate", "a=1")], vec![("traceparent", "no"), ("tracestate", "a=1")]] {
            assert_eq!(write(&TraceContext::read(&tracer, &headers(&fields), id), 1), "");
        }
    }

    #[test]
    fn a_call_is_the_child_of_its_caller_and_its_attempts_are_its_own() {
        let tracer = Tracer::new(Some(0));
        let context = TraceContext::read(&tracer, &headers(&[("traceparent", PARENT)]), RecordId::create(7));
        let ids = context.sampled().unwrap();
        assert_eq!(
            (ids.trace_id, ids.parent_id),
            (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, Some(0x00f0_67aa_0ba9_02b7))
        );
        let told = [write(&context, 1), write(&context, 2)];
        for (attempt, told) in told.iter().enumerate() {
            let span_id = ids.span_id + 1 + attempt as u64;
            assert_eq!(*told, format!("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-{span_id:016x}-01\r\n"));
        }
        let unsampled = headers(&[("traceparent", &PARENT.replace("-01", "-00"))]);
        let all = Tracer::new(Some(1_000_000));
        let context = TraceContext::read(&all, &unsampled, RecordId::create(7));
        assert!(context.sampled().is_none(), "the caller's decision stands");
        assert!(write(&context, 1).ends_with("-00\r\n"));
    }

    #[test]
    fn a_new_trace_has_the_record_s_id() {
        let id = RecordId::create(0x0123_4567_89ab);
        for fields in [vec![], vec![("traceparent", "no")], vec![("traceparent", PARENT), ("traceparent", PARENT)]] {
            let context = TraceContext::read(&Tracer::new(Some(1_000_000)), &headers(&fields), id);
            let ids = context.sampled().unwrap();
            assert_eq!(format!("{:032x}", ids.trace_id), id.as_str().replace('-', ""));
            assert_eq!(
                (ids.parent_id, ids.span_id),
                (None, u64::from_str_radix(&id.as_str().replace('-', "")[16..], 16).unwrap())
            );
        }
        assert!(TraceContext::read(&Tracer::new(Some(0)), &HeaderMap::new(), id).sampled().is_none());
    }

    #[test]
    fn no_attempt_is_named_zero() {
        assert_eq!(name_attempt(u64::MAX, 1), u64::MAX);
        assert_eq!(name_attempt(7, 1), 8);
    }
}
