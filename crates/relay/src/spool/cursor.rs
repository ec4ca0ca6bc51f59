//! How far the records were taken: a position in the spool, kept in a file that is replaced whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The longest text: three numbers of 20 digits, and two colons.
const TEXT_BYTES: usize = 62;

/// A position behind a frame. `taken` counts the records passed since the spool was opened; it is not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub segment: u64,
    pub offset: u64,
    pub taken: u64,
}

impl Cursor {
    /// The opaque text that callers hold.
    pub fn format(self) -> String {
        format!("{}:{}:{}", self.segment, self.offset, self.taken)
    }

    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split(':').map(|part| part.parse::<u64>().ok());
        let cursor = Self { segment: parts.next()??, offset: parts.next()??, taken: parts.next()?? };
        parts.next().is_none().then_some(cursor)
    }

    /// Reads the kept cursor. None, or one that cannot be read, starts over: records are told apart by their id, so
    /// reading again is safe and skipping is not.
    pub fn load(directory: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(directory.join("cursor")).ok()?;
        Self::parse(&text).map(|cursor| Self { taken: 0, ..cursor })
    }

    /// Keeps the cursor durably, also on a disk that is full: nothing would ever be given back there without it.
    pub fn store(self, directory: &Path) -> io::Result<()> {
        match self.replace(directory) {
            Err(fault) if is_full(&fault) => self.overwrite(directory),
            replaced => replaced,
        }
    }

    /// Writes to a temporary file, syncs, renames, syncs the directory.
    fn replace(self, directory: &Path) -> io::Result<()> {
        let temporary = directory.join("cursor.new");
        let mut file = File::create(&temporary)?;
        file.write_all(&self.pad())?;
        file.sync_all()?;
        std::fs::rename(&temporary, directory.join("cursor"))?;
        sync_directory(directory)
    }

    /// Writes into the room that the kept cursor has: less than a sector, which is written whole or not at all.
    fn overwrite(self, directory: &Path) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(directory.join("cursor"))?;
        file.write_all_at(&self.pad(), 0)?;
        file.sync_all()
    }

    /// The text in a length that every cursor has, so that one can be written over another.
    fn pad(self) -> Vec<u8> {
        format!("{:TEXT_BYTES$}\n", self.format()).into_bytes()
    }
}

/// Tells whether a fault means that the disk has no room.
pub fn is_full(fault: &io::Error) -> bool {
    matches!(fault.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

/// Makes created, renamed and removed names of a directory durable.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Cursor::load(directory.path()), None);
        let cursor = Cursor { segment: 3, offset: 77, taken: 5 };
        cursor.store(directory.path()).unwrap();
        assert_eq!(Cursor::load(directory.path()), Some(Cursor { taken: 0, ..cursor }));
        assert_eq!(Cursor::parse(&cursor.format()), Some(cursor));
    }

    #[test]
    fn a_cursor_is_written_over_the_kept_one() {
        let directory = tempfile::tempdir().unwrap();
        let most = Cursor { segment: u64::MAX, offset: u64::MAX, taken: u64::MAX };
        let (first, second) = (Cursor { segment: 3, offset: 77, taken: 0 }, Cursor { segment: 4, ..Cursor::default() });
        assert!(first.overwrite(directory.path()).is_err(), "there is no room of an earlier one");
        for (kept, next) in [(first, second), (most, first), (first, most)] {
            kept.store(directory.path()).unwrap();
            let bytes = std::fs::metadata(directory.path().join("cursor")).unwrap().len();
            next.overwrite(directory.path()).unwrap();
            assert_eq!(Cursor::load(directory.path()), Some(Cursor { taken: 0, ..next }));
            assert_eq!(std::fs::metadata(directory.path().join("cursor")).unwrap().len(), bytes);
        }
    }

    #[test]
    fn a_broken_cursor_starts_over() {
        let directory = tempfile::tempdir().unwrap();
        for text in ["", "1:2", "1:2:3:4", "a:2:3", "1:-2:3"] {
            std::fs::write(directory.path().join("cursor"), text).unwrap();
            assert_eq!(Cursor::load(directory.path()), None, "{text}");
        }
    }
}
