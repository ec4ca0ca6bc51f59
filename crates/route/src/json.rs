//! Passes over JSON text once and builds nothing: the grammar (RFC 8259) is checked, and a value is told by its text.
//! Most of a request is prompt, and a general parser looks at each of its bytes several times as long as a call takes.

use std::borrow::Cow;

use crate::plain::{count_plain, find_near_quote};

/// Nesting beyond this within a parameter is refused: an engine turns a schema into a grammar by recursion, and its
/// stack is finite.
pub const DEPTH_MAX: u32 = 64;
/// The request's own object stands around its parameters.
const OPEN_MAX: u32 = DEPTH_MAX + 1;
const UNIT_BYTES: usize = r"\uXXXX".len();

/// Why a text cannot be read, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Grammar(usize),
    Deep(usize),
}

/// The texts of members of an object, in the order in which they were named; null is absent.
#[derive(Debug)]
pub struct Members<'a, const N: usize> {
    pub values: [Option<&'a [u8]>; N],
    pub is_any_twice: bool,
}

/// Where reading stands in a text. What stands within texts is not looked at, so that it need not be UTF-8.
#[derive(Debug)]
pub struct Skimmer<'a> {
    text: &'a [u8],
    position: usize,
    /// Objects and arrays that are open.
    open: u32,
    has_half_pair: bool,
}

impl<'a> Skimmer<'a> {
    pub const fn new(text: &'a [u8]) -> Self {
        Self { text, position: 0, open: 0, has_half_pair: false }
    }

