//! The usage record: what one call consumed, written once into the spool.
//! The Python side reads it (`keisan.wire.usage`); `tests/golden/usage_record.json` keeps the two equal.

use keisan_route::{Quantities, TokenClass};

use crate::clock::format_day;
use crate::federation::Crossing;
use crate::record_id::RecordId;
use crate::spool::Part;
use crate::usage::UsageSource;

/// What most records have room in without their parts.
pub const OWN_BYTES_USUAL: usize = 512;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Writes the part that every record begins with.
pub fn write_first_part(members: &[(&str, &str)]) -> Part {
    join_part("{\"schema_version\":1,", members)
}

/// Writes some members of every record, as they stand in its JSON: who pays, who is paid, what for. Done once when a
/// snapshot is read, since most of a record is the same from call to call.
pub fn write_part(members: &[(&str, &str)]) -> Part {
    join_part("", members)
}

fn join_part(before: &str, members: &[(&str, &str)]) -> Part {
    let mut text = before.to_owned();
    for (name, value) in members {
        // A text always serializes.
        let value = serde_json::to_string(value).unwrap_or_default();
        text.extend(["\"", name, "\":", &value, ","]);
    }
    Part::new(text.into_bytes())
}

/// What a member of a part says, as a reader of the record finds it.
#[cfg(feature = "fuzzing")]
pub fn find_member(part: &Part, name: &str) -> String {
    let members = part.bytes().strip_suffix(b",").unwrap_or_default();
    let object: serde_json::Value = serde_json::from_slice(&[b"{", members, b"}"].concat()).unwrap_or_default();
    object[name].as_str().unwrap_or_default().to_owned()
}

/// One record without its parts.
#[derive(Debug)]
pub struct UsageRecord<'a> {
    pub record_id: RecordId,
    pub surface: &'static str,
    pub is_stream: bool,
    pub admitted_at_ms: u64,
    pub duration_us: u64,
    pub first_byte_us: Option<u64>,
    pub outcome: Outcome,
    pub http_status: u16,
    pub usage_source: UsageSource,
    pub quantities: Quantities,
    pub amount_nano: u128,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub events: u64,
    /// The ticket that the call was reserved on; none for who pays afterwards.
    pub ticket_id: Option<&'a str>,
    /// Of a call that crossed between platforms; any other's record has no such member.
    pub crossing: Option<Crossing<'a>>,
}

impl UsageRecord<'_> {
    /// Writes the record member by member: each call has one, and a general serializer costs more than all the rest of it.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = RecordText(Vec::with_capacity(OWN_BYTES_USUAL));
        text.put("\"record_id\":\"");
        text.put(self.record_id.as_str());
        text.put("\",\"surface\":\"");
        text.put(self.surface);
        text.put("\",\"is_stream\":");
        text.put(if self.is_stream { "true" } else { "false" });
        text.number(",\"admitted_at_ms\":", self.admitted_at_ms);
        text.put(",\"day\":\"");
        text.put(format_day(self.admitted_at_ms).as_str());
        text.number("\",\"duration_us\":", self.duration_us);
        text.number_or_null(",\"first_byte_us\":", self.first_byte_us);
        text.put(",\"outcome\":\"");
        text.put(self.outcome.name());
        text.number("\",\"http_status\":", self.http_status);
        text.put(",\"usage_source\":\"");
        text.put(self.usage_source.name());
        text.put("\",\"quantities\":{");
        text.quantities(&self.quantities);
        text.number("},\"amount_nano\":\"", self.amount_nano);
        text.number("\",\"request_bytes\":", self.request_bytes);
        text.number(",\"response_bytes\":", self.response_bytes);
        text.number(",\"events\":", self.events);
        text.put(",\"ticket_id\":");
        text.ticket(self.ticket_id);
        if let Some(crossing) = &self.crossing {
            text.crossing(crossing);
        }
        text.put("}");
        text.0
    }
}

/// A record while it is written.
struct RecordText(Vec<u8>);

impl RecordText {
    fn put(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, before: &str, number: impl itoa::Integer) {
        self.put(before);
        self.put(itoa::Buffer::new().format(number));
    }

    fn number_or_null(&mut self, before: &str, number: Option<u64>) {
        if let Some(number) = number {
            return self.number(before, number);
        }
        self.put(before);
        self.put("null");
    }

