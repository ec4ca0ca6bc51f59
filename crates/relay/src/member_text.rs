//! Keeps the text of one member of a JSON object in a byte stream, so that usage is read without the answer it ends.
//! Works across pieces of any size.

use std::ops::Range;

use keisan_route::plain::count_plain;

const NAME_BYTES_MAX: usize = 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the top-level brace.
    Before,
    Name,
    Colon,
    Value,
    /// Behind the top-level brace, or the text is no object.
    After,
}

/// Scans for the member `wanted`.
#[derive(Debug)]
struct Scanner {
    wanted: &'static str,
    /// Where the value stands, once it has ended.
    found: Option<Range<usize>>,
    place: Place,
    offset: usize,
    depth: u32,
    is_text: bool,
    is_escaped: bool,
    name: [u8; NAME_BYTES_MAX],
    name_length: usize,
    value_start: Option<usize>,
    /// Behind the last byte that is not white space.
    solid_end: usize,
}

impl Scanner {
    const fn new(wanted: &'static str) -> Self {
        Self {
            wanted,
            found: None,
            place: Place::Before,
            offset: 0,
            depth: 0,
            is_text: false,
            is_escaped: false,
            name: [0; NAME_BYTES_MAX],
            name_length: 0,
            value_start: None,
            solid_end: 0,
        }
    }

    /// Tells whether the top-level object was closed.
    fn is_complete(&self) -> bool {
        self.place == Place::After && self.depth == 0
    }

    /// Tells whether what came cannot be, or begin, an object.
    fn is_no_object(&self) -> bool {
        self.place == Place::After && self.depth > 0
    }

    /// The part of the value that lies in the stream so far, even if it has not ended. Of a member that is named twice,
    /// the later value.
    fn reach(&self) -> Option<Range<usize>> {
        let is_current = self.place == Place::Value && self.current_name() == self.wanted.as_bytes();
        let current = self.value_start.filter(|_| is_current).map(|start| start..self.offset);
        current.or_else(|| self.found.clone())
    }

    fn current_name(&self) -> &[u8] {
        &self.name[..self.name_length.min(NAME_BYTES_MAX)]
    }

    fn scan(&mut self, piece: &[u8]) {
        let start = self.offset;
        let mut index = 0;
        while index < piece.len() && self.place != Place::After {
            if self.depth > 1 && !self.is_text {
                // Within a value only its end is looked for.
                index += piece[index..].iter().take_while(|byte| !IS_BRACKET_OR_QUOTE[usize::from(**byte)]).count();
            }
            self.offset = start + index;
            if self.is_text {
                index += self.scan_text(&piece[index..]);
            } else if let Some(byte) = piece.get(index) {
                self.scan_structure(*byte);
                index += 1;
            }
        }
        self.offset = start + piece.len();
    }

    /// Reads within a text; returns how many bytes were passed.
    fn scan_text(&mut self, rest: &[u8]) -> usize {
        if self.is_escaped {
            self.is_escaped = false;
            self.keep_name(&rest[..1]);
            return 1;
        }
        let Some(length) = find_text_end(rest) else {
            self.keep_name(rest);
            return rest.len();
        };
        self.keep_name(&rest[..length]);
        if rest[length] == b'\\' {
            self.keep_name(b"\\");
            self.is_escaped = true;
        } else {
            self.is_text = false;
            self.solid_end = self.offset + length + 1;
            if self.depth == 1 && self.place == Place::Name {
                self.place = Place::Colon;
            }
        }
        length + 1
    }

    fn keep_name(&mut self, bytes: &[u8]) {
        if self.depth == 1 && self.place == Place::Name {
            for byte in bytes {
                if self.name_length < NAME_BYTES_MAX {
                    self.name[self.name_length] = *byte;
                }
                self.name_length = (self.name_length + 1).min(NAME_BYTES_MAX + 1);
            }
        }
    }

    fn scan_structure(&mut self, byte: u8) {
        if byte.is_ascii_whitespace() {
            return;
        }
        match byte {
            b'"' => self.open_text(),
            b'{' | b'[' => self.open(byte),
            b'}' | b']' if self.depth > 0 => return self.close(),
            b',' if self.depth == 1 => {
                self.finish_member();
                self.place = Place::Name;
            }
            b':' if self.depth == 1 && self.place == Place::Colon => {
                self.place = Place::Value;
                self.value_start = None;
            }
            _ => self.start_value(),
        }
        self.solid_end = self.offset + 1;
    }

    fn open_text(&mut self) {
        self.is_text = true;
        if self.depth == 1 && self.place == Place::Name {
            self.name_length = 0;
        } else {
            self.start_value();
        }
    }

    fn open(&mut self, byte: u8) {
        if self.depth == 0 {
            self.place = if byte == b'{' { Place::Name } else { Place::After };
        } else {
            self.start_value();
        }
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
        if self.depth == 0 {
            self.finish_member();
            self.place = Place::After;
        }
        self.solid_end = self.offset + 1;
    }

