//! What an engine wants and says: what is added to a request, where its usage stands, how its errors read to a client.

use keisan_route::{Code, EngineUsage, Refusal};
use serde::Deserialize;

use crate::members::{Member, edit_members, find_members};
use crate::usage::{Usage, parse_usage};

/// How an engine tells its usage while it streams (R6). A word of a later version reads as none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunningUsage {
    LlamaCppTimings,
    ContinuousUsage,
    #[serde(other)]
    None,
}

/// The members of an event that matter here, in this order.
const MEMBERS: [&str; 5] = ["usage", "timings", "choices", "error", "model"];

/// What becomes of an event on its way to the client.
#[derive(Debug)]
pub enum EventFate {
    Pass,
    Hide,
    /// Goes on as this JSON text.
    Rewrite(Vec<u8>),
    /// The engine gave up.
    Fault(Refusal),
}

/// What the client is to see of an answer.
#[derive(Clone, Debug)]
pub struct View {
    /// The client asked for the usage chunk of a stream.
    pub is_usage_wanted: bool,
    /// The model's name as JSON text. Engines put an alias, a dash or the path of a file in its place.
    pub model_json: String,
}

impl View {
    pub fn new(is_usage_wanted: bool, model: &str) -> Self {
        // A text always serializes.
        Self { is_usage_wanted, model_json: serde_json::to_string(model).unwrap_or_default() }
    }
}

/// One engine's way of speaking.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    running: RunningUsage,
}

impl Dialect {
    pub const fn new(running: RunningUsage) -> Self {
        Self { running }
    }

    /// Members added to a request, each with its comma before it, so that usage comes, also while it runs.
    pub const fn additions(self, is_stream: bool) -> &'static str {
        match (is_stream, self.running) {
            (false, _) => "",
            (true, RunningUsage::None) => r#","stream_options":{"include_usage":true}"#,
            (true, RunningUsage::LlamaCppTimings) => {
                r#","stream_options":{"include_usage":true},"timings_per_token":true"#
            }
            (true, RunningUsage::ContinuousUsage) => {
                r#","stream_options":{"include_usage":true,"continuous_usage_stats":true}"#
            }
        }
    }

    /// Reads an event's usage and decides what the client sees of it. What is no JSON passes: it says nothing here.
    pub fn read_event(self, json: &[u8], view: &View, usage: &mut Usage) -> EventFate {
        let Some([said, timings, choices, error, model]) = find_members(json, MEMBERS) else {
            return EventFate::Pass;
        };
        let text_of = |member: &Member| &json[member.value.clone()];
        if let Some(error) = error.as_ref().map(text_of).filter(|error| is_set(error)) {
            return EventFate::Fault(translate_error(502, error));
        }
        let has_choices = choices.as_ref().map(text_of).is_some_and(is_filled);
        let is_running = has_choices && self.running == RunningUsage::ContinuousUsage;
        let said = said.filter(|said| is_set(text_of(said)));
        if let Some(counts) = said.as_ref().map(text_of).and_then(parse_usage) {
            if is_running {
                usage.set_running(counts);
            } else {
                usage.set_final(counts);
            }
        }
        let timings = timings.filter(|_| self.running == RunningUsage::LlamaCppTimings);
        if let Some(timings) = timings.as_ref() {
            usage.note_timings(text_of(timings));
        }
        if self.running == RunningUsage::None && has_choices {
            usage.count_content(count_content_bytes(json));
        }
        if said.is_some() && !has_choices && !view.is_usage_wanted {
            return EventFate::Hide;
        }
        let hidden = said.filter(|_| !view.is_usage_wanted || is_running);
        match rewrite(json, [&hidden, &timings], (model, view)) {
            None => EventFate::Pass,
            // Without what was cut, the event says nothing.
            Some(rest) if is_bare(&rest) => EventFate::Hide,
            Some(rest) => EventFate::Rewrite(rest),
        }
    }

    /// Reads a whole JSON answer's usage, and takes out what only this gateway asked for or understands. Nothing if it is
    /// no JSON object.
    pub fn read_answer(self, json: &[u8], view: &View) -> Option<WholeAnswer> {
        let [said, timings, _, _, model] = find_members(json, MEMBERS)?;
        let timings = timings.filter(|_| self.running == RunningUsage::LlamaCppTimings);
        Some(WholeAnswer {
            usage: said.and_then(|said| parse_usage(&json[said.value])),
            rewritten: rewrite(json, [&timings, &None], (model, view)),
        })
    }
}

