//! What a call says of itself on its way to another platform: one header, `keisan-call`, whose value is a JSON object.
//! Unknown members are ignored, so that versions may differ. docs/reference/federation-call.md describes it.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use keisan_route::{Code, Policy, Refusal};
use serde::{Deserialize, Serialize};

use crate::record_id::RecordId;

pub const CALL_BLOCK: HeaderName = HeaderName::from_static("keisan-call");
/// Three layers and the call's own, each of which a gateway takes by itself, and the names.
const BLOCK_BYTES_MAX: usize = 12 * 1024;
const POLICIES_MAX: usize = 4;
const DEADLINE_MS_MAX: u64 = 3_600_000;

/// A call's block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallBlock {
    /// Made by the home gateway; both ends' usage records have it.
    pub record_id: String,
    /// The platform whose customer it is.
    pub home: String,
    /// The platform that is to serve it.
    pub audience: String,
    /// What the home platform gave the audience to be paid by; empty in an echo.
    pub ticket_id: String,
    /// All of them must hold for whoever serves it.
    #[serde(default)]
    pub policies: Vec<String>,
    /// Within so many milliseconds the answer must begin.
    pub deadline_ms: u64,
    pub hops_left: u32,
}

impl CallBlock {
    /// Reads the block of a request; the refusal says what is wrong with it.
    pub fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut values = headers.get_all(&CALL_BLOCK).iter();
        let Some(value) = values.next() else { return Err(refuse("it is missing")) };
        if values.next().is_some() {
            return Err(refuse("it stands there twice"));
        }
        if value.len() > BLOCK_BYTES_MAX {
            return Err(refuse(&format!("it has more than {BLOCK_BYTES_MAX} bytes")));
        }
        let block: Self = serde_json::from_slice(value.as_bytes()).map_err(|_| refuse("it is not as it must be"))?;
        if block.policies.len() > POLICIES_MAX {
            return Err(refuse(&format!("it has more than {POLICIES_MAX} policies")));
        }
        Ok(Self { deadline_ms: block.deadline_ms.min(DEADLINE_MS_MAX), ..block })
    }

    /// The header's value; nothing if a name cannot stand in one, or there is too much of it.
    pub fn write(&self) -> Option<HeaderValue> {
        let text = serde_json::to_vec(self).ok().filter(|text| text.len() <= BLOCK_BYTES_MAX)?;
        HeaderValue::from_bytes(&text).ok()
    }

    pub fn record_id(&self) -> Result<RecordId, Refusal> {
        RecordId::parse(&self.record_id).ok_or_else(|| refuse("its record id is no UUID of version 7 in small letters"))
    }

    /// All policies as one. One that this version cannot read admits nobody.
    pub fn policy(&self) -> Policy {
        let read = |text: &String| Policy::parse(text).unwrap_or_else(|_| Policy::unreadable());
        Policy::join(self.policies.iter().map(read))
    }
}

fn refuse(why: &str) -> Refusal {
    Refusal::new(Code::CallBlockInvalid, format!("the header {CALL_BLOCK} cannot be used: {why}"))
        .about(CALL_BLOCK.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> CallBlock {
        CallBlock {
            record_id: "019ab000-0001-7000-8000-000000000101".to_owned(),
            home: "ab".repeat(32),
            audience: "cd".repeat(32),
            ticket_id: "019ab000-0001-7000-8000-000000000102".to_owned(),
            policies: vec!["region in CN".to_owned()],
            deadline_ms: 1_000,
            hops_left: 3,
        }
    }

    fn read(text: &[u8]) -> Result<CallBlock, Code> {
        let mut headers = HeaderMap::new();
        headers.insert(CALL_BLOCK, HeaderValue::from_bytes(text).unwrap());
        CallBlock::read(&headers).map_err(|refusal| refusal.code)
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(read(block().write().unwrap().as_bytes()), Ok(block()));
        let text = String::from_utf8(block().write().unwrap().as_bytes().to_vec()).unwrap();
        let later = text.replacen('{', r#"{"colour":{"deep":[1]},"#, 1);
        assert_eq!(read(later.as_bytes()), Ok(block()));
        let patient = CallBlock { deadline_ms: u64::MAX, ..block() };
        assert_eq!(read(patient.write().unwrap().as_bytes()).unwrap().deadline_ms, DEADLINE_MS_MAX);
    }

    #[test]
    fn what_is_no_block_is_refused() {
        let text = String::from_utf8(block().write().unwrap().as_bytes().to_vec()).unwrap();
        let long = text.replace("region in CN", &"x".repeat(BLOCK_BYTES_MAX));
        let many = text.replace("\"region in CN\"", "\"\",\"\",\"\",\"\",\"\"");
        for wrong in ["", "{}", "[]", "{", &long, &many, &text.replace("\"hops_left\":3", "\"hops_left\":-1")] {
            assert_eq!(read(wrong.as_bytes()), Err(Code::CallBlockInvalid), "{wrong:.80}");
        }
        assert_eq!(CallBlock::read(&HeaderMap::new()).unwrap_err().code, Code::CallBlockInvalid);
        let mut twice = HeaderMap::new();
        twice.append(CALL_BLOCK, block().write().unwrap());
        twice.append(CALL_BLOCK, block().write().unwrap());
        assert_eq!(CallBlock::read(&twice).unwrap_err().code, Code::CallBlockInvalid);
    }

    #[test]
    fn record_ids_are_those_that_gateways_make() {
        assert_eq!(block().record_id().unwrap().as_str(), block().record_id);
        for wrong in ["", "019ab000-0001-4000-8000-000000000101", "019AB000-0001-7000-8000-000000000101", "../../etc"] {
            let block = CallBlock { record_id: wrong.to_owned(), ..block() };
            assert_eq!(block.record_id().unwrap_err().code, Code::CallBlockInvalid, "{wrong}");
        }
    }

    #[test]
    fn a_policy_that_cannot_be_read_admits_nobody() {
        use keisan_route::{Facts, Judgement};
        let odd = CallBlock { policies: vec![String::new(), "orbit in low".to_owned()], ..block() };
        assert!(matches!(odd.policy().judge(&Facts::default(), 0), Judgement::Unknown(_)));
        let none = CallBlock { policies: vec![String::new()], ..block() };
        assert_eq!(none.policy().judge(&Facts::default(), 0), Judgement::Holds);
    }
}