    fn byte(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    /// The first byte of what comes next, white space passed over; nothing at the end.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.position += 1,
                other => return other,
            }
        }
    }

    pub const fn position(&self) -> usize {
        self.position
    }

    /// Passes over a value of any kind and returns its text.
    pub fn value(&mut self) -> Result<&'a [u8], Fault> {
        let first = self.peek();
        let start = self.position;
        match first {
            Some(b'{' | b'[') => self.pass_nested()?,
            _ => self.pass_scalar(first)?,
        }
        Ok(&self.text[start..self.position])
    }

    /// Passes over an object or an array, whatever it holds.
    fn pass_nested(&mut self) -> Result<(), Fault> {
        let around = self.open;
        // A bit for each object or array that was opened here, set for an object, the innermost lowest.
        let mut kinds = 0_u128;
        loop {
            let first = self.peek();
            match first {
                Some(b'{') => {
                    self.enter()?;
                    kinds = kinds << 1 | 1;
                    if self.peek() != Some(b'}') {
                        self.pass_name()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.enter()?;
                    kinds <<= 1;
                    if self.peek() != Some(b']') {
                        continue;
                    }
                }
                _ => self.pass_scalar(first)?,
            }
            // Behind a value: another one of the same list, or the end of one or more lists.
            loop {
                let is_object = kinds & 1 == 1;
                match self.peek() {
                    Some(b',') => {
                        self.position += 1;
                        if is_object {
                            self.pass_name()?;
                        }
                        break;
                    }
                    Some(b'}') if is_object => self.leave(),
                    Some(b']') if !is_object => self.leave(),
                    _ => return Err(self.fault()),
                }
                kinds >>= 1;
                if self.open == around {
                    return Ok(());
                }
            }
        }
    }

    /// Reads an object: `each` gets every name and passes over its value.
    pub fn object<E: From<Fault>>(
        &mut self,
        mut each: impl FnMut(&mut Self, Name<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.list((b'{', b'}'), |own| {
            let name = own.pass_name()?;
            each(own, name)
        })
    }

    /// Reads an array: `each` passes over one element.
    pub fn array<E: From<Fault>>(&mut self, each: impl FnMut(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.list((b'[', b']'), each)
    }

    fn list<E: From<Fault>>(
        &mut self,
        (first, last): (u8, u8),
        mut each: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.peek() != Some(first) {
            return Err(self.fault().into());
        }
        self.enter()?;
        if self.peek() != Some(last) {
            loop {
                each(self)?;
                match self.peek() {
                    Some(b',') => self.position += 1,
                    Some(byte) if byte == last => break,
                    _ => return Err(self.fault().into()),
                }
            }
        }
        self.leave();
        Ok(())
    }

    /// Reads an object for the texts of some members.
    pub fn members<const N: usize>(&mut self, names: [&str; N]) -> Result<Members<'a, N>, Fault> {
        let mut members = Members { values: [None; N], is_any_twice: false };
        self.object(|own, name| {
            let value = own.value()?;
            if let Some(position) = names.iter().position(|wanted| name.is(wanted)) {
                members.is_any_twice |= members.values[position].replace(value).is_some();
            }
            Ok::<_, Fault>(())
        })?;
        members.values = members.values.map(|value| value.filter(|text| *text != b"null"));
        Ok(members)
    }

    /// Nothing but white space may be left.
    pub fn end(&mut self) -> Result<(), Fault> {
        if self.peek().is_none() { Ok(()) } else { Err(self.fault()) }
    }

    const fn fault(&self) -> Fault {
        Fault::Grammar(self.position)
    }

    const fn enter(&mut self) -> Result<(), Fault> {
        if self.open == OPEN_MAX {
            return Err(Fault::Deep(self.position));
        }
        self.open += 1;
        self.position += 1;
        Ok(())
    }

    const fn leave(&mut self) {
        self.open -= 1;
        self.position += 1;
    }

    /// Passes over a name and its colon.
    fn pass_name(&mut self) -> Result<Name<'a>, Fault> {
        if self.peek() != Some(b'"') {
            return Err(self.fault());
        }
        let start = self.position;
        let has_escape = self.pass_text()?;
        let name = Name { raw: &self.text[start..self.position], has_escape, start };
        if self.peek() != Some(b':') {
            return Err(self.fault());
        }
        self.position += 1;
        Ok(name)
    }

    fn pass_scalar(&mut self, first: Option<u8>) -> Result<(), Fault> {
        match first {
            Some(b'"') => self.pass_text().map(drop),
            Some(b'-' | b'0'..=b'9') => self.pass_number(),
            Some(b't') => self.pass_word(b"true"),
            Some(b'f') => self.pass_word(b"false"),
            Some(b'n') => self.pass_word(b"null"),
            _ => Err(self.fault()),
        }
    }

    fn pass_word(&mut self, word: &[u8]) -> Result<(), Fault> {
        if !self.text[self.position..].starts_with(word) {
            return Err(self.fault());
        }
        self.position += word.len();
        Ok(())
    }

    fn pass_digits(&mut self) -> Result<(), Fault> {
        let start = self.position;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.position += 1;
        }
        if self.position == start { Err(self.fault()) } else { Ok(()) }
    }

    fn pass_number(&mut self) -> Result<(), Fault> {
        self.position += usize::from(self.byte() == Some(b'-'));
        match self.byte() {
            Some(b'0') => self.position += 1,
            _ => self.pass_digits()?,
        }
        if self.byte() == Some(b'.') {
            self.position += 1;
            self.pass_digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.position += 1;
            self.position += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.pass_digits()?;
        }
        Ok(())
    }

    /// Returns whether there are escapes in the text.
    #[inline]
    fn pass_text(&mut self) -> Result<bool, Fault> {
        self.position += 1;
        match find_near_quote(&self.text[self.position..]) {
            Some(count) => {
                self.position += count + 1;
                Ok(false)
            }
            None => self.pass_far_text(),
        }
    }

    #[inline(never)]
    fn pass_far_text(&mut self) -> Result<bool, Fault> {
        let mut has_escape = false;
        loop {
            self.position += count_plain(&self.text[self.position..]);
            match self.byte() {
                Some(b'"') => {
                    self.position += 1;
                    return Ok(has_escape);
                }
                Some(b'\\') => self.pass_escape()?,
                _ => return Err(self.fault()),
            }
            has_escape = true;
        }
    }

    #[inline(never)]
    fn pass_escape(&mut self) -> Result<(), Fault> {
        if let Some(unit) = self.read_unit() {
            self.position += UNIT_BYTES;
            match unit {
                0xD800..=0xDBFF if matches!(self.read_unit(), Some(0xDC00..=0xDFFF)) => self.position += UNIT_BYTES,
                0xD800..=0xDFFF => self.has_half_pair = true,
                _ => {}
            }
            return Ok(());
        }
        self.position += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.position += 1;
                Ok(())
            }
            _ => Err(self.fault()),
        }
    }

    /// The UTF-16 unit that is written here as an escape, if one is.
    fn read_unit(&self) -> Option<u16> {
        let (b"\\u", digits) = self.text.get(self.position..self.position + UNIT_BYTES)?.split_at(2) else {
            return None;
        };
        digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | u16::try_from(char::from(*digit).to_digit(16)?).ok()?))
    }

    /// Tells whether half of a surrogate pair was passed over. It is grammatical JSON and no text: llama.cpp refuses it,
    /// Python reads it and fails where it encodes it, and an engine would seem ill for what its client sent.
    pub const fn has_half_pair(&self) -> bool {
        self.has_half_pair
    }
}

/// A part of a text that is known to be UTF-8 as a whole.
pub fn read_utf8(raw: &[u8]) -> &str {
    std::str::from_utf8(raw).unwrap_or_default()
}

/// The name of a member.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    /// With its quotes.
    raw: &'a [u8],
    has_escape: bool,
    pub start: usize,
}

impl<'a> Name<'a> {
    #[inline]
    pub fn is(&self, wanted: &str) -> bool {
        *self.bytes() == *wanted.as_bytes()
    }