    fn start_value(&mut self) {
        match self.place {
            Place::Value if self.depth == 1 && self.value_start.is_none() => self.value_start = Some(self.offset),
            // A text or number instead of an object.
            Place::Before => {
                self.place = Place::After;
                self.depth = 1;
            }
            _ => {}
        }
    }

    fn finish_member(&mut self) {
        let Some(value_start) = self.value_start.take().filter(|_| self.place == Place::Value) else {
            return;
        };
        if self.current_name() == self.wanted.as_bytes() {
            self.found = Some(value_start..self.solid_end);
        }
    }
}

/// Finds the next quote or backslash.
fn find_text_end(rest: &[u8]) -> Option<usize> {
    let mut passed = 0;
    loop {
        passed += count_plain(&rest[passed..]);
        match rest.get(passed)? {
            b'"' | b'\\' => return Some(passed),
            // A control character is no JSON; it is for the client to find.
            _ => passed += 1,
        }
    }
}

/// Set for the bytes that open or end something.
const IS_BRACKET_OR_QUOTE: [bool; 256] = {
    let mut marks = [false; 256];
    let mut position = 0;
    while position < BRACKETS_AND_QUOTE.len() {
        marks[BRACKETS_AND_QUOTE[position] as usize] = true;
        position += 1;
    }
    marks
};
const BRACKETS_AND_QUOTE: &[u8] = b"{}[]\"";

/// Keeps the text of one member while the stream passes by. Of a member that is named twice, the later text.
#[derive(Debug)]
pub struct MemberText {
    scanner: Scanner,
    start: usize,
    text: Vec<u8>,
}

impl MemberText {
    pub const fn new(name: &'static str) -> Self {
        Self { scanner: Scanner::new(name), start: 0, text: Vec::new() }
    }

    /// Reads the next piece of the stream.
    pub fn scan(&mut self, piece: &[u8]) {
        let passed = self.scanner.offset;
        self.scanner.scan(piece);
        let Some(reach) = self.scanner.reach() else {
            return;
        };
        if reach.start != self.start {
            self.start = reach.start;
            self.text.clear();
        }
        let (from, until) = (reach.start.saturating_sub(passed), reach.end.saturating_sub(passed));
        self.text.extend_from_slice(piece.get(from..until).unwrap_or_default());
    }

    pub fn is_complete(&self) -> bool {
        self.scanner.is_complete()
    }

    pub fn is_no_object(&self) -> bool {
        self.scanner.is_no_object()
    }

    /// The text so far, perhaps with white space behind it; empty if the member has not come.
    pub fn text(&self) -> &[u8] {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(json: &[u8]) -> MemberText {
        let mut usage = MemberText::new("usage");
        usage.scan(json);
        usage
    }

    #[test]
    fn only_a_closed_object_is_complete() {
        for json in ["", " ", "{", "{\"a\":[1}", "{\"a\":\"}"] {
            let usage = scan(json.as_bytes());
            assert!(!usage.is_complete() && !usage.is_no_object(), "{json}");
        }
        for json in ["[1]", "}", "]{}", "7", "\"{}\"", "<html>{}</html>", "data: {}"] {
            let usage = scan(json.as_bytes());
            assert!(!usage.is_complete() && usage.is_no_object(), "{json}");
        }
        assert!(scan(b" {\"a\":{}} ").is_complete());
    }

    #[test]
    fn a_member_is_found_at_the_top_level_only() {
        let cases = [
            (r#"{"a":{"usage":1},"b":"\",\"usage\":{","usage":{"x":[1,{"y":"}"}]}}"#, r#"{"x":[1,{"y":"}"}]}"#),
            (r#"{"b":"\\\",\"usage\"","usage":null}"#, "null"),
            (r#"{"a":{"usage":1}}"#, ""),
            (r#"{"usage_with_a_name_that_is_longer":1}"#, ""),
        ];
        for (json, expected) in cases {
            assert_eq!(scan(json.as_bytes()).text(), expected.as_bytes(), "{json}");
        }
    }

    #[test]
    fn the_text_is_kept_whatever_pieces_it_comes_in() {
        let twice = br#"{"usage": {"x":"\"}"} ,"b":{"usage":0},"usage":{"y":[2,3]}}"#;
        for size in 1..=twice.len() {
            let mut usage = MemberText::new("usage");
            twice.chunks(size).for_each(|piece| usage.scan(piece));
            assert_eq!(usage.text(), br#"{"y":[2,3]}"#, "pieces of {size}");
            assert!(usage.is_complete());
        }
    }

    #[test]
    fn an_open_value_can_be_followed() {
        let mut usage = scan(br#"{"usage":{"x":"#);
        assert_eq!(usage.text(), br#"{"x":"#);
        usage.scan(b"1}");
        usage.scan(b",\"k\":1");
        assert_eq!(usage.text(), br#"{"x":1}"#);
    }
}
