//! The body of one upload of usage records. Its memory is lent by the relay and goes back to it: uploads come one after the
//! other, and megabytes taken and given back with each would leave their holes in every thread's heap.

use std::sync::{Arc, Mutex, PoisonError};

use crate::record::{LINE_BYTES_USUAL, put_line};
use crate::spool::Pieces;

/// Memory for one batch, kept between them.
pub type Shelf = Arc<Mutex<Vec<u8>>>;

/// Records as they were spooled, one a line.
#[derive(Debug)]
pub struct UsageBatch {
    lines: Vec<u8>,
    shelf: Shelf,
    pub count: usize,
    /// Behind the last of them, as opaque text.
    pub cursor: String,
}

impl UsageBatch {
    /// An empty batch that will hold about so many records.
    pub fn open(shelf: &Shelf, records: usize) -> Self {
        let mut lines = std::mem::take(&mut *shelf.lock().unwrap_or_else(PoisonError::into_inner));
        lines.clear();
        lines.reserve(records.saturating_mul(LINE_BYTES_USUAL));
        Self { lines, shelf: Arc::clone(shelf), count: 0, cursor: String::new() }
    }

    pub fn put(&mut self, pieces: &Pieces<'_>) {
        put_line(&mut self.lines, pieces);
    }

    pub fn lines(&self) -> &[u8] {
        &self.lines
    }
}

impl Drop for UsageBatch {
    fn drop(&mut self) {
        *self.shelf.lock().unwrap_or_else(PoisonError::into_inner) = std::mem::take(&mut self.lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_goes_from_batch_to_batch_and_lines_do_not() {
        let shelf = Shelf::default();
        let mut first = UsageBatch::open(&shelf, 2);
        first.put(&[b"{", b"}", b"", b"", b""]);
        let place = first.lines().as_ptr();
        drop(first);
        let mut second = UsageBatch::open(&shelf, 1);
        assert!(second.lines().is_empty());
        second.put(&[b"", b"", b"", b"", b"[]"]);
        assert_eq!((second.lines(), second.lines().as_ptr()), (&b"[]\n"[..], place));
    }
}
