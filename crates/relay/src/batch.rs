//! The body of one upload of usage records. Its memory is lent by the relay and goes back to it: uploads come one after the
//! other, and megabytes taken and given back with each would leave their holes in every thread's heap.

use std::sync::{Arc, Mutex, PoisonError};

use crate::record::OWN_BYTES_USUAL;
use crate::spool::Spooled;

/// Memory for one batch, kept between them.
pub type Shelf = Arc<Mutex<Vec<u8>>>;

/// Stands in an upload for a line end within a record: JSON has it nowhere, neither in a text nor between its parts.
const FOREIGN_LINE_END: u8 = 0x0b;

/// Records as they were spooled, one a line (`keisan.wire.usage.split_usage_batch`): a part is a line behind a plus sign, and
/// a record its own bytes behind its parts' numbers and a colon. A record is written without line ends; what holds one all
/// the same stays one line, from which no record parses, and is refused.
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
        lines.reserve(records.saturating_mul(OWN_BYTES_USUAL));
        Self { lines, shelf: Arc::clone(shelf), count: 0, cursor: String::new() }
    }

    pub fn put(&mut self, spooled: &Spooled<'_>) {
        match spooled {
            Spooled::Part(part) => {
                self.lines.push(b'+');
                self.end_line(part);
            }
            Spooled::Record { parts, own } => {
                for (position, number) in parts.iter().enumerate() {
                    self.lines.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
                    self.lines.push(if position + 1 < parts.len() { b',' } else { b':' });
                }
                self.end_line(own);
            }
        }
    }

    fn end_line(&mut self, bytes: &[u8]) {
        let start = self.lines.len();
        self.lines.extend_from_slice(bytes);
        for position in memchr::memchr_iter(b'\n', bytes) {
            self.lines[start + position] = FOREIGN_LINE_END;
        }
        self.lines.push(b'\n');
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

    fn whole(own: &[u8]) -> Spooled<'_> {
        Spooled::Record { parts: &[], own }
    }

    #[test]
    fn memory_goes_from_batch_to_batch_and_lines_do_not() {
        let shelf = Shelf::default();
        let mut first = UsageBatch::open(&shelf, 2);
        first.put(&whole(b"{}"));
        let place = first.lines().as_ptr();
        drop(first);
        let mut second = UsageBatch::open(&shelf, 1);
        assert!(second.lines().is_empty());
        second.put(&whole(b"[]"));
        assert_eq!((second.lines(), second.lines().as_ptr()), (&b"[]\n"[..], place));
    }

    #[test]
    fn parts_are_lines_and_records_name_them() {
        let mut batch = UsageBatch::open(&Shelf::default(), 2);
        for spooled in [
            Spooled::Part(b"{\"a\":1,"),
            Spooled::Part(&[0xff]),
            Spooled::Record { parts: &[0, 1], own: "\"京\r\"}".as_bytes() },
            Spooled::Record { parts: &[12], own: b"}" },
            whole(b"{}"),
        ] {
            batch.put(&spooled);
        }
        assert_eq!(batch.lines(), [b"+{\"a\":1,\n+\xff\n0,1:", "\"京\r\"}".as_bytes(), b"\n12:}\n{}\n"].concat());
    }

    #[test]
    fn a_line_end_within_a_record_splits_nothing() {
        for text in ["{\n\"a\":\"b\"}", "{\"a\":\"\nb\"}", "{\"a\":\"b\"}\n", "\n{\"a\":\"b\"}", "\n"] {
            let mut batch = UsageBatch::open(&Shelf::default(), 1);
            batch.put(&whole(text.as_bytes()));
            batch.put(&Spooled::Part(text.as_bytes()));
            let lines: Vec<_> = batch.lines().split(|byte| *byte == b'\n').collect();
            assert_eq!(lines.iter().map(|line| line.len()).collect::<Vec<_>>(), [text.len(), text.len() + 1, 0]);
            assert!(serde_json::from_slice::<serde_json::Value>(lines[0]).is_err(), "{text:?}");
        }
    }
}
