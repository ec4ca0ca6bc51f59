//! Writes records: room is reserved before a call is forwarded, so a full disk refuses new calls and loses no open one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::cursor::{Cursor, is_full, sync_directory};
use super::frame::RECORD_BYTES_MAX;
use super::opening::{Opened, open_directory};
use super::part::{PARTS_MAX, Part};
use super::segment::{CHUNK_BYTES, Segment, name_segment};
use super::sync::run_sync;

/// After a fault of the disk, how long until room is tried again.
const RECOVERY_PAUSE: Duration = Duration::from_secs(1);

/// Why the spool takes no record.
#[derive(Debug)]
pub enum SpoolFault {
    /// The disk, or the limit on the spool, has no room for another record.
    Full,
    /// A write or a sync failed, or the spool was closed.
    Failed,
    /// The record is larger than its room.
    TooLarge,
}

/// A sealed segment: frames up to `end`, which is also its size on disk.
#[derive(Clone, Copy, Debug)]
pub struct Sealed {
    pub end: u64,
}

/// What is behind the spool's lock.
#[derive(Debug)]
pub struct Inner {
    pub sealed: BTreeMap<u64, Sealed>,
    pub active: Segment,
    /// The segment after the active one, once room had to be found there.
    pub next: Option<Segment>,
    pub reserved: u64,
    pub unsynced: Vec<Arc<File>>,
    pub cursor: Cursor,
    /// Position up to which all is on disk: (segment, offset).
    pub synced: (u64, u64),
    pub is_sync_wanted: bool,
    pub is_closing: bool,
    pub failed_at: Option<Instant>,
    /// Held until the spool is closed or dropped; the system lets go of it when the process dies.
    directory_lock: Option<File>,
}

/// What the spool tells about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolState {
    pub backlog_records: u64,
    pub bytes: u64,
    pub written_records: u64,
    pub synced_records: u64,
    /// Room that is kept for records of open calls.
    pub reserved_records: u64,
    pub quarantined_segments: u64,
    pub is_failed: bool,
}

/// One spool directory, held by one process.
#[derive(Debug)]
pub struct Spool {
    pub(super) directory: PathBuf,
    pub(super) inner: Mutex<Inner>,
    pub(super) wake: Condvar,
    pub(super) written_records: AtomicU64,
    pub(super) synced_records: AtomicU64,
    pub(super) quarantined: AtomicU64,
    backlog_at_opening: u64,
    bytes_max: u64,
    /// One advance at a time; the lock of `inner` is not held while the cursor is synced.
    advancing: Mutex<()>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Room for one record on disk. Dropped unused, it is free again.
#[derive(Debug)]
pub struct Room {
    spool: Arc<Spool>,
}

impl Spool {
    /// Opens a directory (made if missing), repairs it, and starts the thread that syncs.
    ///
    /// Fails if another process holds it, or if it cannot be written.
    pub fn open(directory: &Path, bytes_max: u64) -> io::Result<Arc<Self>> {
        let Opened { lock, sealed, cursor, next_number, backlog_records, quarantined } = open_directory(directory)?;
        let active = Segment::create(directory, next_number)?;
        let synced = (active.number, 0);
        let inner = Inner {
            sealed,
            active,
            next: None,
            reserved: 0,
            unsynced: Vec::new(),
            cursor,
            synced,
            is_sync_wanted: false,
            is_closing: false,
            failed_at: None,
            directory_lock: Some(lock),
        };
        let spool = Arc::new(Self {
            directory: directory.to_owned(),
            inner: Mutex::new(inner),
            wake: Condvar::new(),
            written_records: AtomicU64::new(0),
            synced_records: AtomicU64::new(0),
            quarantined: AtomicU64::new(quarantined),
            backlog_at_opening: backlog_records,
            bytes_max,
            advancing: Mutex::new(()),
            thread: Mutex::new(None),
        });
        let syncing = Arc::downgrade(&spool);
        let thread = std::thread::Builder::new().name("keisan-spool".to_owned()).spawn(move || run_sync(&syncing))?;
        *spool.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(spool)
    }

