//! The parameters a client may send, what each must look like, and whether the engine gets to see it.
//! Source: `CreateChatCompletionRequest` and `CreateCompletionRequest` of `OpenAI`'s published specification, plus four
//! sampling parameters that engines share. Any other is refused: engines honour private fields that bypass limits.

use crate::refusal::Refusal;
use crate::request::Surface;

const STOP_TEXTS_MAX: usize = 4;

/// What a parameter's value must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Read by the request itself: the model, the prompt, streaming, and the token limit.
    Own,
    Boolean,
    /// Only `false`: the feature is not offered.
    OnlyFalse,
    /// Only 1: usage is not summed over choices by the engine.
    OnlyOne,
    /// Only absent or null, for the reason given.
    OnlyNull(&'static str),
    /// One of these texts.
    Word(&'static [&'static str]),
    Integer(i64, i64),
    Number(f64, f64),
    Text,
    Object,
    Stop,
    /// A text or an object.
    Choice,
    /// An array that holds nothing but "text".
    TextModality,
}

/// One parameter of /v1.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    pub name: &'static str,
    pub shape: Shape,
    on_chat: bool,
    on_completions: bool,
    /// False for what only the gateway needs, and for words about the caller that no engine should see.
    pub is_forwarded: bool,
}

impl Parameter {
    const fn both(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, on_chat: true, on_completions: true, is_forwarded: true }
    }

    const fn chat(name: &'static str, shape: Shape) -> Self {
        Self { on_completions: false, ..Self::both(name, shape) }
    }

    const fn completions(name: &'static str, shape: Shape) -> Self {
        Self { on_chat: false, ..Self::both(name, shape) }
    }

    const fn kept(self) -> Self {
        Self { is_forwarded: false, ..self }
    }
}

const TIERS: &[&str] = &["auto", "default"];
const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh"];
const LEVELS: &[&str] = &["low", "medium", "high"];

pub const PARAMETERS: &[Parameter] = &[
    Parameter::both("model", Shape::Own),
    Parameter::chat("messages", Shape::Own),
    Parameter::completions("prompt", Shape::Own),
    Parameter::both("stream", Shape::Own),
    Parameter::both("stream_options", Shape::Own).kept(),
    Parameter::both("max_tokens", Shape::Own).kept(),
    Parameter::chat("max_completion_tokens", Shape::Own).kept(),
    Parameter::both("temperature", Shape::Number(0.0, 2.0)),
    Parameter::both("top_p", Shape::Number(0.0, 1.0)),
    Parameter::both("frequency_penalty", Shape::Number(-2.0, 2.0)),
    Parameter::both("presence_penalty", Shape::Number(-2.0, 2.0)),
    Parameter::both("seed", Shape::Integer(i64::MIN, i64::MAX)),
    Parameter::both("stop", Shape::Stop),
    Parameter::both("logit_bias", Shape::Object),
    Parameter::both("n", Shape::OnlyOne).kept(),
    Parameter::both("user", Shape::Text).kept(),
    Parameter::chat("logprobs", Shape::Boolean),
    Parameter::chat("top_logprobs", Shape::Integer(0, 20)),
    Parameter::chat("response_format", Shape::Object),
    Parameter::chat("tools", Shape::Own),
    Parameter::chat("tool_choice", Shape::Choice),
    Parameter::chat("parallel_tool_calls", Shape::Boolean),
    Parameter::chat("reasoning_effort", Shape::Word(EFFORTS)),
    Parameter::chat("verbosity", Shape::Word(LEVELS)).kept(),
    Parameter::chat("service_tier", Shape::Word(TIERS)).kept(),
    Parameter::chat("store", Shape::OnlyFalse).kept(),
    Parameter::chat("metadata", Shape::Object).kept(),
    Parameter::chat("safety_identifier", Shape::Text).kept(),
    Parameter::chat("prompt_cache_key", Shape::Text).kept(),
    Parameter::chat("prompt_cache_retention", Shape::Text).kept(),
    Parameter::chat("prompt_cache_options", Shape::Object).kept(),
    Parameter::chat("prediction", Shape::Object).kept(),
    Parameter::chat("modalities", Shape::TextModality).kept(),
    Parameter::chat("audio", Shape::OnlyNull("is not offered")).kept(),
    Parameter::chat("moderation", Shape::OnlyNull("is not offered")).kept(),
    Parameter::chat("web_search_options", Shape::OnlyNull("is not offered")).kept(),
    Parameter::chat("functions", Shape::OnlyNull("is deprecated; use 'tools'")).kept(),
    Parameter::chat("function_call", Shape::OnlyNull("is deprecated; use 'tool_choice'")).kept(),
    Parameter::completions("logprobs", Shape::Integer(0, 5)),
    Parameter::completions("best_of", Shape::OnlyOne).kept(),
    Parameter::completions("echo", Shape::OnlyFalse).kept(),
    Parameter::completions("suffix", Shape::OnlyNull("is not offered")).kept(),
    Parameter::both("top_k", Shape::Integer(0, 1 << 20)),
    Parameter::both("min_p", Shape::Number(0.0, 1.0)),
    Parameter::both("typical_p", Shape::Number(0.0, 1.0)),
    Parameter::both("repeat_penalty", Shape::Number(0.0, 2.0)),
];