    /// Only the classes that were told of: an absent one is not zero.
    fn quantities(&mut self, quantities: &Quantities) {
        let told = TokenClass::ALL.into_iter().filter_map(|class| Some((class.name(), quantities.find(class)?)));
        for (position, (name, tokens)) in told.enumerate() {
            self.put(if position > 0 { ",\"" } else { "\"" });
            self.put(name);
            self.number("\":", tokens);
        }
    }

    fn crossing(&mut self, crossing: &Crossing<'_>) {
        self.put(",\"crossing\":{\"home_platform_id\":");
        self.ticket(Some(crossing.home));
        self.put(",\"serving_platform_id\":");
        self.ticket(Some(crossing.serving));
        self.put(",\"ticket_id\":");
        self.ticket(Some(crossing.ticket));
        self.put("}");
    }

    /// A ticket's id is the platform's text, so it is written as any text.
    fn ticket(&mut self, ticket_id: Option<&str>) {
        // A text always serializes, and a vector takes any number of bytes.
        let _ = serde_json::to_writer(&mut self.0, &ticket_id);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::spool::RECORD_BYTES_MAX;

    fn parts() -> [Part; 4] {
        [
            write_first_part(&[
                ("platform_id", "abababababababababababababababababababababababababababababababab"),
                ("gateway_id", "019ab000-0001-7000-8000-000000000102"),
            ]),
            write_part(&[
                ("organization_id", "019ab000-0001-7000-8000-000000000103"),
                ("project_id", "019ab000-0001-7000-8000-000000000104"),
                ("key_id", "019ab000-0001-7000-8000-000000000105"),
            ]),
            write_part(&[
                ("model_id", "019ab000-0001-7000-8000-000000000106"),
                ("price_id", "019ab000-0001-7000-8000-000000000107"),
            ]),
            write_part(&[
                ("deployment_id", "019ab000-0001-7000-8000-000000000108"),
                ("replica_id", "019ab000-0001-7000-8000-000000000109"),
                ("provider_id", "019ab000-0001-7000-8000-00000000010a"),
                ("site_id", "019ab000-0001-7000-8000-00000000010b"),
                ("model_digest", "sha256:5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"),
            ]),
        ]
    }

    fn join(parts: &[Part; 4], own: Vec<u8>) -> Vec<u8> {
        parts.iter().map(|part| part.bytes().to_vec()).chain([own]).flatten().collect()
    }

    fn sample() -> UsageRecord<'static> {
        UsageRecord {
            record_id: RecordId::from_text("019ab000-0001-7000-8000-000000000101"),
            surface: "chat",
            is_stream: true,
            admitted_at_ms: 1_795_476_435_000,
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
            amount_nano: 9_300,
            request_bytes: 215,
            response_bytes: 2_089,
            events: 10,
            ticket_id: Some("019ab000-0001-7000-8000-00000000010c"),
            crossing: None,
        }
    }

    fn crossing() -> Crossing<'static> {
        Crossing {
            home: "abababababababababababababababababababababababababababababababab",
            serving: "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
            ticket: "019ab000-0001-7000-8000-00000000010d",
        }
    }

    /// `UPDATE_GOLDEN=1` writes the files that the Python side reads.
    #[test]
    fn the_golden_records_are_what_is_written() {
        check_golden("usage_record.json", &sample());
        check_golden("usage_record_crossing.json", &UsageRecord { crossing: Some(crossing()), ..sample() });
    }

    fn check_golden(file: &str, record: &UsageRecord<'_>) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(file);
        let mut written = join(&parts(), record.encode());
        written.push(b'\n');
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &written).unwrap();
        }
        assert_eq!(String::from_utf8(std::fs::read(&path).unwrap()).unwrap(), String::from_utf8(written).unwrap());
    }

    #[test]
    fn the_largest_record_fits_its_room() {
        let long = "\u{1}".repeat(24);
        let mut parts = parts();
        parts[0] = write_first_part(&[("gateway_id", &long), ("site_id", &long), ("model_digest", &long)]);
        let most = Some(u64::MAX);
        let quantities =
            Quantities { input: most, input_cached: most, input_cache_write: most, output: most, reasoning: most };
        let record = UsageRecord { quantities, amount_nano: u128::MAX, crossing: Some(crossing()), ..sample() };
        let whole = join(&parts, record.encode());
        assert!(serde_json::from_slice::<serde_json::Value>(&whole).is_ok());
        assert!(whole.len() <= RECORD_BYTES_MAX);
    }
}
