//! The spool (R8): usage records on disk, written before the last byte of an answer, synced in groups within 5 ms.
//! Here: segments of frames, room reserved ahead, the reader and its cursor. Not here: what a record says (meter).

mod cursor;
mod frame;
mod opening;
mod part;
mod reader;
mod segment;
mod sync;
#[cfg(test)]
mod tests;
mod writer;

pub use cursor::Cursor;
#[cfg(test)]
pub use frame::RECORD_BYTES_MAX;
pub use part::{PARTS_MAX, Part};
pub use reader::Spooled;
pub use writer::{Room, Spool, SpoolFault, SpoolState};
