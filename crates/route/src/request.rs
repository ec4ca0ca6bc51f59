//! Reads a /v1 request: checks every top-level parameter, and composes what the engine gets from the raw texts.

use crate::block::{Blocks, fold};
use crate::json::{DEPTH_MAX, Fault, Skimmer, read_utf8};
use crate::message::{Need, Needs, check_messages};
use crate::parameter::{Parameter, check_value, find_parameter, read_boolean, read_integer, read_text};
use crate::refusal::{Code, Refusal};

const NAME_SHOWN_CHARACTERS_MAX: usize = 64;

/// A part of /v1 through which a model is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Surface {
    Chat,
    Completions,
}

impl Surface {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
        }
    }

    /// The path of the surface, the same on the gateway and on the engine.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Completions => "/v1/completions",
        }
    }
}

/// A checked request; texts are borrowed from the body.
#[derive(Debug)]
pub struct CallRequest<'a> {
    pub surface: Surface,
    pub model: String,
    pub is_stream: bool,
    /// The client asked for the usage chunk of a stream.
    pub is_usage_wanted: bool,
    pub max_tokens: Option<u64>,
    pub needs: Needs,
    forwarded: Vec<(&'static str, &'a str)>,
}

impl<'a> CallRequest<'a> {
    /// Hashes the prompt's text as the client wrote it. Tools stand before the messages in what engines read, so they
    /// are a part of the chain's start.
    pub fn hash_prompt(&self, start: u64) -> Blocks {
        let start = fold(start, self.find_text("tools").unwrap_or_default().as_bytes());
        let name = if self.surface == Surface::Chat { "messages" } else { "prompt" };
        Blocks::of(start, self.find_text(name).unwrap_or_default().as_bytes())
    }

    /// Returns the raw text of a parameter that goes to the engine.
    fn find_text(&self, name: &str) -> Option<&'a str> {
        self.forwarded.iter().find(|(own, _)| *own == name).map(|(_, raw)| *raw)
    }

    /// Returns the engine's body: the client's own texts, the token limit, and `additions`, a list of JSON members.
    pub fn compose(&self, max_tokens: u64, additions: &str) -> Vec<u8> {
        let texts: usize = self.forwarded.iter().map(|(name, raw)| name.len() + raw.len() + 4).sum();
        let mut body = Vec::with_capacity(texts + additions.len() + 48);
        body.push(b'{');
        for (name, raw) in &self.forwarded {
            body.push(b'"');
            body.extend_from_slice(name.as_bytes());
            body.extend_from_slice(b"\":");
            body.extend_from_slice(raw.as_bytes());
            body.push(b',');
        }
        body.extend_from_slice(b"\"max_tokens\":");
        body.extend_from_slice(itoa::Buffer::new().format(max_tokens).as_bytes());
        if !additions.is_empty() {
            body.push(b',');
            body.extend_from_slice(additions.as_bytes());
        }
        body.push(b'}');
        body
    }
}

/// Reads and checks a request body (R7).
pub fn read_request(surface: Surface, body: &[u8]) -> Result<CallRequest<'_>, Refusal> {
    let text = std::str::from_utf8(body).map_err(|_| Refusal::new(Code::InvalidJson, "the body is not valid UTF-8"))?;
    let mut reading = Reading::new(surface);
    reading.read_all(text).and_then(|()| reading.finish()).map_err(|halt| halt.explain(text))
}

/// Why reading a request ends early.
#[derive(Debug)]
pub enum Halt {
    Unreadable(Fault),
    Refused(Box<Refusal>),
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Unreadable(fault)
    }
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl Halt {
    /// The refusal of the request with this text.
    fn explain(self, text: &str) -> Refusal {
        match self {
            Self::Refused(refusal) => *refusal,
            Self::Unreadable(Fault::Deep(_)) => {
                Refusal::new(Code::InvalidValue, format!("the body is nested deeper than {DEPTH_MAX} levels"))
            }
            Self::Unreadable(Fault::Grammar(position)) => {
                let before = &text.as_bytes()[..position.min(text.len())];
                let line = memchr::memchr_iter(b'\n', before).count() + 1;
                let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |end| end + 1) + 1;
                Refusal::new(Code::InvalidJson, format!("the body is not valid JSON at line {line}, column {column}"))
            }
        }
    }
}

/// A request while its parameters come in.
struct Reading<'a> {
    seen: Vec<&'static str>,
    model: Option<String>,
    has_prompt: bool,
    stream_options: Option<&'a str>,
    max_completion_tokens: Option<u64>,
    request: CallRequest<'a>,
}

