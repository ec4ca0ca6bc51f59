//! Who may enter, and to what: a small file that the site's agent writes, looked at with every request, so that a secret
//! taken away opens nothing from then on. Whatever is wrong with the file lets nobody in.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use hyper::HeaderMap;
use serde::Deserialize;

use crate::snapshot::{KeyDigest, decode_digest};
use crate::steps::authenticate::{digest_secret, read_secret};

/// The old secret and the new one, while gateways change over.
const SECRETS_MAX: usize = 2;
const FILE_BYTES_MAX: u64 = 16 << 20;
const OTHERS_MASK: u32 = 0o077;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessText {
    digests: Vec<String>,
    replicas: HashMap<String, PathBuf>,
}

/// What the file says.
#[derive(Debug, Default)]
pub struct Access {
    digests: [Option<KeyDigest>; SECRETS_MAX],
    replicas: HashMap<String, PathBuf>,
}

impl Access {
    /// Tells whether a request shows a secret in force. Whatever it shows, the work is the same.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        let shown = digest_secret(read_secret(headers).unwrap_or_default());
        self.digests.iter().fold(false, |is_admitted, digest| {
            let is_same = is_equal(&shown, &digest.unwrap_or_default());
            is_admitted | (is_same & digest.is_some())
        })
    }

    pub fn find_replica(&self, id: &str) -> Option<&Path> {
        self.replicas.get(id).map(PathBuf::as_path)
    }

    fn read(file: File) -> io::Result<Self> {
        let mut text = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut text)?;
        let text: AccessText = serde_json::from_slice(&text)?;
        if text.digests.len() > SECRETS_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut access = Self { replicas: text.replicas, ..Self::default() };
        for (place, digest) in access.digests.iter_mut().zip(&text.digests) {
            *place = Some(decode_digest(digest).ok_or(io::ErrorKind::InvalidData)?);
        }
        Ok(access)
    }
}

/// Compares all bytes, wherever they differ.
fn is_equal(left: &KeyDigest, right: &KeyDigest) -> bool {
    left.iter().zip(right).fold(0, |different, (left, right)| different | (left ^ right)) == 0
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    inode: u64,
    changed: (i64, i64),
    bytes: u64,
}

#[derive(Debug, Default)]
struct Seen {
    look: Option<Look>,
    access: Arc<Access>,
    fault: Option<String>,
}

#[derive(Debug)]
pub struct AccessFile {
    path: PathBuf,
    seen: ArcSwap<Seen>,
    reading: Mutex<()>,
}

impl AccessFile {
    pub fn new(path: PathBuf) -> Self {
        let fault = Some("it was not read yet".to_owned());
        Self { path, seen: ArcSwap::from_pointee(Seen { fault, ..Seen::default() }), reading: Mutex::new(()) }
    }

    /// Returns what the file says now; nothing of it, if it cannot be used.
    pub fn current(&self) -> Arc<Access> {
        Arc::clone(&self.see().access)
    }

    /// Returns why nobody is let in, if the file is at fault.
    pub fn fault(&self) -> Option<String> {
        self.see().fault.clone()
    }

    fn see(&self) -> Arc<Seen> {
        let seen = self.seen.load_full();
        let look = std::fs::metadata(&self.path).as_ref().map(look_at).ok();
        if look == seen.look && look.is_some() {
            return seen;
        }
        let _alone = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = Arc::new(self.read());
        self.seen.store(Arc::clone(&seen));
        seen
    }

    fn read(&self) -> Seen {
        let mut look = None;
        let read = File::open(&self.path).and_then(|file| {
            let facts = file.metadata()?;
            look = Some(look_at(&facts));
            if facts.mode() & OTHERS_MASK != 0 {
                return Err(io::Error::other("expected a file that its owner alone may read (0600)"));
            }
            Access::read(file)
        });
        match read {
            Ok(access) => Seen { look, access: Arc::new(access), fault: None },
            Err(fault) => Seen { look, access: Arc::default(), fault: Some(fault.to_string()) },
        }
    }
}

fn look_at(facts: &std::fs::Metadata) -> Look {
    Look { inode: facts.ino(), changed: (facts.ctime(), facts.ctime_nsec()), bytes: facts.len() }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use hyper::header::{AUTHORIZATION, HeaderValue};
    use tempfile::TempDir;

    use super::*;

    fn hex(secret: &str) -> String {
        digest_secret(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    }

    /// Replaces the file as the agent does.
    fn write(directory: &TempDir, text: &str, mode: u32) {
        let fresh = directory.path().join("new");
        std::fs::write(&fresh, text).unwrap();
        std::fs::set_permissions(&fresh, Permissions::from_mode(mode)).unwrap();
        std::fs::rename(fresh, directory.path().join("access.json")).unwrap();
    }

    fn write_digests(directory: &TempDir, digests: &[String]) {
        write(directory, &serde_json::json!({"digests": digests, "replicas": {"r": "/r.sock"}}).to_string(), 0o600);
    }

    fn admits(file: &AccessFile, secret: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {secret}")).unwrap());
        file.current().admits(&headers)
    }

    #[test]
    fn two_secrets_are_in_force_while_they_rotate_and_no_third() {
        let directory = tempfile::tempdir().unwrap();
        let file = AccessFile::new(directory.path().join("access.json"));
        write_digests(&directory, &[hex("old")]);
        assert!(admits(&file, "old") && !admits(&file, "new") && !admits(&file, ""));
        write_digests(&directory, &[hex("old"), hex("new")]);
        assert!(admits(&file, "old") && admits(&file, "new"));
        write_digests(&directory, &[hex("new")]);
        assert!(!admits(&file, "old") && admits(&file, "new"));
        assert_eq!(file.current().find_replica("r"), Some(Path::new("/r.sock")));
        write_digests(&directory, &[hex("a"), hex("b"), hex("c")]);
        assert!(!admits(&file, "a") && !admits(&file, "new") && file.fault().is_some());
    }

    #[test]
    fn a_file_at_fault_lets_nobody_in() {
        let directory = tempfile::tempdir().unwrap();
        let file = AccessFile::new(directory.path().join("access.json"));
        assert!(!admits(&file, "a") && !file.current().admits(&HeaderMap::new()));
        write_digests(&directory, &[hex("a")]);
        assert!(admits(&file, "a") && file.fault().is_none());
        let good = std::fs::read_to_string(directory.path().join("access.json")).unwrap();
        for (text, mode) in [
            (good.as_str(), 0o640),
            (good.as_str(), 0o604),
            ("{", 0o600),
            (r#"{"digests":[]}"#, 0o600),
            (&good.replace("digests", "colours"), 0o600),
            (&good.replace(&hex("a"), "zz"), 0o600),
            (&good.replace('}', r#","more":1}"#), 0o600),
        ] {
            write(&directory, &good, 0o600);
            assert!(admits(&file, "a"));
            write(&directory, text, mode);
            assert!(!admits(&file, "a") && file.fault().is_some(), "{text} {mode:o}");
        }
        write(&directory, &good, 0o600);
        std::fs::remove_file(directory.path().join("access.json")).unwrap();
        assert!(!admits(&file, "a"));
    }

    #[test]
    fn no_digest_means_no_secret_not_any() {
        let access = Access::default();
        assert!(!access.admits(&HeaderMap::new()));
    }
}