    /// A panic elsewhere leaves the numbers behind the lock consistent: each is changed only after its effect.
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same of a spool that is open; fails once it is closed, for its directory may be another's by then.
    pub(super) fn lock_open(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let inner = self.lock();
        if inner.directory_lock.is_none() {
            return Err(io::Error::other("the spool is closed"));
        }
        Ok(inner)
    }

    /// Takes room for one record, allocating on disk if need be.
    pub fn reserve(self: &Arc<Self>) -> Result<Room, SpoolFault> {
        let mut inner = self.lock_open().map_err(|_| SpoolFault::Failed)?;
        if let Some(failed_at) = inner.failed_at {
            self.recover(&mut inner, failed_at)?;
        }
        while inner.count_room() <= inner.reserved {
            match self.extend(&mut inner) {
                Err(SpoolFault::Full) if inner.is_passed() => self.recycle(&mut inner)?,
                extended => extended?,
            }
        }
        inner.reserved += 1;
        Ok(Room { spool: Arc::clone(self) })
    }

    fn extend(&self, inner: &mut Inner) -> Result<(), SpoolFault> {
        if inner.count_bytes() + CHUNK_BYTES > self.bytes_max {
            return Err(SpoolFault::Full);
        }
        let extended = if inner.active.is_extensible() {
            inner.active.extend()
        } else {
            self.prepare_next(inner).and_then(Segment::extend)
        };
        extended.map_err(|fault| if is_full(&fault) { SpoolFault::Full } else { inner.fail() })
    }