/// Finds a parameter of a surface by name.
pub fn find_parameter(surface: Surface, name: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|parameter| {
        let is_on = match surface {
            Surface::Chat => parameter.on_chat,
            Surface::Completions => parameter.on_completions,
        };
        is_on && parameter.name == name
    })
}

/// Checks the JSON text of a value that is not null.
pub fn check_value(parameter: &Parameter, raw: &str) -> Result<(), Refusal> {
    let name = parameter.name;
    match parameter.shape {
        Shape::Boolean => read_boolean(name, raw).map(drop),
        Shape::OnlyFalse if read_boolean(name, raw)? => {
            Err(Refusal::unsupported(name, "must be false: it is not offered"))
        }
        Shape::Own | Shape::OnlyFalse => Ok(()),
        Shape::OnlyOne => check_only_one(name, raw),
        Shape::OnlyNull(reason) => Err(Refusal::unsupported(name, reason)),
        Shape::Word(words) => check_word(name, raw, words),
        Shape::Integer(least, most) => check_integer(name, raw, (least, most)),
        Shape::Number(least, most) => check_number(name, raw, (least, most)),
        Shape::Text => read_text(name, raw).map(drop),
        Shape::Object if raw.starts_with('{') => Ok(()),
        Shape::Object => Err(Refusal::invalid_type(name, "an object")),
        Shape::Stop => check_stop(name, raw),
        Shape::Choice if raw.starts_with(['"', '{']) => Ok(()),
        Shape::Choice => Err(Refusal::invalid_type(name, "a string or an object")),
        Shape::TextModality if raw.starts_with('[') => check_modalities(name, raw),
        Shape::TextModality => Err(Refusal::invalid_type(name, "an array")),
    }
}

pub fn read_boolean(name: &str, raw: &str) -> Result<bool, Refusal> {
    match raw {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Refusal::invalid_type(name, "a boolean")),
    }
}

pub fn read_text(name: &str, raw: &str) -> Result<String, Refusal> {
    serde_json::from_str(raw).map_err(|_| Refusal::invalid_type(name, "a string"))
}

pub fn read_integer(name: &str, raw: &str) -> Result<i64, Refusal> {
    let is_number = raw.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let is_integer = is_number && !raw.contains(['.', 'e', 'E']);
    if !is_integer {
        return Err(Refusal::invalid_type(name, "an integer"));
    }
    raw.parse().map_err(|_| Refusal::invalid_value(name, "is out of range"))
}

fn check_integer(name: &str, raw: &str, (least, most): (i64, i64)) -> Result<(), Refusal> {
    let number = read_integer(name, raw)?;
    if (least..=most).contains(&number) {
        return Ok(());
    }
    Err(Refusal::invalid_value(name, format_args!("must be from {least} to {most}, got {number}")))
}

fn check_number(name: &str, raw: &str, (least, most): (f64, f64)) -> Result<(), Refusal> {
    let number: f64 = serde_json::from_str(raw).map_err(|_| Refusal::invalid_type(name, "a number"))?;
    if (least..=most).contains(&number) {
        return Ok(());
    }
    Err(Refusal::invalid_value(name, format_args!("must be from {least} to {most}, got {number}")))
}

