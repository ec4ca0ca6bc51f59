//! The usage record: what one call consumed, written once into the spool.
//! The Python side reads it (`keisan.wire.usage`); `tests/golden/usage_record.json` keeps the two equal.

use keisan_route::Quantities;
use serde::Serialize;

use crate::usage::UsageSource;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Completed,
    ClientClosed,
    EngineCut,
    EngineRefused,
    EngineUnreachable,
}

impl Outcome {
    pub const ALL: [Self; 5] =
        [Self::Completed, Self::ClientClosed, Self::EngineCut, Self::EngineRefused, Self::EngineUnreachable];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::ClientClosed => "client_closed",
            Self::EngineCut => "engine_cut",
            Self::EngineRefused => "engine_refused",
            Self::EngineUnreachable => "engine_unreachable",
        }
    }
}

/// One record; at most `PAYLOAD_BYTES_MAX` as JSON.
#[derive(Debug, Serialize)]
pub struct UsageRecord<'a> {
    pub schema_version: u32,
    pub record_id: &'a str,
    pub platform_id: &'a str,
    pub gateway_id: &'a str,
    pub organization_id: &'a str,
    pub project_id: &'a str,
    pub key_id: &'a str,
    pub model_id: &'a str,
    pub price_id: &'a str,
    pub deployment_id: &'a str,
    pub replica_id: &'a str,
    pub provider_id: &'a str,
    pub site_id: &'a str,
    pub model_digest: &'a str,
    pub surface: &'a str,
    pub is_stream: bool,
    pub admitted_at_ms: u64,
    pub day: String,
    pub duration_us: u64,
    pub first_byte_us: Option<u64>,
    pub outcome: Outcome,
    pub http_status: u16,
    pub usage_source: UsageSource,
    pub quantities: Quantities,
    pub amount_nano: String,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub events: u64,
    /// The ticket that the call was reserved on; none for who pays afterwards.
    pub ticket_id: Option<&'a str>,
}

impl UsageRecord<'_> {
    pub fn encode(&self) -> Vec<u8> {
        // Texts, numbers and booleans always serialize; an empty payload is refused by the spool.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The body of an upload (`keisan.wire.usage.UsageBatch`): each record's text exactly as it was spooled. Bytes that are
/// no text become one that no record parses from, and are refused.
pub fn format_batch(payloads: &[Vec<u8>]) -> Vec<u8> {
    let texts: Vec<_> = payloads.iter().map(|payload| String::from_utf8_lossy(payload)).collect();
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    let mut body = Vec::with_capacity(bytes + bytes / 4 + 16);
    body.extend_from_slice(b"{\"records\":");
    // Texts always serialize, and a vector takes any number of bytes.
    let _ = serde_json::to_writer(&mut body, &texts);
    body.push(b'}');
    body
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn sample() -> UsageRecord<'static> {
        UsageRecord {
            schema_version: 1,
            record_id: "019ab000-0001-7000-8000-000000000101",
            platform_id: "abababababababababababababababababababababababababababababababab",
            gateway_id: "019ab000-0001-7000-8000-000000000102",
            organization_id: "019ab000-0001-7000-8000-000000000103",
            project_id: "019ab000-0001-7000-8000-000000000104",
            key_id: "019ab000-0001-7000-8000-000000000105",
            model_id: "019ab000-0001-7000-8000-000000000106",
            price_id: "019ab000-0001-7000-8000-000000000107",
            deployment_id: "019ab000-0001-7000-8000-000000000108",
            replica_id: "019ab000-0001-7000-8000-000000000109",
            provider_id: "019ab000-0001-7000-8000-00000000010a",
            site_id: "019ab000-0001-7000-8000-00000000010b",
            model_digest: "sha256:5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e",
            surface: "chat",
            is_stream: true,
            admitted_at_ms: 1_795_476_435_000,
            day: crate::clock::format_day(1_795_476_435_000),
            duration_us: 211_112,
            first_byte_us: Some(114_545),
            outcome: Outcome::ClientClosed,
            http_status: 200,
            usage_source: UsageSource::EngineRunning,
            quantities: Quantities {
                input: Some(1),
                input_cached: Some(36),
                output: Some(3),
                reasoning: Some(2),
                ..Quantities::default()
            },
            amount_nano: "9300".to_owned(),
            request_bytes: 215,
            response_bytes: 2_089,
            events: 10,
            ticket_id: Some("019ab000-0001-7000-8000-00000000010c"),
        }
    }

    /// `UPDATE_GOLDEN=1` writes the file that the Python side reads.
    #[test]
    fn the_golden_record_is_what_is_written() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/usage_record.json");
        let mut written = sample().encode();
        written.push(b'\n');
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &written).unwrap();
        }
        assert_eq!(String::from_utf8(std::fs::read(&path).unwrap()).unwrap(), String::from_utf8(written).unwrap());
    }

    #[test]
    fn a_batch_holds_each_text_as_it_was() {
        let payloads = [br#"{"a": "\"\u6771"}"#.to_vec(), "京\n".into(), vec![0xff, b'{']];
        let body: serde_json::Value = serde_json::from_slice(&format_batch(&payloads)).unwrap();
        assert_eq!(body, serde_json::json!({"records": ["{\"a\": \"\\\"\\u6771\"}", "京\n", "\u{fffd}{"]}));
    }

    #[test]
    fn the_largest_record_fits_its_room() {
        let long = "x".repeat(128);
        let mut record = sample();
        for field in [&mut record.record_id, &mut record.gateway_id, &mut record.replica_id, &mut record.model_digest] {
            *field = &long;
        }
        let most = Some(u64::MAX);
        record.quantities =
            Quantities { input: most, input_cached: most, input_cache_write: most, output: most, reasoning: most };
        record.amount_nano = u128::MAX.to_string();
        assert!(record.encode().len() < 4_096);
    }
}