impl<'a> Reading<'a> {
    fn new(surface: Surface) -> Self {
        let request = CallRequest {
            surface,
            model: String::new(),
            is_stream: false,
            is_usage_wanted: false,
            max_tokens: None,
            needs: Needs::default(),
            forwarded: Vec::with_capacity(12),
        };
        Self {
            seen: Vec::with_capacity(16),
            model: None,
            has_prompt: false,
            stream_options: None,
            max_completion_tokens: None,
            request,
        }
    }

    fn read_all(&mut self, text: &'a str) -> Result<(), Halt> {
        let mut body = Skimmer::new(text.as_bytes());
        if body.peek() != Some(b'{') {
            body.value()?;
            body.end()?;
            return Err(Refusal::new(Code::InvalidType, "the body must be a JSON object").into());
        }
        body.object(|body, name| self.take(&name.read(), text, body))?;
        body.end()?;
        if body.has_half_pair() {
            return Err(Refusal::new(Code::InvalidJson, "the body has half of a surrogate pair").into());
        }
        Ok(())
    }

    fn take(&mut self, name: &str, text: &'a str, body: &mut Skimmer<'a>) -> Result<(), Halt> {
        let Some(parameter) = find_parameter(self.request.surface, name) else {
            let shown: String = name.chars().take(NAME_SHOWN_CHARACTERS_MAX).collect();
            let text = format!("'{shown}' is not a parameter of {}", self.request.surface.path());
            return Err(Refusal::new(Code::UnknownParameter, text).about(shown).into());
        };
        if self.seen.contains(&parameter.name) {
            return Err(Refusal::invalid_value(parameter.name, "is given twice").into());
        }
        self.seen.push(parameter.name);
        body.peek();
        let start = body.position();
        self.pass_value(parameter, body).map_err(|halt| blame_depth(parameter.name, halt))?;
        let raw = &text[start..body.position()];
        // OpenAI reads null as absent.
        if raw == "null" {
            return Ok(());
        }
        check_value(parameter, raw)?;
        self.take_own(parameter, raw)?;
        if parameter.is_forwarded {
            self.request.forwarded.push((parameter.name, raw));
        }
        Ok(())
    }

    /// Passes over a value; messages are looked at on the way.
    fn pass_value(&mut self, parameter: &Parameter, body: &mut Skimmer<'a>) -> Result<(), Halt> {
        if parameter.name != "messages" || body.peek() == Some(b'n') {
            return Ok(body.value().map(drop)?);
        }
        check_messages(body, &mut self.request.needs)?;
        self.has_prompt = true;
        Ok(())
    }

    fn take_own(&mut self, parameter: &Parameter, raw: &'a str) -> Result<(), Halt> {
        let name = parameter.name;
        match name {
            "model" => self.model = Some(read_text(name, raw)?),
            "prompt" => {
                check_prompt(name, raw)?;
                self.has_prompt = true;
            }
            "stream" => self.request.is_stream = read_boolean(name, raw)?,
            "stream_options" => self.stream_options = Some(raw),
            "max_tokens" => self.request.max_tokens = Some(read_token_limit(name, raw)?),
            "max_completion_tokens" => self.max_completion_tokens = Some(read_token_limit(name, raw)?),
            "tools" if check_tools(raw)? => self.request.needs.insert(Need::Tools),
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self) -> Result<CallRequest<'a>, Halt> {
        self.request.model = self.model.take().ok_or_else(|| Refusal::missing("model"))?;
        if !self.has_prompt {
            let name = if self.request.surface == Surface::Chat { "messages" } else { "prompt" };
            return Err(Refusal::missing(name).into());
        }
        if let Some(raw) = self.stream_options {
            if !self.request.is_stream {
                return Err(Refusal::invalid_value("stream_options", "is only allowed when 'stream' is true").into());
            }
            self.request.is_usage_wanted = read_stream_options(raw)?;
        }
        match (self.request.max_tokens, self.max_completion_tokens) {
            (Some(older), Some(newer)) if older != newer => {
                return Err(Refusal::invalid_value("max_tokens", "differs from 'max_completion_tokens'").into());
            }
            (older, newer) => self.request.max_tokens = newer.or(older),
        }
        Ok(self.request)
    }
}

fn check_prompt(name: &str, raw: &str) -> Result<(), Refusal> {
    match raw.as_bytes().first() {
        Some(b'"') => Ok(()),
        Some(b'[') => Err(Refusal::unsupported(name, "must be one string: arrays are not offered")),
        _ => Err(Refusal::invalid_type(name, "a string")),
    }
}