/// What a whole JSON answer says.
#[derive(Debug)]
pub struct WholeAnswer {
    pub usage: Option<EngineUsage>,
    /// What the client gets in its place, if that differs.
    pub rewritten: Option<Vec<u8>>,
}

/// Returns the object without the hidden members and under the model's own name, if that changes it.
fn rewrite(json: &[u8], hidden: [&Option<Member>; 2], (model, view): (Option<Member>, &View)) -> Option<Vec<u8>> {
    let named = view.model_json.as_bytes();
    let misnamed = model.filter(|model| &json[model.value.clone()] != named);
    if misnamed.is_none() && hidden.iter().all(|member| member.is_none()) {
        return None;
    }
    Some(edit_members(json, hidden.into_iter().flatten(), misnamed.as_ref().map(|model| (model, named))))
}

fn is_set(value: &[u8]) -> bool {
    value != b"null"
}

/// Tells whether an object has no members.
fn is_bare(object: &[u8]) -> bool {
    object.iter().filter(|byte| !byte.is_ascii_whitespace()).eq(b"{}")
}

/// Tells whether a value is an array that is not empty.
fn is_filled(value: &[u8]) -> bool {
    let mut solid = value.iter().filter(|byte| !byte.is_ascii_whitespace());
    solid.next() == Some(&b'[') && solid.next().is_some_and(|byte| *byte != b']')
}

#[derive(Deserialize)]
struct ContentText<'a> {
    #[serde(borrow)]
    choices: Vec<ChoiceText<'a>>,
}

#[derive(Deserialize)]
struct ChoiceText<'a> {
    #[serde(borrow)]
    text: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    delta: Option<DeltaText<'a>>,
}

#[derive(Deserialize)]
struct DeltaText<'a> {
    #[serde(borrow)]
    content: Option<std::borrow::Cow<'a, str>>,
}

fn count_content_bytes(json: &[u8]) -> u64 {
    let Ok(content) = serde_json::from_slice::<ContentText<'_>>(json) else {
        return 0;
    };
    let texts = content.choices.iter().filter_map(|choice| {
        choice.text.as_ref().or_else(|| choice.delta.as_ref().and_then(|delta| delta.content.as_ref()))
    });
    texts.map(|text| text.len() as u64).sum()
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorText {
    #[serde(rename = "type")]
    kind: String,
    n_prompt_tokens: Option<u64>,
    n_ctx: Option<u64>,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: ErrorText,
}

/// Says an engine's error answer in our words; the engine's own never go out.
pub fn translate_answer(status: u16, body: &[u8]) -> Refusal {
    let error = serde_json::from_slice::<ErrorAnswer>(body).map(|answer| answer.error).unwrap_or_default();
    refuse_as(status, &error)
}

/// Says the error object of an event in our words. Without a status of its own it is the engine's fault.
fn translate_error(status: u16, error: &[u8]) -> Refusal {
    refuse_as(status, &serde_json::from_slice(error).unwrap_or_default())
}

/// Says the content of an `error:` line in our words.
pub fn translate_error_line(text: &[u8]) -> Refusal {
    match serde_json::from_slice::<ErrorAnswer>(text) {
        Ok(answer) => refuse_as(502, &answer.error),
        Err(_) => translate_error(502, text),
    }
}

fn refuse_as(status: u16, error: &ErrorText) -> Refusal {
    match (error.kind.as_str(), error.n_prompt_tokens, error.n_ctx) {
        ("exceed_context_size_error", Some(prompt), Some(context)) => Refusal::new(
            Code::ContextLengthExceeded,
            format!("the prompt has {prompt} tokens, more than the context of {context} tokens"),
        )
        .about("messages"),
        ("exceed_context_size_error", ..) => {
            Refusal::new(Code::ContextLengthExceeded, "the prompt is longer than the model's context")
        }
        ("invalid_request_error", ..) => {
            Refusal::new(Code::EngineRefused, "the model's engine found the request invalid")
        }
        _ if is_caller_at_fault(status) => Refusal::new(Code::EngineRefused, "the model's engine refused the request"),
        _ => Refusal::new(Code::EngineError, "the model's engine failed on this request"),
    }
}

