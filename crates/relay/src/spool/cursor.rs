//! How far the records were taken: a position in the spool, kept in a file that is replaced whole.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

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

    /// Writes to a temporary file, syncs, renames, syncs the directory.
    pub fn store(self, directory: &Path) -> io::Result<()> {
        let temporary = directory.join("cursor.new");
        let mut file = File::create(&temporary)?;
        writeln!(file, "{}", self.format())?;
        file.sync_all()?;
        std::fs::rename(&temporary, directory.join("cursor"))?;
        sync_directory(directory)
    }
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
    fn a_broken_cursor_starts_over() {
        let directory = tempfile::tempdir().unwrap();
        for text in ["", "1:2", "1:2:3:4", "a:2:3", "1:-2:3"] {
            std::fs::write(directory.path().join("cursor"), text).unwrap();
            assert_eq!(Cursor::load(directory.path()), None, "{text}");
        }
    }
}