fn read_token_limit(name: &str, raw: &str) -> Result<u64, Refusal> {
    let tokens = read_integer(name, raw)?;
    match u64::try_from(tokens) {
        Ok(tokens) if tokens >= 1 => Ok(tokens),
        _ => Err(Refusal::invalid_value(name, format_args!("must be at least 1, got {tokens}"))),
    }
}

/// Returns whether any tool is given.
fn check_tools(raw: &str) -> Result<bool, Halt> {
    if !raw.starts_with('[') {
        return Err(Refusal::invalid_type("tools", "an array of objects").into());
    }
    let mut count = 0;
    Skimmer::new(raw.as_bytes()).array(|tools| {
        if tools.peek() != Some(b'{') {
            return Err(Halt::from(Refusal::invalid_type(&format!("tools[{count}]"), "an object")));
        }
        count += 1;
        Ok(tools.value().map(drop)?)
    })?;
    Ok(count > 0)
}

fn read_stream_options(raw: &str) -> Result<bool, Halt> {
    if !raw.starts_with('{') {
        return Err(Refusal::invalid_type("stream_options", "an object").into());
    }
    let mut is_usage_wanted = false;
    Skimmer::new(raw.as_bytes()).object(|options, name| {
        let name = name.read();
        let path = format!("stream_options.{name}");
        match (name.as_ref(), read_utf8(options.value()?)) {
            ("include_usage" | "include_obfuscation", "null") => {}
            ("include_usage", value) => is_usage_wanted = read_boolean(&path, value)?,
            // Obfuscation pads events against traffic analysis; nothing is promised about it here.
            ("include_obfuscation", value) => drop(read_boolean(&path, value)?),
            _ => {
                let text = "'stream_options' has an unknown field";
                return Err(Halt::from(Refusal::new(Code::UnknownParameter, text).about("stream_options")));
            }
        }
        Ok(())
    })?;
    Ok(is_usage_wanted)
}

