//! The spool as a whole: what is written is read once it is on disk, through crashes, damage and full disks.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::frame::{HEADER_BYTES, RECORD_BYTES_MAX, ROOM_BYTES};
use super::part::Part;
use super::reader::Spooled;
use super::segment::{CHUNK_BYTES, name_quarantined, name_segment};
use super::writer::{Spool, SpoolFault};

const BYTES_MAX: u64 = 1 << 30;
/// Before a record's own bytes in a frame: how many parts it has, none.
const OWN_AT: u64 = HEADER_BYTES as u64 + 1;

fn open(directory: &TempDir) -> Arc<Spool> {
    Spool::open(directory.path(), BYTES_MAX).unwrap()
}

fn write(spool: &Arc<Spool>, text: &str) {
    write_with(spool, &[], text);
}

fn write_with(spool: &Arc<Spool>, parts: &[&Part], own: &str) {
    spool.reserve().unwrap().write(parts, own.as_bytes()).unwrap();
}

/// How often some bytes stand in a segment.
fn count_in(directory: &TempDir, number: u64, bytes: &[u8]) -> usize {
    let segment = std::fs::read(name_segment(directory.path(), number)).unwrap();
    segment.windows(bytes.len()).filter(|window| *window == bytes).count()
}

/// Waits until all that was written is on disk.
fn settle(spool: &Spool) {
    let until = Instant::now() + Duration::from_secs(10);
    while spool.state().synced_records < spool.state().written_records {
        assert!(Instant::now() < until, "the spool does not sync");
        std::thread::yield_now();
    }
}

fn read(spool: &Spool) -> Vec<String> {
    settle(spool);
    let records = spool.read_whole(1_000).unwrap();
    records.into_iter().map(|record| String::from_utf8(record).unwrap()).collect()
}

fn take(spool: &Spool, records_max: usize) -> usize {
    settle(spool);
    let (count, cursor) = spool.read(records_max, |_| {}).unwrap();
    spool.advance(cursor).unwrap();
    count
}

/// Ends a spool as kill -9 would: nothing is sealed, and the lock is gone.
fn crash(spool: Arc<Spool>, directory: &TempDir) -> TempDir {
    settle(&spool);
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    drop(spool);
    copy
}

fn overwrite(directory: &Path, number: u64, (offset, bytes): (u64, &[u8])) {
    let file = OpenOptions::new().write(true).open(name_segment(directory, number)).unwrap();
    file.write_all_at(bytes, offset).unwrap();
}

#[test]
fn records_come_in_order_until_the_cursor_passes_them() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory);
    for text in ["a", "b", "c"] {
        write(&spool, text);
    }
    assert_eq!(read(&spool), ["a", "b", "c"]);
    assert_eq!(take(&spool, 2), 2);
    assert_eq!(read(&spool), ["c"]);
    assert_eq!(spool.state().backlog_records, 1);
    assert_eq!(take(&spool, 2), 1);
    assert!(read(&spool).is_empty());
    assert_eq!(spool.state().backlog_records, 0);
}

#[test]
fn what_is_not_on_disk_is_not_given() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory);
    spool.end_syncing();
    write(&spool, "unsynced");
    assert_eq!(spool.read(10, |_| {}).unwrap().0, 0);
    let beyond = super::Cursor { segment: 1, offset: 18, taken: 1 };
    assert!(spool.advance(beyond).is_err());
}

#[test]
fn a_crash_between_write_and_cursor_gives_records_again() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory);
    write(&spool, "a");
    write(&spool, "b");
    assert_eq!(take(&spool, 1), 1);
    write(&spool, "c");
    assert_eq!(read(&spool), ["b", "c"]);
    let after = crash(spool, &directory);
    let spool = open(&after);
    assert_eq!(read(&spool), ["b", "c"]);
    assert_eq!(spool.state().backlog_records, 2);
    write(&spool, "d");
    assert_eq!(read(&spool), ["b", "c", "d"]);
    assert_eq!(take(&spool, 9), 3);
    let after = crash(spool, &after);
    assert!(read(&open(&after)).is_empty());
}

