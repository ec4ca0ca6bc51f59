//! Spans as the body of one export: OTLP's `ExportTraceServiceRequest` in JSON. Ids are hexadecimal, numbers of 64 bits are
//! texts, enumerations are numbers. Source: OTLP 1.x, "JSON Protobuf Encoding".

use std::fmt::Display;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::attribute::Attribute;
use super::span::{Kind, Span, Value};

const SCOPE: &str = "keisan.relay";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const SERVICE: &str = "keisan-gateway";
/// The largest number of 64 bits with a sign.
const MOST: u64 = i64::MAX as u64;
const STATUS_ERROR: u32 = 2;
/// Bits of `flags`: sampled, "it is known whether the parent is remote", and that it is.
const FLAGS_SAMPLED: u32 = 0x001;
const FLAGS_KNOWN: u32 = 0x100;
const FLAGS_REMOTE: u32 = 0x200;

/// Whose spans they are.
#[derive(Clone, Copy, Debug)]
pub struct Exporter<'a> {
    pub gateway_id: &'a str,
    pub platform_id: &'a str,
}

/// Formats what was taken; nothing if that is nothing.
pub fn format_spans(exporter: Exporter<'_>, spans: &[Span]) -> Vec<u8> {
    if spans.is_empty() {
        return Vec::new();
    }
    let attributes = [
        ("service.name", SERVICE),
        ("service.version", VERSION),
        ("service.instance.id", exporter.gateway_id),
        ("keisan.platform_id", exporter.platform_id),
    ];
    let attributes = attributes.map(|(key, text)| KeyValue { key, value: AnyValue::StringValue(text) });
    let scope = Scope { name: SCOPE, version: VERSION };
    let scope_spans = [ScopeSpans { scope, spans: spans.iter().map(OneSpan).collect() }];
    let body = Request { resource_spans: [ResourceSpans { resource: Resource { attributes }, scope_spans }] };
    // Texts and numbers always serialize.
    serde_json::to_vec(&body).unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Resource<'a>,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Serialize)]
struct Resource<'a> {
    attributes: [KeyValue<'a>; 4],
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    scope: Scope,
    spans: Vec<OneSpan<'a>>,
}

struct OneSpan<'a>(&'a Span);

#[derive(Serialize)]
struct KeyValue<'a> {
    key: &'a str,
    value: AnyValue<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum AnyValue<'a> {
    StringValue(&'a str),
    IntValue(Shown<u64>),
}

#[derive(Serialize)]
struct Status {
    code: u32,
}

/// A text that is written as it is shown, without being built.
struct Shown<T>(T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for OneSpan<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let span = self.0;
        let is_remote = span.kind == Kind::Call && span.parent_id.is_some();
        let flags = FLAGS_SAMPLED | FLAGS_KNOWN | if is_remote { FLAGS_REMOTE } else { 0 };
        let attributes: Vec<_> = span.attributes.iter().map(describe_attribute).collect();
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("traceId", &Shown(format_args!("{:032x}", span.trace_id)))?;
        fields.serialize_entry("spanId", &Shown(format_args!("{:016x}", span.span_id)))?;
        if let Some(parent_id) = span.parent_id {
            fields.serialize_entry("parentSpanId", &Shown(format_args!("{parent_id:016x}")))?;
        }
        fields.serialize_entry("flags", &flags)?;
        fields.serialize_entry("name", &span.name)?;
        fields.serialize_entry("kind", &number_kind(span.kind))?;
        fields.serialize_entry("startTimeUnixNano", &Shown(span.start_ns))?;
        fields.serialize_entry("endTimeUnixNano", &Shown(span.end_ns))?;
        fields.serialize_entry("attributes", &attributes)?;
        if span.is_failed {
            fields.serialize_entry("status", &Status { code: STATUS_ERROR })?;
        }
        fields.end()
    }
}

fn describe_attribute((attribute, value): &(Attribute, Value)) -> KeyValue<'_> {
    let value = match value {
        Value::Text(text) => AnyValue::StringValue(text),
        Value::Number(number) => AnyValue::IntValue(Shown(*number.min(&MOST))),
    };
    KeyValue { key: attribute.name, value }
}

/// `SPAN_KIND_SERVER` and `SPAN_KIND_CLIENT`.
const fn number_kind(kind: Kind) -> u32 {
    match kind {
        Kind::Call => 2,
        Kind::Attempt => 3,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::trace::attribute;

    const EXPORTER: Exporter<'_> = Exporter { gateway_id: "g", platform_id: "p" };

    #[test]
    fn a_body_follows_the_encoding() {
        let mut call = Span {
            trace_id: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
            span_id: 0xb7,
            parent_id: Some(7),
            kind: Kind::Call,
            name: "chat small".to_owned(),
            start_ns: 1_795_476_435_000_000_001,
            end_ns: u64::MAX,
            attributes: Vec::new(),
            is_failed: true,
        };
        call.note(attribute::OPERATION, "chat");
        call.count(attribute::INPUT_TOKENS, u64::MAX);
        let attempt = Span { kind: Kind::Attempt, is_failed: false, ..call.clone() };
        let root = Span { parent_id: None, ..call.clone() };
        let body: Json = serde_json::from_slice(&format_spans(EXPORTER, &[call, attempt, root])).unwrap();
        let resource = &body["resourceSpans"][0];
        assert_eq!(
            resource["resource"]["attributes"][0],
            json!({"key": "service.name", "value": {"stringValue": "keisan-gateway"}})
        );
        assert_eq!(resource["scopeSpans"][0]["scope"]["name"], "keisan.relay");
        let spans = &resource["scopeSpans"][0]["spans"];
        assert_eq!(
            spans[0],
            json!({
                "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00000000000000b7",
                "parentSpanId": "0000000000000007", "flags": 0x301, "name": "chat small", "kind": 2,
                "startTimeUnixNano": "1795476435000000001", "endTimeUnixNano": "18446744073709551615",
                "attributes": [
                    {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                    {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "9223372036854775807"}},
                ],
                "status": {"code": 2},
            })
        );
        assert_eq!(
            (&spans[1]["kind"], &spans[1]["flags"], &spans[1]["status"]),
            (&json!(3), &json!(0x101), &Json::Null)
        );
        assert_eq!((&spans[2]["parentSpanId"], &spans[2]["flags"]), (&Json::Null, &json!(0x101)));
    }

    #[test]
    fn nothing_taken_is_no_body() {
        assert!(format_spans(EXPORTER, &[]).is_empty());
    }
}