/// Says which parameter is nested too deep.
fn blame_depth(name: &str, halt: Halt) -> Halt {
    match halt {
        Halt::Unreadable(Fault::Deep(_)) => {
            let text = format!("'{name}' is nested deeper than {DEPTH_MAX} levels");
            Refusal::new(Code::InvalidValue, text).about(name).into()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MESSAGES: &str = r#""messages":[{"role":"user","content":"hi"}]"#;

    fn judge(surface: Surface, body: &str) -> Option<(Code, Option<String>)> {
        let refusal = read_request(surface, body.as_bytes()).err()?;
        Some((refusal.code, refusal.param))
    }

    #[test]
    fn faults_of_the_top_level() {
        let chat = |rest: &str| format!(r#"{{"model":"m",{MESSAGES}{rest}}}"#);
        let cases = [
            ("{".to_owned(), Code::InvalidJson, None),
            ("[]".to_owned(), Code::InvalidType, None),
            (format!("{{{MESSAGES}}}"), Code::MissingField, Some("model")),
            (r#"{"model":"m"}"#.to_owned(), Code::MissingField, Some("messages")),
            (r#"{"model":null,"messages":[]}"#.to_owned(), Code::InvalidValue, Some("messages")),
            (format!(r#"{{"model":7,{MESSAGES}}}"#), Code::InvalidType, Some("model")),
            (chat(r#","n_predict":5"#), Code::UnknownParameter, Some("n_predict")),
            (chat(r#","n\u005fpredict":5"#), Code::UnknownParameter, Some("n_predict")),
            (chat(r#","max_tokens":1,"max_tokens":2"#), Code::InvalidValue, Some("max_tokens")),
            (chat(r#","max_tokens":1,"max_\u0074okens":2"#), Code::InvalidValue, Some("max_tokens")),
            (chat(r#","max_tokens":0"#), Code::InvalidValue, Some("max_tokens")),
            (chat(r#","max_tokens":"5""#), Code::InvalidType, Some("max_tokens")),
            (chat(r#","max_tokens":5,"max_completion_tokens":6"#), Code::InvalidValue, Some("max_tokens")),
            (chat(r#","stream":1"#), Code::InvalidType, Some("stream")),
            (chat(r#","stream_options":{"include_usage":true}"#), Code::InvalidValue, Some("stream_options")),
            (
                chat(r#","stream":true,"stream_options":{"include_usage":1}"#),
                Code::InvalidType,
                Some("stream_options.include_usage"),
            ),
            (chat(r#","stream":true,"stream_options":{"x":1}"#), Code::UnknownParameter, Some("stream_options")),
            (chat(r#","tools":{}"#), Code::InvalidType, Some("tools")),
            (chat(r#","tools":[1]"#), Code::InvalidType, Some("tools[0]")),
        ];
        for (body, code, param) in cases {
            assert_eq!(judge(Surface::Chat, &body), Some((code, param.map(str::to_owned))), "{body}");
        }
        assert_eq!(judge(Surface::Chat, "\u{0}"), Some((Code::InvalidJson, None)));
        assert_eq!(judge(Surface::Chat, &chat(r#","stop":"\ud83d""#)), Some((Code::InvalidJson, None)));
        assert_eq!(read_request(Surface::Chat, b"{\"model\":\"\xff\"}").unwrap_err().code, Code::InvalidJson);
    }

    #[test]
    fn nesting_is_bounded_within_each_parameter() {
        let nest = |count: usize| format!("{}{}", "[".repeat(count), "]".repeat(count));
        let most = usize::try_from(DEPTH_MAX).unwrap();
        let ask = |count| {
            judge(Surface::Chat, &format!(r#"{{"model":"m",{MESSAGES},"tools":[{{"a":{}}}]}}"#, nest(count - 2)))
        };
        assert_eq!(ask(most), None);
        assert_eq!(ask(most + 1), Some((Code::InvalidValue, Some("tools".to_owned()))));
        assert_eq!(judge(Surface::Chat, &nest(most + 2)), Some((Code::InvalidValue, None)));
    }

    #[test]
    fn a_fault_of_the_grammar_is_told_by_line_and_column() {
        let refusal = read_request(Surface::Chat, b"{\n \"model\": tru}").unwrap_err();
        assert_eq!(refusal.message, "the body is not valid JSON at line 2, column 11");
    }

    #[test]
    fn legacy_prompts() {
        let judge = |prompt: &str| judge(Surface::Completions, &format!(r#"{{"model":"m","prompt":{prompt}}}"#));
        assert_eq!(judge("\"a\""), None);
        assert_eq!(judge("[\"a\"]"), Some((Code::UnsupportedValue, Some("prompt".to_owned()))));
        assert_eq!(judge("3"), Some((Code::InvalidType, Some("prompt".to_owned()))));
        assert_eq!(judge("null"), Some((Code::MissingField, Some("prompt".to_owned()))));
    }

    #[test]
    fn the_engine_gets_the_texts_as_they_were() {
        let body = r#"{"model":"m\u006d","messages":[ {"role":"user","content":"h\u0069"}],"user":"me","n":1,
            "max_completion_tokens":7,"temperature":null,"stream":true,"stream_options":{"include_usage":true},"top_k":4}"#;
        let request = read_request(Surface::Chat, body.as_bytes()).unwrap();
        assert_eq!((request.model.as_str(), request.max_tokens), ("mm", Some(7)));
        assert!(request.is_stream && request.is_usage_wanted);
        let composed = String::from_utf8(request.compose(7, r#""timings_per_token":true"#)).unwrap();
        let expected = r#"{"model":"m\u006d","messages":[ {"role":"user","content":"h\u0069"}],"stream":true,"top_k":4,"max_tokens":7,"timings_per_token":true}"#;
        assert_eq!(composed, expected);
    }

    #[test]
    fn prompts_share_blocks_up_to_where_they_differ() {
        let hash =
            |surface, body: &str| read_request(surface, body.as_bytes()).unwrap().hash_prompt(1).as_slice().to_vec();
        let system = "be brief. ".repeat(100);
        let ask = |question: &str, rest: &str| {
            let messages =
                format!(r#"[{{"role":"system","content":"{system}"}},{{"role":"user","content":"{question}"}}]"#);
            hash(Surface::Chat, &format!(r#"{{"model":"m","messages":{messages}{rest}}}"#))
        };
        let long = "why? ".repeat(200);
        let first = ask(&long, "");
        assert_eq!(first.len(), 4);
        assert_eq!(first[..2], ask("how?", r#","temperature":0"#)[..2]);
        let tools = ask(&long, r#","tools":[{"type":"function"}]"#);
        assert!(tools.len() == 4 && tools[0] != first[0]);
        let legacy = hash(Surface::Completions, &format!(r#"{{"model":"m","prompt":"{system}"}}"#));
        assert_eq!(legacy.len(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_get_an_answer(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_request(Surface::Chat, &body);
        }

        #[test]
        fn what_is_composed_is_json_without_unknown_members(top_k in 0u32..99, content in ".*") {
            let content = serde_json::to_string(&content).unwrap();
            let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":{content}}}],"top_k":{top_k}}}"#);
            let composed = read_request(Surface::Chat, body.as_bytes()).unwrap().compose(9, "");
            let value: serde_json::Value = serde_json::from_slice(&composed).unwrap();
            let names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
            prop_assert_eq!(names, ["max_tokens", "messages", "model", "top_k"]);
        }
    }
}
