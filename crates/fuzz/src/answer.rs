//! A JSON answer: cleaned of what only the gateway asked for, its usage read whatever pieces it comes in.

use keisan_relay::fuzzing::{MemberText, RunningUsage, translate_answer};

use crate::event::{check_outside_text, check_rest};
use crate::members::Members;
use crate::stream::Setup;

pub fn check_answer(json: &[u8], setup: &Setup) {
    for status in [400, 503] {
        check_outside_text(&translate_answer(status, json));
    }
    check_usage_text(json, setup.piece_bytes);
    let cleaned = setup.dialect.clean_answer(json, &setup.view);
    let Some(members) = Members::read(json).filter(|members| !members.has_twins()) else {
        return;
    };
    let has_timings = members.get("timings").is_some() && setup.running == RunningUsage::LlamaCppTimings;
    let is_misnamed = members.get("model").is_some_and(|text| text != setup.view.model_json);
    assert_eq!(cleaned.is_some(), has_timings || is_misnamed);
    if let Some(text) = cleaned {
        check_rest(&text, &members, if has_timings { &["timings"] } else { &[] });
    }
}

/// The usage that is billed is the same whatever pieces the answer comes in.
fn check_usage_text(json: &[u8], piece_bytes: usize) {
    let read_in = |size: usize| {
        let mut usage = MemberText::new("usage");
        json.chunks(size).for_each(|piece| usage.scan(piece));
        usage.text().trim_ascii_end().to_vec()
    };
    let whole = read_in(json.len().max(1));
    assert_eq!(whole, read_in(piece_bytes), "pieces of {piece_bytes}");
    if let Some(members) = Members::read(json) {
        assert_eq!(whole, members.get("usage").unwrap_or_default().as_bytes());
    }
}
