//! Finds chosen members of a JSON object in a byte stream, so that usage is read without building a tree.
//! Works across pieces of any size and remembers nothing but positions.

use std::ops::Range;

use memchr::memchr2;

const NAME_BYTES_MAX: usize = 24;

/// A member of the top-level object, by positions in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub value: Range<usize>,
    /// What to cut so that the rest stays JSON: the member with one comma.
    pub cut: Range<usize>,
}

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

/// Scans for members named in `names`.
#[derive(Debug)]
pub struct MemberScanner<const N: usize> {
    names: [&'static str; N],
    found: [Option<Member>; N],
    place: Place,
    offset: usize,
    depth: u32,
    is_text: bool,
    is_escaped: bool,
    comma: Option<usize>,
    name_start: usize,
    name: [u8; NAME_BYTES_MAX],
    name_length: usize,
    value_start: Option<usize>,
    /// Behind the last byte that is not white space.
    solid_end: usize,
}

impl<const N: usize> MemberScanner<N> {
    pub const fn new(names: [&'static str; N]) -> Self {
        Self {
            names,
            found: [const { None }; N],
            place: Place::Before,
            offset: 0,
            depth: 0,
            is_text: false,
            is_escaped: false,
            comma: None,
            name_start: 0,
            name: [0; NAME_BYTES_MAX],
            name_length: 0,
            value_start: None,
            solid_end: 0,
        }
    }

    pub fn member(&self, position: usize) -> Option<&Member> {
        self.found.get(position)?.as_ref()
    }

    /// Tells whether the top-level object was closed.
    pub fn is_complete(&self) -> bool {
        self.place == Place::After && self.depth == 0
    }

    /// Tells whether what came cannot be, or begin, an object.
    pub fn is_no_object(&self) -> bool {
        self.place == Place::After && self.depth > 0
    }

    /// The part of the value of a member that lies in the stream so far, even if it has not ended. Of a member that is
    /// named twice, the later value.
    pub fn reach(&self, position: usize) -> Option<Range<usize>> {
        let is_current = self.place == Place::Value && self.current_name() == self.names[position].as_bytes();
        let current = self.value_start.filter(|_| is_current).map(|start| start..self.offset);
        current.or_else(|| self.member(position).map(|member| member.value.clone()))
    }

    fn current_name(&self) -> &[u8] {
        &self.name[..self.name_length.min(NAME_BYTES_MAX)]
    }

    /// Reads the next piece of the stream.
    pub fn scan(&mut self, piece: &[u8]) {
        let start = self.offset;
        let mut index = 0;
        while index < piece.len() && self.place != Place::After {
            self.offset = start + index;
            if self.is_text {
                index += self.scan_text(&piece[index..]);
            } else {
                self.scan_structure(piece[index]);
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
        let Some(length) = memchr2(b'"', b'\\', rest) else {
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
                self.finish_member(true);
                self.comma = Some(self.offset);
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
            self.name_start = self.offset;
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
            self.finish_member(false);
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

    fn finish_member(&mut self, is_followed: bool) {
        let Some(value_start) = self.value_start.take().filter(|_| self.place == Place::Value) else {
            return;
        };
        let Some(position) = self.names.iter().position(|name| name.as_bytes() == self.current_name()) else {
            return;
        };
        let cut = match self.comma {
            Some(comma) => comma..self.solid_end,
            None if is_followed => self.name_start..self.offset + 1,
            None => self.name_start..self.solid_end,
        };
        self.found[position] = Some(Member { value: value_start..self.solid_end, cut });
    }
}

/// Keeps the text of one member while the stream passes by. Of a member that is named twice, the later text.
#[derive(Debug)]
pub struct MemberText {
    scanner: MemberScanner<1>,
    start: usize,
    text: Vec<u8>,
}

impl MemberText {
    pub const fn new(name: &'static str) -> Self {
        Self { scanner: MemberScanner::new([name]), start: 0, text: Vec::new() }
    }

    /// Reads the next piece of the stream.
    pub fn scan(&mut self, piece: &[u8]) {
        let passed = self.scanner.offset;
        self.scanner.scan(piece);
        let Some(reach) = self.scanner.reach(0) else {
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

/// Returns the object with some members cut out and the value of some replaced; each member is named once.
pub fn edit_members<'a>(
    json: &[u8],
    cuts: impl IntoIterator<Item = &'a Member>,
    replaced: Option<(&Member, &[u8])>,
) -> Vec<u8> {
    let cuts = cuts.into_iter().map(|member| (&member.cut, &[] as &[u8]));
    let mut edits: Vec<(&Range<usize>, &[u8])> =
        cuts.chain(replaced.map(|(member, text)| (&member.value, text))).collect();
    edits.sort_by_key(|(range, _)| range.start);
    let mut rest = Vec::with_capacity(json.len());
    let mut position = 0;
    for (range, text) in edits {
        rest.extend_from_slice(&json[position.min(range.start)..range.start]);
        rest.extend_from_slice(text);
        position = position.max(range.end);
    }
    rest.extend_from_slice(&json[position..]);
    // The first member and the one behind it were cut: the comma between them went with the first.
    if let Some(comma) = find_leading_comma(&rest) {
        rest.remove(comma);
    }
    rest
}

fn find_leading_comma(json: &[u8]) -> Option<usize> {
    let mut solid = json.iter().enumerate().filter(|(_, byte)| !byte.is_ascii_whitespace());
    solid.next().filter(|(_, byte)| **byte == b'{')?;
    solid.next().filter(|(_, byte)| **byte == b',').map(|(position, _)| position)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["usage", "timings", "choices"];

    fn scan(json: &[u8]) -> MemberScanner<3> {
        let mut scanner = MemberScanner::new(NAMES);
        scanner.scan(json);
        scanner
    }

    fn value(json: &str, position: usize) -> Option<&str> {
        scan(json.as_bytes()).member(position).map(|member| &json[member.value.clone()])
    }

    #[test]
    fn members_are_found_at_the_top_level_only() {
        let json = r#"{"a":{"usage":1},"b":"\",\"usage\":{","usage" : {"x":[1,{"y":"}"}]} , "choices":[]}"#;
        assert_eq!(value(json, 0), Some(r#"{"x":[1,{"y":"}"}]}"#));
        assert_eq!(value(json, 1), None);
        assert_eq!(value(json, 2), Some("[]"));
        assert!(scan(json.as_bytes()).is_complete());
    }

    #[test]
    fn scalars_and_odd_texts() {
        assert_eq!(value(r#"{"usage":null}"#, 0), Some("null"));
        assert_eq!(value(r#"{"usage": 12 ,"timings":"t"}"#, 0), Some("12"));
        assert_eq!(value(r#"{"usage": 12 ,"timings":"t"}"#, 1), Some("\"t\""));
        for json in
            ["[{\"usage\":1}]", "\"usage\"", "7", "", "{}", "{\"usage", "{\"usage_with_a_name_that_is_longer\":1}"]
        {
            assert_eq!(value(json, 0), None, "{json}");
        }
    }

    #[test]
    fn only_a_closed_object_is_complete() {
        for json in ["", " ", "{", "{\"a\":[1}", "{\"a\":\"}"] {
            let scanner = scan(json.as_bytes());
            assert!(!scanner.is_complete() && !scanner.is_no_object(), "{json}");
        }
        for json in ["[1]", "}", "]{}", "7", "\"{}\"", "<html>{}</html>", "data: {}"] {
            let scanner = scan(json.as_bytes());
            assert!(!scanner.is_complete() && scanner.is_no_object(), "{json}");
        }
        assert!(scan(b" {\"a\":{}} ").is_complete());
    }

    #[test]
    fn cuts_leave_json() {
        let cases = [
            (r#"{"usage":{"a":1},"id":"x","timings":{"b":2}}"#, r#"{"id":"x"}"#),
            (r#"{"usage":1,"timings":2,"id":"x"}"#, r#"{"id":"x"}"#),
            (r#"{"usage":1,"timings":2}"#, "{}"),
            (r#"{"id":"x","usage":1,"timings":2,"z":3}"#, r#"{"id":"x","z":3}"#),
            (r#"{"id":"x"}"#, r#"{"id":"x"}"#),
        ];
        for (json, expected) in cases {
            let scanner = scan(json.as_bytes());
            let cut =
                edit_members(json.as_bytes(), [0, 1].iter().filter_map(|position| scanner.member(*position)), None);
            assert_eq!(String::from_utf8(cut).unwrap(), expected, "{json}");
        }
    }

    #[test]
    fn pieces_of_any_size_read_the_same() {
        let json = r#"{"b":"\\\",\"usage\"","usage":{"x":"\"}","y":2},"choices":[1]}"#;
        let whole = scan(json.as_bytes());
        for size in 1..json.len() {
            let mut scanner = MemberScanner::new(NAMES);
            json.as_bytes().chunks(size).for_each(|piece| scanner.scan(piece));
            assert_eq!(scanner.member(0), whole.member(0), "pieces of {size}");
            assert_eq!(scanner.member(2), whole.member(2));
            assert!(scanner.is_complete());
        }
    }

    #[test]
    fn the_text_of_a_member_is_kept_whatever_pieces_it_comes_in() {
        let twice = br#"{"usage": {"x":1} ,"b":{"usage":0},"usage":{"y":[2,3]}}"#;
        for size in 1..=twice.len() {
            let mut usage = MemberText::new("usage");
            twice.chunks(size).for_each(|piece| usage.scan(piece));
            assert_eq!(usage.text(), br#"{"y":[2,3]}"#, "pieces of {size}");
        }
    }

    #[test]
    fn an_open_value_can_be_followed() {
        let mut scanner = MemberScanner::new(NAMES);
        scanner.scan(br#"{"usage":{"x":"#);
        assert_eq!(scanner.reach(0), Some(9..14));
        scanner.scan(b"1}");
        assert_eq!(scanner.reach(0), Some(9..16));
        scanner.scan(b",\"k\":1");
        assert_eq!(scanner.reach(0), Some(9..16));
    }
}
