//! The oracle for JSON objects: `serde_json` reads the members, and each value keeps its own text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The members of an object, in order, as many times as they are named.
#[derive(Debug)]
pub struct Members<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Members<'a> {
    /// Nothing if the text is no object, or names a member with escapes: engines name theirs plainly.
    pub fn read(json: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// The text of a member's value; named twice, the later one counts.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(own, _)| *own == name).map(|(_, text)| *text)
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Tells whether a member is named twice.
    pub fn has_twins(&self) -> bool {
        self.0.iter().enumerate().any(|(position, (name, _))| self.0[..position].iter().any(|(other, _)| other == name))
    }

    /// The members other than `hidden`, as values. Nothing if a value is beyond what `serde_json` holds.
    pub fn list_values(&self, hidden: &[&str]) -> Option<serde_json::Map<String, Value>> {
        let shown = self.0.iter().filter(|(name, _)| !hidden.contains(name));
        shown.map(|(name, text)| Some(((*name).to_owned(), serde_json::from_str(text).ok()?))).collect()
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<&str, &RawValue>()? {
            members.push((name, value.get()));
        }
        Ok(Members(members))
    }
}
