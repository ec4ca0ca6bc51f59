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
    pub const ALL: [Self; 5] = [
        Self::Completed,
        Self::ClientClosed,
        Self::EngineCut,
        Self::EngineRefused,
        Self::EngineUnreachable,
    ];

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
}

impl UsageRecord<'_> {
    pub fn encode(&self) -> Vec<u8> {
        // Texts, numbers and booleans always serialize; an empty payload is refused by the spool.
        serde_json::to_vec(self).unwrap_or_default()
    }
}