#[test]
fn a_torn_tail_is_cut() {
    for torn in [&b"\x05"[..], &[5, 0, 0, 0, 1, 2, 3, 4, 1, 0, b'x'], &[0xff; 30]] {
        let directory = tempfile::tempdir().unwrap();
        let spool = open(&directory);
        write(&spool, "whole");
        let after = crash(spool, &directory);
        overwrite(after.path(), 1, (OWN_AT + 5, torn));
        let spool = open(&after);
        assert_eq!(read(&spool), ["whole"]);
        assert_eq!(spool.state().quarantined_segments, 0);
        write(&spool, "next");
        assert_eq!(read(&spool), ["whole", "next"]);
    }
}

#[test]
fn damage_before_readable_records_is_set_aside_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory);
    for text in ["first", "second", "third"] {
        write(&spool, text);
    }
    let after = crash(spool, &directory);
    let second = OWN_AT + 5;
    overwrite(after.path(), 1, (second + OWN_AT, b"S"));
    let spool = open(&after);
    assert_eq!(read(&spool), ["first"]);
    assert_eq!(spool.state().quarantined_segments, 1);
    let kept = std::fs::read(name_quarantined(after.path(), 1, 0)).unwrap();
    assert!(kept.windows(5).any(|bytes| bytes == b"third"));
    write(&spool, "later");
    assert_eq!(take(&spool, 9), 2);
    let again = crash(spool, &after);
    assert_eq!(open(&again).state().quarantined_segments, 1);
}

#[test]
fn damage_while_running_is_set_aside_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory);
    for text in ["first", "second", "third"] {
        write(&spool, text);
    }
    settle(&spool);
    overwrite(directory.path(), 1, (OWN_AT + 5, b"\xff\xff"));
    assert_eq!(read(&spool), ["first"]);
    assert_eq!(spool.state().quarantined_segments, 1);
    write(&spool, "fourth");
    assert_eq!(read(&spool), ["first", "fourth"]);
    assert_eq!(take(&spool, 9), 2);
    assert!(!name_segment(directory.path(), 1).exists());
    assert!(name_quarantined(directory.path(), 1, 0).exists());
}

/// A frame as the first release wrote it.
fn encode_first(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    let sum = crc32c::crc32c(&[&length, &b"\x01\0"[..], payload].concat()).to_le_bytes();
    [&length, &sum, &b"\x01\0"[..], payload].concat()
}

#[test]
fn what_the_first_release_left_is_read() {
    let directory = tempfile::tempdir().unwrap();
    for (number, text) in [(1, "a"), (2, "b")] {
        let frames = [encode_first(text.as_bytes()), encode_first(b"{}")].concat();
        std::fs::write(name_segment(directory.path(), number), [&frames[..], &[0; 64]].concat()).unwrap();
    }
    let spool = open(&directory);
    write(&spool, "c");
    assert_eq!(read(&spool), ["a", "{}", "b", "{}", "c"]);
    assert_eq!((spool.state().backlog_records, spool.state().quarantined_segments), (5, 0));
}

#[test]
fn what_no_write_can_leave_is_set_aside_and_not_cut() {
    let unknown = [b'?'; 2 * RECORD_BYTES_MAX];
    for (last, before) in [(&unknown[..], &b""[..]), (b"torn", &unknown), (b"torn", b"also torn")] {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(name_segment(directory.path(), 1), before).unwrap();
        std::fs::write(name_segment(directory.path(), 2), last).unwrap();
        assert_eq!(open(&directory).state().quarantined_segments, 1);
        let (number, kept) = if before.is_empty() { (2, last) } else { (1, before) };
        assert_eq!(std::fs::read(name_quarantined(directory.path(), number, 0)).unwrap(), kept);
    }
}

