//! Step 2: whose key it is, by the digest of its secret; no look-up leaves this process.

use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use keisan_route::{Code, Refusal};

use crate::snapshot::{Key, KeyDigest, Snapshot};

// As src/keisan/domain/key.py writes a key.
const KEY_PREFIX: &[u8] = b"sk-keisan-";
/// So many of its home's id stand in a key.
const HOME_DIGITS: usize = 12;

/// Finds the key of a request and checks its right to call.
pub fn authenticate(headers: &HeaderMap, snapshot: &Snapshot) -> Result<Arc<Key>, Refusal> {
    let Some(secret) = read_secret(headers) else {
        let text = "no API key was given; send it as 'Authorization: Bearer KEY'";
        return Err(Refusal::new(Code::InvalidApiKey, text));
    };
    let Some(key) = snapshot.keys.get(&digest_secret(secret)) else {
        return Err(refuse_unknown(secret, snapshot));
    };
    if !key.can_call {
        return Err(Refusal::new(Code::PermissionDenied, "this API key has no right to call models"));
    }
    if let Some(most) = key.snapshot_age_max.filter(|most| snapshot.age() > *most) {
        let text = format!("this gateway has not heard from its platform for more than {} s", most.as_secs());
        return Err(Refusal::new(Code::SnapshotExpired, text));
    }
    Ok(Arc::clone(key))
}

/// A key that names its home is told so where the home is another platform; whether the key is one, only home knows.
fn refuse_unknown(secret: &[u8], snapshot: &Snapshot) -> Refusal {
    let home = read_home(secret).and_then(|digits| snapshot.neighbours.find_by_digits(digits));
    let Some(home) = home else {
        return Refusal::new(Code::InvalidApiKey, "this API key is unknown or was revoked");
    };
    let text = format!(
        "this API key is one of the platform '{}', which has not admitted its organization here: use it there",
        home.name
    );
    Refusal::new(Code::KeyNotAdmitted, text)
}

/// The digits of its home's id that stand in a key.
fn read_home(secret: &[u8]) -> Option<&str> {
    let (digits, rest) = secret.strip_prefix(KEY_PREFIX)?.split_at_checked(HOME_DIGITS)?;
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if rest.first() != Some(&b'-') || !digits.iter().all(is_digit) {
        return None;
    }
    str::from_utf8(digits).ok()
}

/// The digest under which a secret is known: SHA-256 of its text.
pub fn digest_secret(secret: &[u8]) -> KeyDigest {
    let digest = ring::digest::digest(&ring::digest::SHA256, secret);
    let mut bytes = KeyDigest::default();
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

pub fn read_secret(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, secret) = value.split_at_checked(7)?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer ");
    Some(secret.trim_ascii()).filter(|secret| is_bearer && !secret.is_empty())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn bearer_secrets_are_read() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            read_secret(&headers).map(<[u8]>::to_vec)
        };
        assert_eq!(read("Bearer abc"), Some(b"abc".to_vec()));
        assert_eq!(read("bearer  abc "), Some(b"abc".to_vec()));
        for value in ["", "Bearer", "Bearer ", "Basic abc", "abc"] {
            assert_eq!(read(value), None, "{value}");
        }
    }

    #[test]
    fn the_home_of_a_key_is_read_where_it_names_one() {
        assert_eq!(read_home(b"sk-keisan-0123456789ab-secret"), Some("0123456789ab"));
        for secret in [
            &b"sk-keisan-"[..],
            b"sk-keisan-0123456789ab",
            b"sk-keisan-0123456789abc-secret",
            b"sk-keisan-0123456789AB-secret",
            b"mk-keisan-0123456789ab-secret",
        ] {
            assert_eq!(read_home(secret), None, "{secret:?}");
        }
    }

    #[test]
    fn digests_are_sha_256() {
        assert_eq!(digest_secret(b"abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
    }
}
