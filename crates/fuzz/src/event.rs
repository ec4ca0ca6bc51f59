//! What becomes of an event, against a reading of its members by `serde_json`: the engine's counts are taken, what is
//! not the client's is gone, all else is as it was.

use keisan_relay::fuzzing::{
    EventFate, MemberText, RunningUsage, Usage, UsageSource, edit_members, find_members, parse_usage,
};
use keisan_route::Refusal;
use keisan_route::json::DEPTH_MAX;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::members::Members;
use crate::stream::Setup;
use crate::usage::check_usage;

const NAMES: [&str; 5] = ["usage", "timings", "choices", "error", "model"];
/// Longer than any of our own words about an engine's fault.
const OUTSIDE_TEXT_BYTES_MAX: usize = 200;
/// An estimate is at most a token for this many bytes.
const ESTIMATE_BYTES_PER_TOKEN: u64 = 4;

/// What an engine has said so far: as the relay takes it, and as the oracle does.
#[derive(Default)]
pub struct Heard {
    taken: Usage,
    expected: Usage,
    content_bytes_max: u64,
    content_events_max: u64,
}

enum Expected {
    Pass,
    Hide,
    Fault,
    /// These members stay.
    Rewrite(Vec<&'static str>),
}

impl Heard {
    pub fn check_event(&mut self, json: &[u8], setup: &Setup) {
        let fate = setup.dialect.read_event(json, &setup.view, &mut self.taken);
        check_scanning(json, setup.piece_bytes);
        // Named twice, a member is cut once: no engine does it, and what it hides is its own. What is nested too deep passes.
        let members = Members::read(json).filter(|members| !members.has_twins() && !is_deep(json));
        let Some(members) = members else {
            self.expected = self.taken.clone();
            self.content_bytes_max += json.len() as u64;
            self.content_events_max += 1;
            return;
        };
        check_cuts(json, &members, setup.piece_bytes);
        match (fate, self.expect_fate(&members, setup)) {
            (EventFate::Pass, Expected::Pass) | (EventFate::Hide, Expected::Hide) => {}
            (EventFate::Fault(refusal), Expected::Fault) => check_outside_text(&refusal),
            (EventFate::Rewrite(text), Expected::Rewrite(hidden)) => check_rest(&text, &members, &hidden),
            (fate, _) => panic!("{fate:?}: {}", json.escape_ascii()),
        }
    }

    fn expect_fate(&mut self, members: &Members<'_>, setup: &Setup) -> Expected {
        let get_set = |name| members.get(name).filter(|text| *text != "null");
        if get_set("error").is_some() {
            return Expected::Fault;
        }
        let choices = members.get("choices").and_then(|text| serde_json::from_str::<Vec<&RawValue>>(text).ok());
        let has_choices = choices.is_some_and(|choices| !choices.is_empty());
        let is_running = has_choices && setup.running == RunningUsage::ContinuousUsage;
        let said = get_set("usage");
        let timings = members.get("timings").filter(|_| setup.running == RunningUsage::LlamaCppTimings);
        self.hear((said, is_running), timings);
        if has_choices && setup.running == RunningUsage::None {
            self.hear_content(members);
        }
        let is_hidden = said.is_some() && (is_running || !setup.view.is_usage_wanted);
        let hidden = [("usage", is_hidden), ("timings", timings.is_some())];
        let hidden: Vec<_> = hidden.into_iter().filter(|(_, is_hidden)| *is_hidden).map(|(name, _)| name).collect();
        let is_misnamed = members.get("model").is_some_and(|text| text != setup.view.model_json);
        if said.is_some() && !has_choices && !setup.view.is_usage_wanted {
            Expected::Hide
        } else if hidden.is_empty() && !is_misnamed {
            Expected::Pass
        } else if hidden.len() == members.count() {
            Expected::Hide
        } else {
            Expected::Rewrite(hidden)
        }
    }

    fn hear(&mut self, (said, is_running): (Option<&str>, bool), timings: Option<&str>) {
        if let Some(text) = said {
            check_usage(text.as_bytes());
        }
        if let Some(counts) = said.and_then(|text| parse_usage(text.as_bytes())) {
            if is_running {
                self.expected.set_running(counts);
            } else {
                self.expected.set_final(counts);
            }
        }
        if let Some(text) = timings {
            self.expected.note_timings(text.as_bytes());
        }
    }

