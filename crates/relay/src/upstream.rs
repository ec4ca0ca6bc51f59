//! How bytes reach a replica (R9): a unix socket on this host, or the door of its site.

use std::path::PathBuf;

use hyper::header::HeaderValue;
use hyper::http::uri::{Authority, PathAndQuery};
use serde::{Deserialize, Deserializer};

/// The longest path that fits a socket address. Source: `sun_path` of Linux, 108 bytes with the closing zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Where a replica listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    Unix {
        path: PathBuf,
    },
    /// `path` is where the replica stands behind the door.
    Door {
        place: DoorPlace,
        path: String,
    },
    /// Another platform, and the neighbour that it lies behind.
    Platform {
        platform_id: String,
        next_hop: Option<String>,
    },
    /// A kind of a later version, or a place that cannot be: the replica cannot be used by this gateway.
    Unknown,
}

/// The address of a door. One door serves many replicas, so connections are kept by place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub struct DoorPlace {
    pub host: String,
    pub port: u16,
    pub is_tls: bool,
}

/// What a gateway shows at a door. It prints as nothing, wherever it is printed.
#[derive(Clone, Debug)]
pub struct DoorSecret(HeaderValue);

/// What a gateway brings to a door: what it shows there, and whom it trusts.
#[derive(Clone, Debug)]
pub struct DoorPass {
    pub secret: DoorSecret,
    /// PEM; without any, those that the gateway itself was given.
    pub certificates: String,
}

impl DoorSecret {
    /// Nothing for a text that cannot stand in a header.
    pub fn new(secret: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(&format!("Bearer {secret}")).ok().filter(|_| !secret.is_empty())?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl DoorPlace {
    /// Host and port as they stand in a URI.
    pub fn authority(&self) -> Option<Authority> {
        let is_bare_ipv6 = self.host.contains(':') && !self.host.starts_with('[');
        let host = if is_bare_ipv6 { format!("[{}]", self.host) } else { self.host.clone() };
        Authority::try_from(format!("{host}:{}", self.port)).ok().filter(|_| !self.host.contains('@'))
    }

    pub const fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }
}

impl<'de> Deserialize<'de> for Upstream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Text {
            kind: String,
            path: Option<String>,
            host: Option<String>,
            port: Option<u16>,
            is_tls: Option<bool>,
        }
        let text = Text::deserialize(deserializer)?;
        Ok(match (text.kind.as_str(), text.path, text.host.zip(text.port), text.is_tls) {
            ("unix", Some(path), ..) => Self::Unix { path: path.into() },
            ("door", Some(path), Some((host, port)), Some(is_tls)) => {
                Self::at_door(DoorPlace { host, port, is_tls }, path)
            }
            _ => Self::Unknown,
        })
    }
}

impl Upstream {
    fn at_door(place: DoorPlace, path: String) -> Self {
        let is_path = path.starts_with('/') && !path.contains(['?', '#']) && PathAndQuery::try_from(&path).is_ok();
        if is_path && place.authority().is_some() { Self::Door { place, path } } else { Self::Unknown }
    }

    pub fn is_reachable(&self) -> bool {
        match self {
            Self::Unix { path } => path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX,
            Self::Door { .. } | Self::Platform { .. } => true,
            Self::Unknown => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Upstream {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn doors_are_read_and_what_cannot_be_one_is_unknown() {
        let place = DoorPlace { host: "door.example".into(), port: 8443, is_tls: true };
        let text = r#"{"kind":"door","host":"door.example","port":8443,"path":"/replicas/r","is_tls":true}"#;
        assert_eq!(read(text), Upstream::Door { place, path: "/replicas/r".into() });
        for (from, to) in [
            ("\"port\":8443", "\"port\":null"),
            ("door.example", "a b"),
            ("door.example", "user@elsewhere"),
            ("\"/replicas/r\"", "\"replicas\""),
            ("\"/replicas/r\"", "\"/replicas?x\""),
            ("\"is_tls\":true", "\"is_tls\":null"),
            ("\"kind\":\"door\"", "\"kind\":\"tunnel\""),
        ] {
            assert_eq!(read(&text.replacen(from, to, 1)), Upstream::Unknown, "{to}");
        }
        assert!(serde_json::from_str::<Upstream>(&text.replacen("8443", "70000", 1)).is_err());
    }

    #[test]
    fn hosts_stand_in_uris_as_they_must() {
        let authority = |host: &str| {
            let place = DoorPlace { host: host.to_owned(), port: 80, is_tls: false };
            place.authority().map(|authority| authority.to_string())
        };
        assert_eq!(authority("::1"), Some("[::1]:80".to_owned()));
        assert_eq!(authority("127.0.0.1"), Some("127.0.0.1:80".to_owned()));
        assert_eq!(authority("a/b"), None);
    }

    #[test]
    fn secrets_print_as_nothing() {
        let secret = DoorSecret::new("open-sesame").unwrap();
        assert!(!format!("{secret:?}").contains("sesame"));
        assert_eq!(secret.header(), "Bearer open-sesame");
        assert!(DoorSecret::new("").is_none() && DoorSecret::new("a\nb").is_none());
    }
}
