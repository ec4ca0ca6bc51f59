//! `tracestate`: what tracing systems on the way keep for themselves. It is passed on and never read. Source: W3C Trace
//! Context, level 1.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

pub const STATE_HEADER: HeaderName = HeaderName::from_static("tracestate");
const MEMBERS_MAX: usize = 32;
/// As many as must be passed on; what of a longer one does not fit is left out from its end.
const STATE_BYTES_MAX: usize = 512;
const KEY_BYTES_MAX: usize = 256;
const VALUE_BYTES_MAX: usize = 256;

/// Reads what all headers of this name say together; nothing if one of them cannot be.
pub fn read_state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut joined = Vec::new();
    let mut members = 0;
    let values = headers.get_all(STATE_HEADER);
    for member in values.iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b',')) {
        let member = member.trim_ascii();
        if member.is_empty() {
            continue;
        }
        members += 1;
        if members > MEMBERS_MAX || !is_member(member) {
            return None;
        }
        let is_full = joined.len() + member.len() >= STATE_BYTES_MAX;
        if !is_full {
            joined.extend_from_slice(if joined.is_empty() { b"" } else { b"," });
            joined.extend_from_slice(member);
        }
    }
    HeaderValue::from_bytes(&joined).ok().filter(|state| !state.is_empty())
}

fn is_member(member: &[u8]) -> bool {
    let Some(equals) = member.iter().position(|byte| *byte == b'=') else {
        return false;
    };
    let (key, value) = (&member[..equals], &member[equals + 1..]);
    let is_key = key.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(byte));
    let is_begun = key.first().is_some_and(u8::is_ascii_alphanumeric);
    let is_value = value.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'=');
    is_key && is_begun && is_value && key.len() <= KEY_BYTES_MAX && (1..=VALUE_BYTES_MAX).contains(&value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(STATE_HEADER, HeaderValue::from_str(value).unwrap());
        }
        read_state(&headers).map(|state| state.to_str().unwrap().to_owned())
    }

    #[test]
    fn members_of_all_headers_are_joined_in_their_order() {
        assert_eq!(read(&["foo=1"]).as_deref(), Some("foo=1"));
        assert_eq!(read(&["foo=1,bar=2", "rojo=1", "congo=2"]).as_deref(), Some("foo=1,bar=2,rojo=1,congo=2"));
        assert_eq!(read(&["foo=1 \t , \t bar=2,", "", " ,baz=a b"]).as_deref(), Some("foo=1,bar=2,baz=a b"));
        assert_eq!(
            read(&["fw529a3039@dt=FfAAAA/!~,0a=x,a-b*c/d_e=!"]).as_deref(),
            Some("fw529a3039@dt=FfAAAA/!~,0a=x,a-b*c/d_e=!")
        );
    }

    #[test]
    fn one_that_cannot_be_spoils_all() {
        assert_eq!(read(&[]), None);
        let long = format!("{}=1", "a".repeat(257));
        let many = (0..33).map(|number| format!("a{number}=1")).collect::<Vec<_>>().join(",");
        for text in ["foo", "foo=", "=1", "FOO=1", "foo =1", "foo=1=2", "foo.fighters=1", "@a=1", &long, &many, ""] {
            assert_eq!(read(&["fine=1", text]).filter(|_| !text.is_empty()), None, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out_whole() {
        let member = |number: usize| format!("a{number}={}", "x".repeat(97));
        let text = (0..7).map(member).collect::<Vec<_>>().join(",");
        let kept = read(&[&text]).unwrap();
        assert_eq!(kept, (0..5).map(member).collect::<Vec<_>>().join(","));
        assert!(kept.len() <= STATE_BYTES_MAX);
    }
}