#[test]
fn what_was_set_aside_is_never_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory);
    let part = Part::new(*b"key-");
    write_with(&spool, &[&part], "a");
    assert_eq!(take(&spool, 1), 1);
    write_with(&spool, &[&part], "b");
    write(&spool, "c");
    write(&spool, "d");
    let after = crash(spool, &directory);
    let whole = std::fs::read(name_segment(after.path(), 1)).unwrap();
    let at = |text: &[u8]| whole.windows(text.len()).position(|window| window == text).unwrap() as u64;
    // What stands before the cursor is looked at as it is needed only.
    overwrite(after.path(), 1, (at(b"key-"), b"K"));
    overwrite(after.path(), 1, (at(b"\0c"), b"?"));
    let spool = open(&after);
    assert!(read(&spool).is_empty());
    assert_eq!(spool.state().quarantined_segments, 2);
    let kept = std::fs::read(name_quarantined(after.path(), 1, 0)).unwrap();
    assert!(kept.windows(2).any(|window| window == b"\0d"), "the first copy holds what the second no longer does");
}

#[test]
fn a_spool_has_one_process() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory);
    let refused = Spool::open(directory.path(), BYTES_MAX).unwrap_err();
    assert!(refused.to_string().contains("held by another gateway process"), "{refused}");
    drop(spool);
    open(&directory);
}

#[test]
fn a_closed_spool_is_the_next_ones_and_touched_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory);
    write(&spool, "kept");
    settle(&spool);
    let (_, cursor) = spool.read(10, |_| {}).unwrap();
    let room = spool.reserve().unwrap();
    spool.close();
    let next = open(&directory);
    spool.close();
    assert!(matches!(spool.reserve(), Err(SpoolFault::Failed)));
    assert!(matches!(room.write(&[], b"late"), Err(SpoolFault::Failed)));
    assert!(spool.read(10, |_| {}).is_err());
    assert!(spool.advance(cursor).is_err());
    drop(spool);
    assert_eq!(read(&next), ["kept"]);
}

#[test]
fn a_full_spool_refuses_new_calls_and_keeps_open_ones() {
    let directory = tempfile::tempdir().unwrap();
    let spool = Spool::open(directory.path(), CHUNK_BYTES).unwrap();
    let mut rooms = Vec::new();
    let refused = loop {
        match spool.reserve() {
            Ok(room) => rooms.push(room),
            Err(fault) => break fault,
        }
    };
    assert!(matches!(refused, SpoolFault::Full));
    assert_eq!(rooms.len() as u64, CHUNK_BYTES / ROOM_BYTES);
    for room in rooms {
        // Of four parts that no other record has.
        let parts = [(); 4].map(|()| Part::new([b'p'; 8]));
        room.write(&parts.each_ref(), &[b'x'; RECORD_BYTES_MAX - 32]).unwrap();
    }
    assert!(matches!(spool.reserve(), Err(SpoolFault::Full)));
    assert_eq!(take(&spool, 1_000) as u64, CHUNK_BYTES / ROOM_BYTES);
    // All was taken, so its room comes back.
    write(&spool, "after");
    assert_eq!(read(&spool), ["after"]);
    assert!(!name_segment(directory.path(), 1).exists());
}

#[test]
fn an_unused_room_is_free_again() {
    let directory = tempfile::tempdir().unwrap();
    let spool = Spool::open(directory.path(), CHUNK_BYTES).unwrap();
    for _ in 0..2 * CHUNK_BYTES / ROOM_BYTES {
        drop(spool.reserve().unwrap());
    }
}

#[test]
fn a_part_stands_once_in_a_segment_and_is_read_with_every_record() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory);
    let (key, model) = (Part::new(*b"key-"), Part::new(*b"model-"));
    write_with(&spool, &[&key, &model], "a");
    write_with(&spool, &[&key, &model], "b");
    write_with(&spool, &[&model], "c");
    write(&spool, "d");
    assert_eq!((count_in(&directory, 1, b"key-"), count_in(&directory, 1, b"model-")), (1, 1));
    assert_eq!(read(&spool), ["key-model-a", "key-model-b", "model-c", "d"]);
    let mut given = 0;
    spool.read(9, |spooled| given += usize::from(matches!(spooled, Spooled::Part(_)))).unwrap();
    assert_eq!(given, 2, "a reader is given each part once");
    spool.rotate(&mut spool.lock()).unwrap();
    write_with(&spool, &[&model, &key], "e");
    assert_eq!((count_in(&directory, 2, b"key-"), count_in(&directory, 2, b"model-")), (1, 1));
    // What stands before the cursor is found as well, by this process and the next.
    assert_eq!(take(&spool, 1), 1);
    assert_eq!(read(&spool), ["key-model-b", "model-c", "d", "model-key-e"]);
    let after = crash(spool, &directory);
    let spool = open(&after);
    assert_eq!(spool.state().backlog_records, 4);
    write_with(&spool, &[&key], "f");
    assert_eq!(read(&spool), ["key-model-b", "model-c", "d", "model-key-e", "key-f"]);
    assert_eq!(take(&spool, 9), 5);
}

