//! A span: something that took time, whose child it was, and what is known of it.

use super::attribute::Attribute;

/// What a span tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request, from its arrival to its end.
    Call,
    /// The part of it that one replica had.
    Attempt,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Number(u64),
}

/// Times are nanoseconds since 1970.
#[derive(Clone, Debug)]
#[allow(clippy::struct_field_names, reason = "span_id is the field's name in every specification of traces")]
pub struct Span {
    pub trace_id: u128,
    pub span_id: u64,
    pub parent_id: Option<u64>,
    pub kind: Kind,
    pub name: String,
    pub start_ns: u64,
    pub end_ns: u64,
    pub attributes: Vec<(Attribute, Value)>,
    /// What failed was this side, and not what was asked of it.
    pub is_failed: bool,
}

impl Span {
    pub fn note(&mut self, attribute: Attribute, text: impl Into<String>) {
        self.attributes.push((attribute, Value::Text(text.into())));
    }

    pub fn count(&mut self, attribute: Attribute, number: impl Into<u64>) {
        self.attributes.push((attribute, Value::Number(number.into())));
    }
}
