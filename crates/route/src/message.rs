//! Checks messages by R7: engines answer 200 to an unknown role and to no messages at all.
//! Contents stay raw text: no tree is built of a prompt.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::parameter::{check_depth, read_text};
use crate::refusal::{Code, Refusal};

const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

/// Something beyond text that a model may or may not offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Tools,
    Images,
    Audio,
    Files,
}

impl Need {
    const ALL: [Self; 4] = [Self::Tools, Self::Images, Self::Audio, Self::Files];

    /// The capability that a model must have.
    pub const fn capability(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Images => "images",
            Self::Audio => "audio",
            Self::Files => "files",
        }
    }

    /// The field that asks for it.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Images | Self::Audio | Self::Files => "messages",
        }
    }
}

/// What a request needs of a model beyond text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs([bool; Need::ALL.len()]);

impl Needs {
    pub fn insert(&mut self, need: Need) {
        self.0[need as usize] = true;
    }

    pub fn list(self) -> impl Iterator<Item = Need> {
        Need::ALL.into_iter().filter(move |need| self.0[*need as usize])
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_call_id: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

/// Checks the JSON text of `messages`.
pub fn check_messages(raw: &str, needs: &mut Needs) -> Result<(), Refusal> {
    let messages: Vec<&RawValue> =
        serde_json::from_str(raw).map_err(|_| Refusal::invalid_type("messages", "an array of objects"))?;
    if messages.is_empty() {
        return Err(Refusal::invalid_value("messages", "must not be empty"));
    }
    check_depth("messages", raw)?;
    for (number, message) in messages.iter().enumerate() {
        check_message(&format!("messages[{number}]"), message.get(), needs)?;
    }
    Ok(())
}

fn check_message(path: &str, raw: &str, needs: &mut Needs) -> Result<(), Refusal> {
    if !raw.starts_with('{') {
        return Err(Refusal::invalid_type(path, "an object"));
    }
    let message: Message<'_> =
        serde_json::from_str(raw).map_err(|_| Refusal::invalid_value(path, "names a field twice"))?;
    let role = read_role(path, message.role)?;
    if role == "tool" {
        let field = format!("{path}.tool_call_id");
        let id = present(message.tool_call_id).ok_or_else(|| Refusal::missing(&field))?;
        read_text(&field, id)?;
    }
    if present(message.tool_calls).is_some_and(|calls| !calls.starts_with('[')) {
        return Err(Refusal::invalid_type(&format!("{path}.tool_calls"), "an array"));
    }
    let field = format!("{path}.content");
    match present(message.content) {
        Some(content) => check_content(&field, content, needs),
        // An assistant's turn may be nothing but its tool calls or its refusal.
        None if role == "assistant"
            && (present(message.tool_calls).is_some() || present(message.refusal).is_some()) =>
        {
            Ok(())
        }
        None => Err(Refusal::missing(&field)),
    }
}

fn read_role(path: &str, raw: Option<&RawValue>) -> Result<String, Refusal> {
    let field = format!("{path}.role");
    let raw = present(raw).ok_or_else(|| Refusal::missing(&field))?;
    let role = read_text(&field, raw)?;
    if ROLES.contains(&role.as_str()) {
        return Ok(role);
    }
    Err(Refusal::invalid_value(&field, format_args!("must be one of {}", ROLES.join(", "))))
}

fn check_content(field: &str, raw: &str, needs: &mut Needs) -> Result<(), Refusal> {
    if raw.starts_with('"') {
        return Ok(());
    }
    if !raw.starts_with('[') {
        return Err(Refusal::invalid_type(field, "a string or an array of content parts"));
    }
    let parts: Vec<&RawValue> = serde_json::from_str(raw).map_err(|_| Refusal::invalid_type(field, "an array"))?;
    if parts.is_empty() {
        return Err(Refusal::invalid_value(field, "must not be empty"));
    }
    for (number, part) in parts.iter().enumerate() {
        check_part(&format!("{field}[{number}]"), part.get(), needs)?;
    }
    Ok(())
}

fn check_part(path: &str, raw: &str, needs: &mut Needs) -> Result<(), Refusal> {
    if !raw.starts_with('{') {
        return Err(Refusal::invalid_type(path, "an object"));
    }
    let part: Part<'_> = serde_json::from_str(raw).map_err(|_| Refusal::invalid_value(path, "names a field twice"))?;
    let field = format!("{path}.type");
    let kind = read_text(&field, present(part.kind).ok_or_else(|| Refusal::missing(&field))?)?;
    match kind.as_str() {
        "text" => {
            let field = format!("{path}.text");
            let text = present(part.text).ok_or_else(|| Refusal::missing(&field))?;
            if !text.starts_with('"') {
                return Err(Refusal::invalid_type(&field, "a string"));
            }
        }
        "refusal" => {}
        "image_url" => needs.insert(Need::Images),
        "input_audio" => needs.insert(Need::Audio),
        "file" => needs.insert(Need::Files),
        _ => {
            return Err(Refusal::new(Code::InvalidValue, format!("'{field}' is not a known content type")).about(field));
        }
    }
    Ok(())
}

/// The JSON text of a field that is there and not null.
fn present(raw: Option<&RawValue>) -> Option<&str> {
    raw.map(RawValue::get).filter(|text| *text != "null")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(raw: &str) -> Option<(Code, String)> {
        let refusal = check_messages(raw, &mut Needs::default()).err()?;
        Some((refusal.code, refusal.param.unwrap()))
    }

    #[test]
    fn faults_name_their_place() {
        let cases = [
            ("{}", Code::InvalidType, "messages"),
            ("[]", Code::InvalidValue, "messages"),
            ("[1]", Code::InvalidType, "messages[0]"),
            (r#"[{"content":"a"}]"#, Code::MissingField, "messages[0].role"),
            (
                r#"[{"role":"user","content":"a"},{"role":"wizard","content":"a"}]"#,
                Code::InvalidValue,
                "messages[1].role",
            ),
            (r#"[{"role":3,"content":"a"}]"#, Code::InvalidType, "messages[0].role"),
            (r#"[{"role":"user"}]"#, Code::MissingField, "messages[0].content"),
            (r#"[{"role":"user","content":null}]"#, Code::MissingField, "messages[0].content"),
            (r#"[{"role":"user","content":3}]"#, Code::InvalidType, "messages[0].content"),
            (r#"[{"role":"user","content":[]}]"#, Code::InvalidValue, "messages[0].content"),
            (r#"[{"role":"user","content":["a"]}]"#, Code::InvalidType, "messages[0].content[0]"),
            (r#"[{"role":"user","content":[{"text":"a"}]}]"#, Code::MissingField, "messages[0].content[0].type"),
            (r#"[{"role":"user","content":[{"type":"text"}]}]"#, Code::MissingField, "messages[0].content[0].text"),
            (
                r#"[{"role":"user","content":[{"type":"text","text":1}]}]"#,
                Code::InvalidType,
                "messages[0].content[0].text",
            ),
            (r#"[{"role":"user","content":[{"type":"video"}]}]"#, Code::InvalidValue, "messages[0].content[0].type"),
            (r#"[{"role":"tool","content":"a"}]"#, Code::MissingField, "messages[0].tool_call_id"),
            (r#"[{"role":"assistant","tool_calls":{}}]"#, Code::InvalidType, "messages[0].tool_calls"),
            (r#"[{"role":"assistant"}]"#, Code::MissingField, "messages[0].content"),
            (r#"[{"role":"user","role":"user","content":"a"}]"#, Code::InvalidValue, "messages[0]"),
        ];
        for (raw, code, param) in cases {
            assert_eq!(judge(raw), Some((code, param.to_owned())), "{raw}");
        }
    }

    #[test]
    fn whole_conversations_pass() {
        let raw = r#"[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"a"}]},
            {"role":"assistant","content":null,"tool_calls":[{"id":"1"}]},{"role":"tool","tool_call_id":"1","content":"x"},
            {"role":"developer","content":"d","name":"n"}]"#;
        assert_eq!(judge(raw), None);
    }

    #[test]
    fn parts_beyond_text_are_needs() {
        let mut needs = Needs::default();
        let raw = r#"[{"role":"user","content":[{"type":"image_url","image_url":{}},{"type":"input_audio"},{"type":"file"}]}]"#;
        check_messages(raw, &mut needs).unwrap();
        assert_eq!(needs.list().collect::<Vec<_>>(), [Need::Images, Need::Audio, Need::Files]);
    }
}
