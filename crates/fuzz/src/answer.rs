//! A JSON answer: its usage is read, and it is cleaned of what only the gateway asked for.

use keisan_relay::fuzzing::{RunningUsage, parse_usage, translate_answer};

use crate::event::{check_outside_text, check_rest, is_deep};
use crate::members::Members;
use crate::stream::Setup;
use crate::usage::check_usage;

pub fn check_answer(json: &[u8], setup: &Setup) {
    for status in [400, 503] {
        check_outside_text(&translate_answer(status, json));
    }
    let answer = setup.dialect.read_answer(json, &setup.view);
    let Some(members) = Members::read(json).filter(|members| !members.has_twins() && !is_deep(json)) else {
        return;
    };
    let answer = answer.unwrap_or_else(|| panic!("no answer: {}", json.escape_ascii()));
    if let Some(text) = members.get("usage") {
        check_usage(text.as_bytes());
    }
    let said = members.get("usage").and_then(|text| parse_usage(text.as_bytes()));
    assert_eq!(answer.usage, said);
    let has_timings = members.get("timings").is_some() && setup.running == RunningUsage::LlamaCppTimings;
    let is_misnamed = members.get("model").is_some_and(|text| text != setup.view.model_json);
    assert_eq!(answer.rewritten.is_some(), has_timings || is_misnamed);
    if let Some(text) = answer.rewritten {
        check_rest(&text, &members, if has_timings { &["timings"] } else { &[] });
    }
}
