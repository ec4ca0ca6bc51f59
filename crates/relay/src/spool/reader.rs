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

/// What follows a position.
enum Ahead {
    /// Frames up to an offset of the same segment.
    Frames(u64),
    Segment(u64),
    Nothing,
}

impl Spool {
    /// Returns up to `records_max` payloads behind the cursor, and the cursor behind them.
    pub fn read(&self, records_max: usize) -> io::Result<(Vec<Vec<u8>>, Cursor)> {
        let mut position = self.lock().cursor;
        let mut payloads = Vec::new();
        while payloads.len() < records_max {
            match self.look(position) {
                Ahead::Frames(end) => self.read_segment(&mut position, end, (records_max, &mut payloads))?,
                Ahead::Segment(next) => position = Cursor { segment: next, offset: 0, ..position },
                Ahead::Nothing => break,
            }
        }
        Ok((payloads, position))
    }

    /// What is on disk behind a position.
    fn look(&self, position: Cursor) -> Ahead {
        let inner = self.lock();
        let (last, last_end) = inner.synced;
        if position.segment >= last {
            let is_behind = position.segment == last && position.offset < last_end;
            return if is_behind { Ahead::Frames(last_end) } else { Ahead::Nothing };
        }
        match inner.sealed.get(&position.segment) {
            Some(sealed) if position.offset < sealed.end => Ahead::Frames(sealed.end),
            _ => Ahead::Segment(inner.sealed.range(position.segment + 1..last).next().map_or(last, |(next, _)| *next)),
        }
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
