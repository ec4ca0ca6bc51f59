//! Reads records behind the cursor: only those already on disk, in order.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

use super::cursor::Cursor;
use super::frame::{Frame, HEADER_BYTES, Parsed, RECORD_BYTES_MAX, ROOM_BYTES, parse_frame};
use super::opening::set_aside;
use super::part::PARTS_MAX;
use super::segment::name_segment;
use super::writer::Spool;

const READ_BYTES: u64 = 256 * 1024;
const PART_FRAME_BYTES_MAX: usize = HEADER_BYTES + RECORD_BYTES_MAX;
const _: () = assert!(READ_BYTES > ROOM_BYTES);

/// What follows a position.
enum Ahead {
    /// Frames up to an offset of the same segment.
    Frames(u64),
    Segment(u64),
    Nothing,
}

/// What a reading gives: each part before the first record that has it.
#[derive(Debug)]
pub enum Spooled<'a> {
    /// Bytes that records begin with; parts are numbered from 0 as they come.
    Part(&'a [u8]),
    /// A record is the bytes of its parts, one behind the other, and its own.
    Record { parts: &'a [usize], own: &'a [u8] },
}

/// One reading: where it is, how many it has taken, and who takes them.
struct Reading<Take> {
    position: Cursor,
    count: usize,
    count_max: usize,
    part_count: usize,
    take: Take,
}

/// The segment that is read, and the numbers that its parts have so far.
struct Source {
    file: File,
    numbers: BTreeMap<[u8; 4], usize>,
}

impl Source {
    /// Returns the part at an offset; nothing if it is damaged.
    fn load(&self, offset: [u8; 4]) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; PART_FRAME_BYTES_MAX];
        let count = self.file.read_at(&mut bytes, u64::from(u32::from_le_bytes(offset)))?;
        match parse_frame(&bytes[..count]) {
            Parsed::Frame(Frame::Part(part), _) => Ok(Some(part.to_vec())),
            _ => Ok(None),
        }
    }
}

impl<Take: FnMut(Spooled<'_>)> Reading<Take> {
    /// Takes the whole frames at the start of what was read; returns whether there were any.
    fn take_frames(&mut self, bytes: &[u8], source: &mut Source) -> io::Result<bool> {
        let mut used = 0;
        while self.count < self.count_max
            && let Parsed::Frame(frame, size) = parse_frame(&bytes[used..])
        {
            if let Frame::Record { parts, own } = frame
                && !self.take_record(parts, own, source)?
            {
                break;
            }
            used += size;
        }
        self.position.offset += used as u64;
        Ok(used > 0)
    }

    /// Takes a record behind those of its parts that were not taken yet, unless one of them is damaged.
    fn take_record(&mut self, offsets: &[[u8; 4]], own: &[u8], source: &mut Source) -> io::Result<bool> {
        let mut numbers = [0; PARTS_MAX];
        for (number, offset) in numbers.iter_mut().zip(offsets) {
            let Some(known) = self.take_part(*offset, source)? else { return Ok(false) };
            *number = known;
        }
        (self.take)(Spooled::Record { parts: &numbers[..offsets.len()], own });
        self.count += 1;
        self.position.taken += 1;
        Ok(true)
    }

    /// Returns the number of the part at an offset, which is taken if it was not yet; nothing if it is damaged.
    fn take_part(&mut self, offset: [u8; 4], source: &mut Source) -> io::Result<Option<usize>> {
        if let Some(known) = source.numbers.get(&offset) {
            return Ok(Some(*known));
        }
        let Some(part) = source.load(offset)? else { return Ok(None) };
        (self.take)(Spooled::Part(&part));
        let number = self.part_count;
        source.numbers.insert(offset, number);
        self.part_count += 1;
        Ok(Some(number))
    }
}

impl Spool {
    /// Gives `take` up to `records_max` records behind the cursor; returns how many, and the cursor behind them. After a
    /// fault nothing that it was given counts.
    pub fn read(&self, records_max: usize, take: impl FnMut(Spooled<'_>)) -> io::Result<(usize, Cursor)> {
        let position = self.lock_open()?.cursor;
        let mut reading = Reading { position, count: 0, count_max: records_max, part_count: 0, take };
        while reading.count < records_max {
            match self.look(reading.position) {
                Ahead::Frames(end) => self.read_segment(&mut reading, end)?,
                Ahead::Segment(next) => reading.position = Cursor { segment: next, offset: 0, ..reading.position },
                Ahead::Nothing => break,
            }
        }
        Ok((reading.count, reading.position))
    }

    /// Returns up to so many records behind the cursor, each whole.
    #[cfg(test)]
    pub fn read_whole(&self, records_max: usize) -> io::Result<Vec<Vec<u8>>> {
        let (mut parts, mut records) = (Vec::new(), Vec::new());
        let (count, _) = self.read(records_max, |spooled| match spooled {
            Spooled::Part(part) => parts.push(part.to_vec()),
            Spooled::Record { parts: numbers, own } => {
                let pieces = numbers.iter().map(|number| &parts[*number][..]).chain([own]);
                records.push(pieces.collect::<Vec<_>>().concat());
            }
        })?;
        assert_eq!(count, records.len());
        Ok(records)
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

    fn read_segment(&self, reading: &mut Reading<impl FnMut(Spooled<'_>)>, end: u64) -> io::Result<()> {
        let Cursor { segment, .. } = reading.position;
        let file = File::open(name_segment(&self.directory, segment))?;
        let mut source = Source { file, numbers: BTreeMap::new() };
        let mut bytes = Vec::new();
        while reading.position.offset < end && reading.count < reading.count_max {
            let offset = reading.position.offset;
            bytes.resize(usize::try_from(READ_BYTES.min(end - offset)).unwrap_or(0), 0);
            source.file.read_exact_at(&mut bytes, offset)?;
            if !reading.take_frames(&bytes, &mut source)? {
                return self.quarantine(segment, offset);
            }
        }
        Ok(())
    }

    /// Sets a damaged segment aside; what was readable before the damage has been delivered.
    fn quarantine(&self, number: u64, readable: u64) -> io::Result<()> {
        let mut inner = self.lock_open()?;
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
