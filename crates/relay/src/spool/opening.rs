//! Opens a spool directory: one process at a time, a torn tail cut, other damage set aside and counted.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::cursor::{Cursor, is_full, sync_directory};
use super::segment::{Scan, Tail, count_quarantined, list_numbers, name_quarantined, name_segment, scan_frames};
use super::writer::Sealed;

/// What was found.
pub struct Opened {
    pub lock: File,
    pub sealed: BTreeMap<u64, Sealed>,
    pub cursor: Cursor,
    pub next_number: u64,
    pub backlog_records: u64,
    pub quarantined: u64,
}

pub fn open_directory(directory: &Path) -> io::Result<Opened> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let lock = take_lock(directory)?;
    let numbers = list_numbers(directory)?;
    let kept = Cursor::load(directory).unwrap_or_default();
    let mut sealed = BTreeMap::new();
    let mut backlog_records = 0;
    let mut last_with_data = true;
    for &number in numbers.iter().rev() {
        if number < kept.segment {
            std::fs::remove_file(name_segment(directory, number))?;
            continue;
        }
        let start = if number == kept.segment { kept.offset } else { 0 };
        let scan = repair_segment(directory, number, (start, last_with_data))?;
        last_with_data &= scan.end == 0 && scan.tail == Tail::Clean;
        if scan.end == 0 {
            std::fs::remove_file(name_segment(directory, number))?;
            continue;
        }
        backlog_records += scan.records;
        sealed.insert(number, Sealed { end: scan.end });
    }
    sync_directory(directory)?;
    let quarantined = count_quarantined(directory)?;
    let next_number = numbers.last().copied().max(Some(kept.segment)).unwrap_or(0) + 1;
    let cursor = place_cursor(kept, &sealed, next_number);
    match cursor.store(directory) {
        // The room that a cursor needs when the disk is full is taken while it is not; on one that is, nothing can be.
        Err(fault) if !is_full(&fault) && fault.kind() != io::ErrorKind::NotFound => return Err(fault),
        _ => {}
    }
    Ok(Opened { lock, sealed, cursor, next_number, backlog_records, quarantined })
}

/// The kept cursor if it lies in a segment, else the start of the first segment behind it.
fn place_cursor(kept: Cursor, sealed: &BTreeMap<u64, Sealed>, next_number: u64) -> Cursor {
    if let Some(segment) = sealed.get(&kept.segment) {
        return Cursor { offset: kept.offset.min(segment.end), ..kept };
    }
    let segment = sealed.range(kept.segment..).next().map_or(next_number, |(number, _)| *number);
    Cursor { segment, offset: 0, taken: 0 }
}

fn take_lock(directory: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(directory.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let text = "the spool directory is held by another gateway process";
            Err(io::Error::new(io::ErrorKind::WouldBlock, text))
        }
        Err(TryLockError::Error(fault)) => Err(fault),
    }
}

/// Leaves a segment with nothing but readable frames. A torn tail is cut only where writing ended.
fn repair_segment(directory: &Path, number: u64, (start, is_last): (u64, bool)) -> io::Result<Scan> {
    let path = name_segment(directory, number);
    let bytes = std::fs::read(&path)?;
    let scan = scan_frames(&bytes, start);
    let is_quarantined = match scan.tail {
        Tail::Clean => false,
        Tail::Torn => !is_last,
        Tail::Damaged => true,
    };
    if is_quarantined {
        set_aside(directory, number)?;
    }
    if scan.end < bytes.len() as u64 {
        let file = OpenOptions::new().write(true).open(&path)?;
        file.set_len(scan.end)?;
        file.sync_all()?;
    }
    Ok(scan)
}

/// Keeps a copy of a damaged segment, synced before anything of the segment is changed, beside those that were kept before.
pub fn set_aside(directory: &Path, number: u64) -> io::Result<()> {
    let temporary = directory.join(format!("{number:020}.copying"));
    std::fs::copy(name_segment(directory, number), &temporary)?;
    File::open(&temporary)?.sync_all()?;
    let mut names = (0..).map(|copy| name_quarantined(directory, number, copy));
    let free = names.find(|name| !name.exists()).ok_or(io::ErrorKind::AlreadyExists)?;
    std::fs::rename(&temporary, free)?;
    sync_directory(directory)
}
