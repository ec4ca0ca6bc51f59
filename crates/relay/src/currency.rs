//! A currency by its code (ISO 4217). Amounts of two are never compared, and nothing is changed from one into another.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Nothing for a text that is not three capital letters.
    pub fn parse(text: &str) -> Option<Self> {
        let code: [u8; 3] = text.as_bytes().try_into().ok()?;
        code.iter().all(u8::is_ascii_uppercase).then_some(Self(code))
    }

    pub fn code(&self) -> &str {
        // Capital letters are text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("expected a currency's code, got '{text}'")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_capital_letters_are_a_currency() {
        assert_eq!(Currency::parse("CNY").map(|currency| currency.to_string()), Some("CNY".to_owned()));
        for text in ["", "CN", "CNYX", "cny", "CN1", "é1"] {
            assert_eq!(Currency::parse(text), None, "{text}");
        }
        assert_eq!(serde_json::to_string(&Currency::parse("JPY")).unwrap(), "\"JPY\"");
        assert!(serde_json::from_str::<Currency>("\"yen\"").is_err());
    }
}