    fn prepare_next<'a>(&self, inner: &'a mut Inner) -> io::Result<&'a mut Segment> {
        match &mut inner.next {
            Some(next) if !next.is_extensible() => Err(io::ErrorKind::StorageFull.into()),
            Some(next) => Ok(next),
            vacant => Ok(vacant.insert(Segment::create(&self.directory, inner.active.number + 1)?)),
        }
    }

    /// Starts a new segment after a fault, at most once a pause.
    fn recover(&self, inner: &mut Inner, failed_at: Instant) -> Result<(), SpoolFault> {
        if failed_at.elapsed() < RECOVERY_PAUSE {
            return Err(SpoolFault::Failed);
        }
        self.rotate(inner).and_then(|()| inner.active.extend()).map_err(|_| inner.fail())?;
        inner.failed_at = None;
        Ok(())
    }

    /// Seals the active segment and goes on in the next one.
    pub(super) fn rotate(&self, inner: &mut Inner) -> io::Result<()> {
        let next = match inner.next.take() {
            Some(next) => next,
            None => Segment::create(&self.directory, inner.active.number + 1)?,
        };
        let full = std::mem::replace(&mut inner.active, next);
        inner.sealed.insert(full.number, Sealed { end: full.written });
        inner.unsynced.push(Arc::clone(&full.file));
        // Failing to give back room loses nothing: zeros behind the frames read as the end.
        let _ = full.seal();
        Ok(())
    }

    /// Starts over on a disk that is full of records already taken: their segment goes, and its room comes back.
    fn recycle(&self, inner: &mut Inner) -> Result<(), SpoolFault> {
        let passed = inner.active.number;
        let cursor = Cursor { segment: passed + 1, offset: 0, ..inner.cursor };
        let recycled = self.rotate(inner).and_then(|()| cursor.store(&self.directory)).and_then(|()| {
            inner.cursor = cursor;
            inner.synced = inner.synced.max((cursor.segment, 0));
            inner.sealed.remove(&passed);
            std::fs::remove_file(name_segment(&self.directory, passed))
        });
        recycled.and_then(|()| sync_directory(&self.directory)).map_err(|_| SpoolFault::Full)
    }

    fn append(&self, parts: &[&Part], own: &[u8]) -> Result<(), SpoolFault> {
        let size = own.len() + parts.iter().map(|part| part.bytes().len()).sum::<usize>();
        if size > RECORD_BYTES_MAX || parts.len() > PARTS_MAX {
            return Err(SpoolFault::TooLarge);
        }
        let mut inner = self.lock_open().map_err(|_| SpoolFault::Failed)?;
        if !inner.active.has_room() {
            self.rotate(&mut inner).map_err(|_| inner.fail())?;
        }
        inner.active.append(parts, own).map_err(|_| inner.fail())?;
        self.written_records.fetch_add(1, Ordering::Relaxed);
        if !inner.is_sync_wanted {
            inner.is_sync_wanted = true;
            self.wake.notify_all();
        }
        Ok(())
    }

    pub fn state(&self) -> SpoolState {
        let inner = self.lock();
        let written_records = self.written_records.load(Ordering::Relaxed);
        SpoolState {
            backlog_records: (self.backlog_at_opening + written_records).saturating_sub(inner.cursor.taken),
            bytes: inner.count_bytes(),
            written_records,
            synced_records: self.synced_records.load(Ordering::Relaxed),
            reserved_records: inner.reserved,
            quarantined_segments: self.quarantined.load(Ordering::Relaxed),
            is_failed: inner.failed_at.is_some(),
        }
    }

    /// Syncs what is written and lets go of the directory, which another may open from then on. Takes and gives no more.
    pub fn close(&self) {
        self.end_syncing();
        let _turn = self.advancing.lock().unwrap_or_else(PoisonError::into_inner);
        self.lock().let_go();
    }

    /// Syncs what is written and ends the thread that does.
    pub(super) fn end_syncing(&self) {
        self.lock().is_closing = true;
        self.wake.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // Its panic, if any, was already told by the panic hook; closing goes on.
            let _ = thread.join();
        }
    }

    /// Moves the cursor, durably, then removes the segments behind it.
    pub fn advance(&self, cursor: Cursor) -> io::Result<()> {
        let _turn = self.advancing.lock().unwrap_or_else(PoisonError::into_inner);
        let passed: Vec<u64> = {
            let inner = self.lock_open()?;
            let position = (cursor.segment, cursor.offset);
            if position < (inner.cursor.segment, inner.cursor.offset) || position > inner.synced {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "the cursor is not one that read_batch gave"));
            }
            inner.sealed.range(..cursor.segment).map(|(number, _)| *number).collect()
        };
        cursor.store(&self.directory)?;
        for number in &passed {
            std::fs::remove_file(name_segment(&self.directory, *number))?;
        }
        if !passed.is_empty() {
            sync_directory(&self.directory)?;
        }
        let mut inner = self.lock();
        inner.cursor = cursor;
        inner.sealed.retain(|number, _| !passed.contains(number));
        Ok(())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.inner.get_mut().unwrap_or_else(PoisonError::into_inner).let_go();
    }
}

impl Inner {
    /// Tells whether every record was taken and no open call counts on the room that is left.
    fn is_passed(&self) -> bool {
        let position = (self.cursor.segment, self.cursor.offset);
        self.reserved == 0 && self.active.written > 0 && position == (self.active.number, self.active.written)
    }

    fn count_room(&self) -> u64 {
        self.active.count_room() + self.next.as_ref().map_or(0, Segment::count_room)
    }

    pub fn count_bytes(&self) -> u64 {
        let sealed: u64 = self.sealed.values().map(|sealed| sealed.end).sum();
        sealed + self.active.allocated + self.next.as_ref().map_or(0, |next| next.allocated)
    }

    /// Leaves the directory as the next one should find it, then lets others open it.
    fn let_go(&mut self) {
        if let Some(lock) = self.directory_lock.take() {
            let _ = self.active.seal();
            let _ = self.active.file.sync_all();
            drop(lock);
        }
    }

    pub fn fail(&mut self) -> SpoolFault {
        self.failed_at = Some(Instant::now());
        SpoolFault::Failed
    }
}

impl Room {
    /// Writes the record of the call that this room was taken for: its parts, then its own bytes.
    pub fn write(self, parts: &[&Part], own: &[u8]) -> Result<(), SpoolFault> {
        self.spool.append(parts, own)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut inner = self.spool.lock();
        inner.reserved = inner.reserved.saturating_sub(1);
    }
}