    /// The bytes of the name; what is no text is no name that anybody knows.
    #[inline]
    pub fn bytes(&self) -> Cow<'a, [u8]> {
        if self.has_escape {
            Cow::Owned(self.read().into_owned().into_bytes())
        } else {
            Cow::Borrowed(&self.raw[1..self.raw.len() - 1])
        }
    }

    /// The name as text; what is no text is no name that anybody knows.
    pub fn read(&self) -> Cow<'a, str> {
        let text = if self.has_escape {
            serde_json::from_slice(self.raw).ok().map(Cow::Owned)
        } else {
            std::str::from_utf8(&self.raw[1..self.raw.len() - 1]).ok().map(Cow::Borrowed)
        };
        text.unwrap_or(Cow::Borrowed("\u{fffd}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn skim(text: &str) -> Result<&str, Fault> {
        let mut skimmer = Skimmer::new(text.as_bytes());
        let value = skimmer.value()?;
        skimmer.end().map(|()| std::str::from_utf8(value).unwrap())
    }

    #[test]
    fn values_are_told_by_their_text() {
        for text in [
            "1",
            "-0.5e+3",
            "\"\"",
            "\"a\\n\\u00e9\"",
            "{}",
            "[]",
            "[1, [2],{}]",
            r#"{"a":{"b":[null,true,false]},"c":""}"#,
        ] {
            assert_eq!(skim(text), Ok(text));
            assert_eq!(skim(&format!(" \n{text}\t\r")), Ok(text));
        }
    }

    #[test]
    fn nesting_ends_at_the_limit_and_is_not_counted_by_brackets_in_texts() {
        let nest = |count: usize| format!("{}{}", "[".repeat(count), "]".repeat(count));
        let most = usize::try_from(OPEN_MAX).unwrap();
        assert!(skim(&nest(most)).is_ok());
        assert_eq!(skim(&nest(most + 1)), Err(Fault::Deep(most)));
        assert!(skim(&format!("[\"{}\\\"[\"]", "[".repeat(500))).is_ok());
    }

    #[test]
    fn objects_and_arrays_are_read_in_order() {
        let mut names = Vec::new();
        let mut skimmer = Skimmer::new(br#" { "a" : [1,2] , "\u0062":{"c":3} } "#);
        let read: Result<(), Fault> = skimmer.object(|own, name| {
            let mut count = 0;
            if own.peek() == Some(b'[') {
                own.array(|own| own.value().map(|_| count += 1))?;
            } else {
                own.value()?;
            }
            names.push((name.read().into_owned(), count));
            Ok(())
        });
        assert_eq!((read, skimmer.end()), (Ok(()), Ok(())));
        assert_eq!(names, [("a".to_owned(), 2), ("b".to_owned(), 0)]);
    }

    fn has_half_pair(json: &str) -> bool {
        let mut skimmer = Skimmer::new(json.as_bytes());
        skimmer.value().unwrap();
        skimmer.has_half_pair()
    }

    #[test]
    fn halves_of_pairs_are_found_and_pairs_are_not() {
        for json in [r#""\ud83d""#, r#""\uDE00""#, r#""\ud83d\u0041""#, r#""\ude00\ud83d""#, r#"{"a\ud83d":"\ude00"}"#]
        {
            assert!(has_half_pair(json), "{json}");
        }
        for json in [r#""\ud83d\uDE00""#, r#""\\ud83d""#, r#""\n\u00e9\"""#, "{}"] {
            assert!(!has_half_pair(json), "{json}");
        }
    }

    /// Texts that are JSON, or nearly.
    fn nearly_json() -> impl Strategy<Value = String> {
        let token = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\"a\"",
            "\"\\",
            "\\u12",
            "\\ud83d",
            "\"b\":",
            "1",
            "-",
            "0",
            "01",
            ".5",
            "e9",
            "E+",
            "true",
            "nul",
            "null",
            " ",
            "\n",
            "\u{1}",
            "é",
            "\"long text that is longer than one step of bytes\"",
        ]);
        prop::collection::vec(token, 0..14).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #[test]
        fn serde_json_reads_what_has_no_half(codes in prop::collection::vec(0xD7FFu16..0xE001, 0..6)) {
            let json = format!("\"{}\"", codes.iter().map(|code| format!("\\u{code:04x}")).collect::<Vec<_>>().concat());
            prop_assert_eq!(serde_json::from_str::<String>(&json).is_err(), has_half_pair(&json));
        }

        #[test]
        fn what_is_json_is_what_serde_json_says(text in nearly_json()) {
            prop_assert_eq!(skim(&text).is_ok(), serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok());
        }

        #[test]
        fn any_text_gets_an_answer(text in ".*") {
            prop_assert_eq!(skim(&text).is_ok(), serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok());
        }

        #[test]
        fn texts_of_any_length_end_where_they_end(content in ".{0,99}", behind in ".*") {
            let json = serde_json::to_string(&content).unwrap();
            let text = format!("{json}{behind}");
            let mut skimmer = Skimmer::new(text.as_bytes());
            prop_assert_eq!(skimmer.value(), Ok(json.as_bytes()));
        }
    }
}
