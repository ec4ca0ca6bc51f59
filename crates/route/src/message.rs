//! Checks messages by R7: engines answer 200 to an unknown role and to no messages at all.
//! Contents stay raw text: no tree is built of a prompt.

use std::fmt;

use crate::json::{Skimmer, read_utf8};
use crate::parameter::read_text;
use crate::refusal::{Code, Refusal};
use crate::request::Halt;

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

/// Where a fault stands: a message, or one of the parts of its content.
#[derive(Clone, Copy)]
struct Place {
    message: usize,
    part: Option<usize>,
}

impl Place {
    /// The path of a field; written only when there is something to say of it.
    fn field(self, name: &str) -> String {
        format!("{self}.{name}")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "messages[{}]", self.message)?;
        self.part.map_or(Ok(()), |part| write!(formatter, ".content[{part}]"))
    }
}

/// Checks `messages` where they stand in a request, one after the other.
pub fn check_messages(request: &mut Skimmer<'_>, needs: &mut Needs) -> Result<(), Halt> {
    if request.peek() != Some(b'[') {
        request.value()?;
        return Err(Refusal::invalid_type("messages", "an array of objects").into());
    }
    let mut number = 0;
    request.array(|request| {
        let place = Place { message: number, part: None };
        number += 1;
        check_message(request, place, needs)
    })?;
    if number == 0 {
        return Err(Refusal::invalid_value("messages", "must not be empty").into());
    }
    Ok(())
}

/// Passes over an object and returns the texts of some members.
fn read_members<'a, const N: usize>(
    request: &mut Skimmer<'a>,
    place: Place,
    names: [&str; N],
) -> Result<[Option<&'a [u8]>; N], Halt> {
    if request.peek() != Some(b'{') {
        request.value()?;
        return Err(Refusal::invalid_type(&place.to_string(), "an object").into());
    }
    let members = request.members(names)?;
    if members.is_any_twice {
        return Err(Refusal::invalid_value(&place.to_string(), "names a field twice").into());
    }
    Ok(members.values)
}

fn check_message(request: &mut Skimmer<'_>, place: Place, needs: &mut Needs) -> Result<(), Halt> {
    let names = ["role", "content", "tool_calls", "tool_call_id", "refusal"];
    let [role, content, tool_calls, tool_call_id, refusal] = read_members(request, place, names)?;
    let role = read_role(place, role)?;
    if role == "tool" {
        let id = tool_call_id.ok_or_else(|| Refusal::missing(&place.field("tool_call_id")))?;
        read_text(&place.field("tool_call_id"), read_utf8(id))?;
    }
    if tool_calls.is_some_and(|calls| !calls.starts_with(b"[")) {
        return Err(Refusal::invalid_type(&place.field("tool_calls"), "an array").into());
    }
    match content {
        Some(content) => check_content(place, content, needs),
        // An assistant's turn may be nothing but its tool calls or its refusal.
        None if role == "assistant" && (tool_calls.is_some() || refusal.is_some()) => Ok(()),
        None => Err(Refusal::missing(&place.field("content")).into()),
    }
}

fn read_role(place: Place, raw: Option<&[u8]>) -> Result<&'static str, Refusal> {
    let raw = read_utf8(raw.ok_or_else(|| Refusal::missing(&place.field("role")))?);
    let bare = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
    if let Some(role) = ROLES.into_iter().find(|role| *role == bare) {
        return Ok(role);
    }
    // It may be written with escapes.
    let text = read_text(&place.field("role"), raw)?;
    let unknown = || Refusal::invalid_value(&place.field("role"), format_args!("must be one of {}", ROLES.join(", ")));
    ROLES.into_iter().find(|role| *role == text).ok_or_else(unknown)
}

fn check_content(place: Place, raw: &[u8], needs: &mut Needs) -> Result<(), Halt> {
    if raw.starts_with(b"\"") {
        return Ok(());
    }
    if !raw.starts_with(b"[") {
        return Err(Refusal::invalid_type(&place.field("content"), "a string or an array of content parts").into());
    }
    let mut number = 0;
    Skimmer::new(raw).array(|parts| {
        let place = Place { part: Some(number), ..place };
        number += 1;
        check_part(parts, place, needs)
    })?;
    if number == 0 {
        return Err(Refusal::invalid_value(&place.field("content"), "must not be empty").into());
    }
    Ok(())
}

fn check_part(parts: &mut Skimmer<'_>, place: Place, needs: &mut Needs) -> Result<(), Halt> {
    let [kind, text] = read_members(parts, place, ["type", "text"])?;
    let field = place.field("type");
    let kind = read_text(&field, read_utf8(kind.ok_or_else(|| Refusal::missing(&field))?))?;
    match kind.as_str() {
        "text" => {
            let field = place.field("text");
            let text = text.ok_or_else(|| Refusal::missing(&field))?;
            if !text.starts_with(b"\"") {
                return Err(Refusal::invalid_type(&field, "a string").into());
            }
        }
        "refusal" => {}
        "image_url" => needs.insert(Need::Images),
        "input_audio" => needs.insert(Need::Audio),
        "file" => needs.insert(Need::Files),
        _ => {
            let text = format!("'{field}' is not a known content type");
            return Err(Refusal::new(Code::InvalidValue, text).about(field).into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(raw: &str) -> Option<(Code, String)> {
        match check_messages(&mut Skimmer::new(raw.as_bytes()), &mut Needs::default()).err()? {
            Halt::Refused(refusal) => Some((refusal.code, refusal.param.clone().unwrap())),
            Halt::Unreadable(fault) => panic!("{raw}: {fault:?}"),
        }
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
        check_messages(&mut Skimmer::new(raw.as_bytes()), &mut needs).unwrap();
        assert_eq!(needs.list().collect::<Vec<_>>(), [Need::Images, Need::Audio, Need::Files]);
    }
}