/// A busy or late engine (429, 408) is no fault of the request, and a redirect leads a client nowhere.
fn is_caller_at_fault(status: u16) -> bool {
    (400..500).contains(&status) && !matches!(status, 408 | 429)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::UsageSource;

    const LLAMA: Dialect = Dialect::new(RunningUsage::LlamaCppTimings);
    const TOKEN: &str = r#"{"choices":[{"index":0,"delta":{"content":"\"usage\":{"}}],"id":"x","timings":{"cache_n":36,"prompt_n":1,"predicted_n":3}}"#;
    const LAST: &str = r#"{"choices":[],"id":"x","usage":{"completion_tokens":4,"prompt_tokens":37},"timings":{"cache_n":36,"prompt_n":1,"predicted_n":4}}"#;
    const LEGACY_LAST: &str = r#"{"choices":[{"text":"","finish_reason":"length"}],"usage":{"completion_tokens":4,"prompt_tokens":37},"id":"x"}"#;

    fn view(is_usage_wanted: bool) -> View {
        View::new(is_usage_wanted, "m")
    }

    #[test]
    fn the_model_goes_by_its_name() {
        let event = br#"{"model":"/weights/secret.gguf","choices":[{"model":"kept"}],"timings":{}}"#;
        let rest = text_of(LLAMA.read_event(event, &view(false), &mut Usage::default()));
        assert_eq!(rest, r#"{"model":"m","choices":[{"model":"kept"}]}"#);
        let cleaned = LLAMA.read_answer(br#"{"choices":[],"model": "-"}"#, &view(true)).unwrap().rewritten.unwrap();
        assert_eq!(cleaned, br#"{"choices":[],"model": "m"}"#);
        let same = LLAMA.read_answer(br#"{"choices":[],"model":"m"}"#, &view(true)).unwrap();
        assert!(same.rewritten.is_none());
    }

    fn text_of(fate: EventFate) -> String {
        match fate {
            EventFate::Rewrite(json) => String::from_utf8(json).unwrap(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn timings_count_and_are_cut() {
        let mut usage = Usage::default();
        let rest = text_of(LLAMA.read_event(TOKEN.as_bytes(), &view(true), &mut usage));
        assert_eq!(rest, r#"{"choices":[{"index":0,"delta":{"content":"\"usage\":{"}}],"id":"x"}"#);
        let (quantities, source) = usage.conclude();
        assert_eq!((quantities.input, quantities.input_cached, quantities.output), (Some(1), Some(36), Some(3)));
        assert_eq!(source, UsageSource::EngineRunning);
    }

    #[test]
    fn an_event_of_nothing_but_timings_is_hidden() {
        for event in [r#"{"timings":{"predicted_n":1}}"#, "{\r\"timings\":{\"predicted_n\":1}\n}"] {
            let mut usage = Usage::default();
            assert_eq!(text_of(LLAMA.read_event(event.as_bytes(), &view(true), &mut usage)), "Hide", "{event}");
        }
    }

    #[test]
    fn the_usage_chunk_is_for_those_who_asked() {
        let mut usage = Usage::default();
        assert_eq!(text_of(LLAMA.read_event(LAST.as_bytes(), &view(false), &mut usage)), "Hide");
        assert_eq!(usage.conclude().1, UsageSource::Engine);
        let rest = text_of(LLAMA.read_event(LAST.as_bytes(), &view(true), &mut usage));
        assert_eq!(rest, r#"{"choices":[],"id":"x","usage":{"completion_tokens":4,"prompt_tokens":37}}"#);
    }

    #[test]
    fn legacy_usage_is_cut_out_of_its_chunk() {
        let mut usage = Usage::default();
        let rest = text_of(LLAMA.read_event(LEGACY_LAST.as_bytes(), &view(false), &mut usage));
        assert_eq!(rest, r#"{"choices":[{"text":"","finish_reason":"length"}],"id":"x"}"#);
        assert_eq!(usage.conclude().1, UsageSource::Engine);
        assert_eq!(text_of(LLAMA.read_event(LEGACY_LAST.as_bytes(), &view(true), &mut usage)), "Pass");
    }

    #[test]
    fn continuous_usage_is_running_until_choices_end() {
        let dialect = Dialect::new(RunningUsage::ContinuousUsage);
        let mut usage = Usage::default();
        let rest = text_of(dialect.read_event(LEGACY_LAST.as_bytes(), &view(true), &mut usage));
        assert!(!rest.contains("usage"), "{rest}");
        assert_eq!(usage.conclude().1, UsageSource::EngineRunning);
        let null = br#"{"choices":[{"delta":{}}],"usage":null}"#;
        assert_eq!(text_of(dialect.read_event(null, &view(false), &mut usage)), "Pass");
    }

    #[test]
    fn choices_that_are_no_array_are_none() {
        let dialect = Dialect::new(RunningUsage::ContinuousUsage);
        for choices in ["null", "{\"a\":1}", "\"a\"", "[ ]"] {
            let mut usage = Usage::default();
            let event = format!(r#"{{"choices":{choices},"usage":{{"completion_tokens":4,"prompt_tokens":37}}}}"#);
            assert_eq!(text_of(dialect.read_event(event.as_bytes(), &view(false), &mut usage)), "Hide", "{choices}");
            assert_eq!(usage.conclude().1, UsageSource::Engine, "{choices}");
        }
    }

    #[test]
    fn an_engine_that_tells_nothing_is_estimated() {
        let dialect = Dialect::new(RunningUsage::None);
        let mut usage = Usage::default();
        let event = br#"{"choices":[{"delta":{"content":"hell\u00f6 world"}}]}"#;
        assert_eq!(text_of(dialect.read_event(event, &view(false), &mut usage)), "Pass");
        assert_eq!(usage.conclude().0.output, Some(1));
    }

    #[test]
    fn errors_are_said_in_our_words() {
        let body = br#"{"error":{"code":400,"message":"request (5031 tokens) exceeds /secret","type":"exceed_context_size_error","n_prompt_tokens":5031,"n_ctx":2048}}"#;
        let refusal = translate_answer(400, body);
        assert_eq!(refusal.code, Code::ContextLengthExceeded);
        assert!(
            refusal.message.contains("5031") && refusal.message.contains("2048") && !refusal.message.contains("secret")
        );
        assert_eq!(
            translate_answer(400, b"{\"error\":{\"type\":\"invalid_request_error\"}}").code,
            Code::EngineRefused
        );
        assert_eq!(translate_answer(404, b"<html>").code, Code::EngineRefused);
        for status in [101, 302, 408, 429, 500, 503] {
            assert_eq!(translate_answer(status, b"{}").code, Code::EngineError, "{status}");
        }
        assert_eq!(translate_error_line(b"{\"code\":500,\"message\":\"x\"}").code, Code::EngineError);
        let event = br#"{"error":{"code":500,"message":"slot 3 died","type":"server_error"}}"#;
        let fate = LLAMA.read_event(event, &view(false), &mut Usage::default());
        assert!(matches!(fate, EventFate::Fault(refusal) if refusal.code == Code::EngineError));
    }

    #[test]
    fn a_whole_answer_tells_its_usage_and_loses_its_timings() {
        let json = br#"{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":1},"timings":{"cache_n":0}}"#;
        let answer = LLAMA.read_answer(json, &view(true)).unwrap();
        assert_eq!(
            answer.rewritten.unwrap(),
            br#"{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":1}}"#
        );
        assert_eq!(answer.usage.unwrap().prompt_tokens, 1);
        let empty = LLAMA.read_answer(b"{}", &view(true)).unwrap();
        assert!(empty.rewritten.is_none() && empty.usage.is_none());
        assert!(LLAMA.read_answer(&json[..json.len() - 1], &view(true)).is_none());
        assert!(LLAMA.read_answer(b"[]", &view(true)).is_none());
    }
}
