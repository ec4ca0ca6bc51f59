//! What usage comes to, against a reading of its members by `serde_json`: its classes sum to a whole that was told.

use keisan_relay::fuzzing::parse_usage;
use keisan_route::TokenClass;

use crate::event::is_deep;
use crate::members::Members;

const CHAT: [&str; 2] = ["prompt_tokens", "completion_tokens"];
const MESSAGES: [&str; 2] = ["input_tokens", "output_tokens"];
const CACHES: [&str; 2] = ["cache_read_input_tokens", "cache_creation_input_tokens"];

/// Wide enough for any sum.
type Sum = u128;

pub fn check_usage(json: &[u8]) {
    let Some(usage) = parse_usage(json) else {
        return;
    };
    let Some(members) = Members::read(json).filter(|members| !members.has_twins() && !is_deep(json)) else {
        return;
    };
    let quantities = usage.normalize();
    let sum: Sum = TokenClass::ALL.iter().map(|class| Sum::from(quantities.get(*class))).sum();
    let wholes = list_wholes(&members);
    assert!(wholes.contains(&sum), "{sum} is none of {wholes:?}: {}", json.escape_ascii());
}

/// The sums that the counts may come to, as their names say.
fn list_wholes(members: &Members<'_>) -> Vec<Sum> {
    let read = |name| members.get(name).and_then(|text| text.parse::<u64>().ok());
    let count = |name| read(name).map(Sum::from);
    let add = |names: [&'static str; 2]| {
        let told = names.map(count);
        told.iter().any(Option::is_some).then(|| told.into_iter().flatten().sum::<Sum>())
    };
    let has_input_details = members.get("input_tokens_details").is_some_and(|text| text != "null");
    let hits = read("prompt_cache_hit_tokens").zip(read("prompt_cache_miss_tokens"));
    let prompt = hits.filter(|_| count(CHAT[0]).is_none()).and_then(|(hit, miss)| hit.checked_add(miss));
    let hits = prompt.map(|prompt| Sum::from(prompt) + count(CHAT[1]).unwrap_or(0));
    let wholes = match (add(CHAT), add(MESSAGES)) {
        (None, Some(whole)) if hits.is_none() && !has_input_details && count("total_tokens").is_none() => {
            let cached = [count(CACHES[0]), count("prompt_cache_hit_tokens")].into_iter().flatten().max();
            [None, Some(whole + cached.unwrap_or(0) + count(CACHES[1]).unwrap_or(0))]
        }
        (chat, messages) => [hits.or(chat).or(messages), count("total_tokens")],
    };
    wholes.into_iter().flatten().collect()
}