fn check_only_one(name: &str, raw: &str) -> Result<(), Refusal> {
    match read_integer(name, raw)? {
        1 => Ok(()),
        number if number < 1 => Err(Refusal::invalid_value(name, format_args!("must be at least 1, got {number}"))),
        number => Err(Refusal::unsupported(
            name,
            format_args!("must be 1, got {number}: this model's engine does not count the tokens of several choices"),
        )),
    }
}

fn check_word(name: &str, raw: &str, words: &[&str]) -> Result<(), Refusal> {
    let text = read_text(name, raw)?;
    if words.contains(&text.as_str()) {
        return Ok(());
    }
    Err(Refusal::unsupported(name, format_args!("must be one of {}", words.join(", "))))
}

fn check_stop(name: &str, raw: &str) -> Result<(), Refusal> {
    if raw.starts_with('"') {
        return Ok(());
    }
    let texts: Vec<String> =
        serde_json::from_str(raw).map_err(|_| Refusal::invalid_type(name, "a string or an array of strings"))?;
    if texts.len() > STOP_TEXTS_MAX {
        return Err(Refusal::invalid_value(
            name,
            format_args!("has at most {STOP_TEXTS_MAX} texts, got {}", texts.len()),
        ));
    }
    Ok(())
}

fn check_modalities(name: &str, raw: &str) -> Result<(), Refusal> {
    let modalities: Vec<String> =
        serde_json::from_str(raw).map_err(|_| Refusal::invalid_type(name, "an array of strings"))?;
    if modalities.iter().all(|modality| modality == "text") {
        return Ok(());
    }
    Err(Refusal::unsupported(name, "must be [\"text\"]: no other output is offered"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Code;

    fn judge(surface: Surface, name: &str, raw: &str) -> Option<Code> {
        let parameter = find_parameter(surface, name).unwrap();
        check_value(parameter, raw).err().map(|refusal| refusal.code)
    }

    #[test]
    fn each_shape_has_its_refusals() {
        let cases = [
            ("temperature", "2", None),
            ("temperature", "2.1", Some(Code::InvalidValue)),
            ("temperature", "\"1\"", Some(Code::InvalidType)),
            ("top_logprobs", "21", Some(Code::InvalidValue)),
            ("top_logprobs", "1.5", Some(Code::InvalidType)),
            ("seed", "9223372036854775808", Some(Code::InvalidValue)),
            ("n", "1", None),
            ("n", "2", Some(Code::UnsupportedValue)),
            ("n", "0", Some(Code::InvalidValue)),
            ("stop", "[\"a\",\"b\"]", None),
            ("stop", "[\"a\",1]", Some(Code::InvalidType)),
            ("stop", "[\"a\",\"b\",\"c\",\"d\",\"e\"]", Some(Code::InvalidValue)),
            ("logit_bias", "[]", Some(Code::InvalidType)),
            ("tool_choice", "1", Some(Code::InvalidType)),
            ("logprobs", "1", Some(Code::InvalidType)),
            ("store", "true", Some(Code::UnsupportedValue)),
            ("store", "false", None),
            ("modalities", "[\"text\"]", None),
            ("modalities", "[\"text\",\"audio\"]", Some(Code::UnsupportedValue)),
            ("functions", "[]", Some(Code::UnsupportedValue)),
            ("service_tier", "\"flex\"", Some(Code::UnsupportedValue)),
        ];
        for (name, raw, expected) in cases {
            assert_eq!(judge(Surface::Chat, name, raw), expected, "{name}: {raw}");
        }
    }

    #[test]
    fn surfaces_differ() {
        assert_eq!(judge(Surface::Completions, "logprobs", "5"), None);
        assert!(find_parameter(Surface::Completions, "messages").is_none());
        assert!(find_parameter(Surface::Chat, "prompt").is_none());
        assert_eq!(judge(Surface::Completions, "echo", "true"), Some(Code::UnsupportedValue));
    }

    #[test]
    fn private_fields_of_engines_are_unknown() {
        for name in ["n_predict", "id_slot", "timings_per_token", "cache_prompt", "grammar", "return_progress", "Model"]
        {
            assert!(find_parameter(Surface::Chat, name).is_none(), "{name}");
        }
    }
}
