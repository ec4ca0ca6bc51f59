//! What many records share: written once into each segment where a record has it, and named there by its place.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// So many parts has a record at most.
pub const PARTS_MAX: usize = 4;

/// Bytes that many records begin with, and where they stand in the segment that is written. It serves one spool.
#[derive(Debug, Default)]
pub struct Part {
    bytes: Box<[u8]>,
    /// The segment's number, 0 for none, and the offset there; both are read and changed under the spool's lock.
    segment: AtomicU64,
    offset: AtomicU32,
}

impl Part {
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self { bytes: bytes.into(), ..Self::default() }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where it stands in a segment, if it was written there.
    pub fn find(&self, segment: u64) -> Option<u32> {
        (self.segment.load(Ordering::Relaxed) == segment).then(|| self.offset.load(Ordering::Relaxed))
    }

    pub fn place(&self, segment: u64, offset: u32) {
        self.offset.store(offset, Ordering::Relaxed);
        self.segment.store(segment, Ordering::Relaxed);
    }
}
