//! Reads records behind the cursor: only those already on disk, in order.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

use super::cursor::Cursor;
use super::frame::{FRAME_BYTES_MAX, HEADER_BYTES, Parsed, parse_frame};
use super::opening::set_aside;
use super::segment::name_segment;
use super::writer::Spool;

const READ_BYTES: u64 = 256 * 1024;
const _: () = assert!(READ_BYTES > FRAME_BYTES_MAX);

impl Spool {
    /// Returns up to `records_max` payloads behind the cursor, and the cursor behind them.
    pub fn read(&self, records_max: usize) -> io::Result<(Vec<Vec<u8>>, Cursor)> {
        let (mut position, synced) = {
            let inner = self.lock();
            (inner.cursor, inner.synced)
        };
        let mut payloads = Vec::new();
        while payloads.len() < records_max {
            let Some(end) = self.find_end(position.segment, synced) else {
                break;
            };
            if position.offset < end {
                self.read_segment(&mut position, end, (records_max, &mut payloads))?;
            } else if position.segment < synced.0 {
                position = Cursor {
                    segment: self.find_next(position.segment, synced.0),
                    offset: 0,
                    ..position
                };
            } else {
                break;
            }
        }
        Ok((payloads, position))
    }

    /// Where the synced frames of a segment end; nothing for a segment that holds none.
    fn find_end(&self, number: u64, synced: (u64, u64)) -> Option<u64> {
        if number == synced.0 {
            return Some(synced.1);
        }
        (number < synced.0).then(|| self.lock().sealed.get(&number).map_or(0, |sealed| sealed.end))
    }

    fn find_next(&self, number: u64, last: u64) -> u64 {
        self.lock()
            .sealed
            .range(number + 1..last)
            .next()
            .map_or(last, |(next, _)| *next)
    }

    fn read_segment(
        &self,
        position: &mut Cursor,
        end: u64,
        (records_max, payloads): (usize, &mut Vec<Vec<u8>>),
    ) -> io::Result<()> {
        let file = File::open(name_segment(&self.directory, position.segment))?;
        while position.offset < end && payloads.len() < records_max {
            let mut bytes = vec![0; usize::try_from(READ_BYTES.min(end - position.offset)).unwrap_or(0)];
            file.read_exact_at(&mut bytes, position.offset)?;
            let mut used = 0;
            while payloads.len() < records_max
                && let Parsed::Frame(payload) = parse_frame(&bytes[used..])
            {
                payloads.push(payload.to_vec());
                used += HEADER_BYTES + payload.len();
                position.taken += 1;
            }
            if used == 0 {
                return self.quarantine(position.segment, position.offset);
            }
            position.offset += used as u64;
        }
        Ok(())
    }

    /// Sets a damaged segment aside; what was readable before the damage has been delivered.
    fn quarantine(&self, number: u64, readable: u64) -> io::Result<()> {
        let mut inner = self.lock();
        set_aside(&self.directory, number)?;
        self.quarantined.fetch_add(1, Ordering::Relaxed);
        if inner.active.number == number {
            self.rotate(&mut inner)?;
        }
        if let Some(sealed) = inner.sealed.get_mut(&number) {
            sealed.end = readable;
        }
        if inner.synced.0 == number {
            inner.synced = (number + 1, 0);
        }
        Ok(())
    }
}