    fn hear_content(&mut self, members: &Members<'_>) {
        let choices: Value =
            members.get("choices").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let texts = choices.as_array().into_iter().flatten();
        let texts = texts.filter_map(|choice| choice["text"].as_str().or_else(|| choice["delta"]["content"].as_str()));
        self.content_bytes_max += texts.map(|text| text.len() as u64).sum::<u64>();
        self.content_events_max += 1;
    }

    /// The engine's word is taken as it is; an estimate is never above what was produced.
    pub fn check_conclusion(&self) {
        let (quantities, source) = self.taken.conclude();
        if matches!(source, UsageSource::Engine | UsageSource::EngineRunning) {
            assert_eq!((quantities, source), self.expected.conclude());
        } else {
            let most = (self.content_bytes_max / ESTIMATE_BYTES_PER_TOKEN).min(self.content_events_max);
            assert!(quantities.output.unwrap_or(0) <= most && quantities.input.is_none(), "{quantities:?}");
        }
    }
}

/// May be nested deeper than is looked at; brackets within texts count here as well.
pub fn is_deep(json: &[u8]) -> bool {
    json.iter().filter(|byte| matches!(byte, b'{' | b'[')).count() > DEPTH_MAX as usize
}

/// Members are found where they are, and the text of one is kept whatever pieces it comes in.
fn check_scanning(json: &[u8], piece_bytes: usize) {
    let found = find_members(json, NAMES);
    let members = Members::read(json);
    assert!(found.is_some() || members.is_none() || is_deep(json), "{}", json.escape_ascii());
    for (position, name) in NAMES.into_iter().enumerate() {
        let (whole, pieced) = (keep_text(name, json, json.len().max(1)), keep_text(name, json, piece_bytes));
        assert_eq!(whole, pieced, "{name} in pieces of {piece_bytes}");
        let Some(members) = &members else {
            continue;
        };
        let expected = members.get(name).map(str::as_bytes);
        assert_eq!(whole, expected.unwrap_or_default(), "{name}");
        if let Some(found) = &found {
            assert_eq!(found[position].as_ref().map(|member| &json[member.value.clone()]), expected, "{name}");
        }
    }
}

fn keep_text(name: &'static str, json: &[u8], piece_bytes: usize) -> Vec<u8> {
    let mut kept = MemberText::new(name);
    json.chunks(piece_bytes).for_each(|piece| kept.scan(piece));
    // White space behind it is kept as far as its piece went.
    kept.text().trim_ascii_end().to_vec()
}

/// Any of the members can be cut.
fn check_cuts(json: &[u8], members: &Members<'_>, choice: usize) {
    let Some(found) = find_members(json, NAMES) else {
        return;
    };
    let chosen = (0..NAMES.len()).filter(|position| choice >> position & 1 == 1);
    let cuts: Vec<_> = chosen.clone().filter_map(|position| found[position].as_ref()).collect();
    let hidden: Vec<_> = chosen.map(|position| NAMES[position]).collect();
    check_object(&edit_members(json, cuts, None), members.list_values(&hidden));
}

/// What stays is as it was, under the model's own name.
pub fn check_rest(text: &[u8], members: &Members<'_>, hidden: &[&str]) {
    let mut expected = members.list_values(hidden);
    if let Some(model) = expected.as_mut().and_then(|values| values.get_mut("model")) {
        *model = Value::from("m");
    }
    check_object(text, expected);
}

fn check_object(text: &[u8], expected: Option<Map<String, Value>>) {
    let Some(expected) = expected else {
        // Beyond what serde_json holds as values; the text must still be an object.
        assert!(Members::read(text).is_some(), "{}", text.escape_ascii());
        return;
    };
    assert_eq!(serde_json::from_slice::<Map<String, Value>>(text).ok(), Some(expected), "{}", text.escape_ascii());
}

/// An engine's own words never go out.
pub fn check_outside_text(refusal: &Refusal) {
    assert!(refusal.message.is_ascii() && refusal.message.len() <= OUTSIDE_TEXT_BYTES_MAX, "{}", refusal.message);
    assert!(refusal.param.as_deref().is_none_or(|param| param == "messages"));
}