#[test]
fn a_damaged_part_sets_aside_what_needs_it() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory);
    let part = Part::new(*b"key-");
    write_with(&spool, &[&part], "a");
    assert_eq!(take(&spool, 1), 1);
    write(&spool, "b");
    write_with(&spool, &[&part], "c");
    settle(&spool);
    overwrite(directory.path(), 1, (HEADER_BYTES as u64, b"K"));
    assert_eq!(read(&spool), ["b"]);
    assert_eq!(spool.state().quarantined_segments, 1);
    write_with(&spool, &[&part], "d");
    assert_eq!(read(&spool), ["b", "key-d"]);
}

#[test]
fn a_part_whose_write_failed_is_written_again() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory);
    let part = Part::new(*b"key-");
    let (lost, kept) = (spool.reserve().unwrap(), spool.reserve().unwrap());
    let broken = OpenOptions::new().read(true).open(name_segment(directory.path(), 1)).unwrap();
    let whole = std::mem::replace(&mut spool.lock().active.file, Arc::new(broken));
    assert!(matches!(lost.write(&[&part], b"lost"), Err(SpoolFault::Failed)));
    spool.lock().active.file = whole;
    kept.write(&[&part], b"kept").unwrap();
    assert_eq!(read(&spool), ["key-kept"]);
}

#[test]
fn a_record_over_its_room_is_refused_with_its_parts_counted() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory);
    let part = Part::new([b'p'; 96]);
    for (own, parts) in [(RECORD_BYTES_MAX + 1, &[][..]), (RECORD_BYTES_MAX - 95, &[&part]), (1, &[&part; 5])] {
        let refused = spool.reserve().unwrap().write(parts, &vec![b'x'; own]);
        assert!(matches!(refused, Err(SpoolFault::TooLarge)), "{own} bytes, {} parts", parts.len());
    }
    write_with(&spool, &[&part], &"x".repeat(RECORD_BYTES_MAX - 96));
    assert_eq!(read(&spool)[0].len(), RECORD_BYTES_MAX);
}

#[test]
fn a_failing_disk_fails_the_record_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory);
    write(&spool, "before");
    let room = spool.reserve().unwrap();
    settle(&spool);
    let broken = OpenOptions::new().read(true).open(name_segment(directory.path(), 1)).unwrap();
    let whole = std::mem::replace(&mut spool.lock().active.file, Arc::new(broken));
    assert!(matches!(room.write(&[], b"lost"), Err(SpoolFault::Failed)));
    assert!(spool.state().is_failed);
    assert!(matches!(spool.reserve(), Err(SpoolFault::Failed)));
    spool.lock().active.file = whole;
    spool.lock().failed_at = Instant::now().checked_sub(Duration::from_secs(2));
    write(&spool, "after");
    assert!(!spool.state().is_failed);
    assert_eq!(read(&spool), ["before", "after"]);
}

#[test]
fn records_go_on_in_the_next_segment() {
    let directory = tempfile::tempdir().unwrap();
    let spool = open(&directory);
    write(&spool, "first");
    spool.rotate(&mut spool.lock()).unwrap();
    write(&spool, "second");
    spool.rotate(&mut spool.lock()).unwrap();
    write(&spool, "third");
    assert_eq!(read(&spool), ["first", "second", "third"]);
    assert_eq!(take(&spool, 2), 2);
    assert!(!name_segment(directory.path(), 1).exists());
    let after = crash(spool, &directory);
    assert_eq!(read(&open(&after)), ["third"]);
}
