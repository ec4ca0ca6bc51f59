//! Finds chosen members of a JSON object, and takes them out or puts another value in their place.

use std::ops::Range;

use keisan_route::json::{Fault, Skimmer};

/// A member of an object, by positions in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub value: Range<usize>,
    /// What to cut so that the rest stays JSON: the member with one comma.
    pub cut: Range<usize>,
}

/// Finds the members named in `names`; of one that is named twice, the later. Nothing if the text is no JSON object.
pub fn find_members<const N: usize>(json: &[u8], names: [&str; N]) -> Option<[Option<Member>; N]> {
    let mut found = [const { None }; N];
    let mut first: Option<usize> = None;
    let mut passed: Option<usize> = None;
    let mut skimmer = Skimmer::new(json);
    let read = skimmer.object(|skimmer, name| {
        if let (Some(position), true) = (first.take(), passed.is_some()) {
            // The first member goes with the comma behind it.
            extend_cut(&mut found[position], name.start);
        }
        skimmer.peek();
        let start = skimmer.position();
        skimmer.value()?;
        let end = skimmer.position();
        if let Some(position) = names.iter().position(|wanted| name.is(wanted)) {
            first = passed.is_none().then_some(position);
            found[position] = Some(Member { value: start..end, cut: passed.unwrap_or(name.start)..end });
        }
        passed = Some(end);
        Ok::<_, Fault>(())
    });
    read.and_then(|()| skimmer.end()).ok().map(|()| found)
}

fn extend_cut(member: &mut Option<Member>, end: usize) {
    if let Some(member) = member {
        member.cut.end = end;
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

    fn value(json: &str, position: usize) -> Option<&str> {
        let found = find_members(json.as_bytes(), NAMES)?;
        found[position].as_ref().map(|member| &json[member.value.clone()])
    }

    #[test]
    fn members_are_found_at_the_top_level_only() {
        let json = r#"{"a":{"usage":1},"b":"\",\"usage\":{","usage" : {"x":[1,{"y":"}"}]} , "choices":[]}"#;
        assert_eq!(value(json, 0), Some(r#"{"x":[1,{"y":"}"}]}"#));
        assert_eq!(value(json, 1), None);
        assert_eq!(value(json, 2), Some("[]"));
    }

    #[test]
    fn scalars_and_odd_texts() {
        assert_eq!(value(r#"{"usage":null}"#, 0), Some("null"));
        assert_eq!(value(r#"{"usage": 12 ,"timings":"t"}"#, 0), Some("12"));
        assert_eq!(value(r#"{"usage": 12 ,"timings":"t"}"#, 1), Some("\"t\""));
        assert_eq!(value(r#"{"us\u0061ge": 1, "usage": 2}"#, 0), Some("2"));
        for json in ["{}", "{\"usage_with_a_name_that_is_longer\":1}"] {
            assert_eq!(value(json, 0), None, "{json}");
        }
    }

    #[test]
    fn only_a_whole_object_has_members() {
        for json in [
            "",
            " ",
            "{",
            "{\"a\":[1}",
            "{\"a\":\"}",
            "[1]",
            "}",
            "]{}",
            "7",
            "\"{}\"",
            "<html>{}</html>",
            "data: {}",
            "{}{}",
        ] {
            assert_eq!(find_members(json.as_bytes(), NAMES), None, "{json}");
        }
        assert!(find_members(b" {\"a\":{}} ", NAMES).is_some());
        assert!(find_members(b"{\"usage\":\"\xff\"}", NAMES).unwrap()[0].is_some());
    }

    #[test]
    fn cuts_leave_json() {
        let cases = [
            (r#"{"usage":{"a":1},"id":"x","timings":{"b":2}}"#, r#"{"id":"x"}"#),
            (r#"{"usage":1,"timings":2,"id":"x"}"#, r#"{"id":"x"}"#),
            (r#"{"usage":1,"timings":2}"#, "{}"),
            (r#"{"usage":1,"usage":2,"id":3}"#, r#"{"usage":1,"id":3}"#),
            (r#"{"id":"x","usage":1,"timings":2,"z":3}"#, r#"{"id":"x","z":3}"#),
            (r#"{"id":"x"}"#, r#"{"id":"x"}"#),
        ];
        for (json, expected) in cases {
            let found = find_members(json.as_bytes(), NAMES).unwrap();
            let cut = edit_members(json.as_bytes(), found.iter().flatten(), None);
            assert_eq!(String::from_utf8(cut).unwrap(), expected, "{json}");
        }
    }
}
