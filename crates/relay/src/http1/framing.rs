//! Where a body ends (RFC 9112, sections 6 and 7): by its length, by chunks, or with the connection.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

/// A line that announces a chunk, extensions included, or a trailer.
const LINE_BYTES_MAX: usize = 1_024;
const TRAILERS_MAX: u32 = 32;
const LINE_END: &[u8] = b"\r\n";

/// What of a body is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Length(u64),
    Chunked(Chunk),
    UntilClose,
}

/// Where in a chunked body the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    Size,
    Data(u64),
    /// The line end behind the data of a chunk.
    DataEnd,
    Trailers(u32),
    End,
}

/// The bytes do not follow their framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misframed;

impl Framing {
    pub const END: Self = Self::Length(0);

    pub const fn chunked() -> Self {
        Self::Chunked(Chunk::Size)
    }

    pub const fn is_at_end(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunk::End))
    }

    /// Takes the next bytes of the body out of what was read; nothing if more must be read first, or at the end.
    pub fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, Misframed> {
        match self {
            Self::UntilClose => Ok((!buffer.is_empty()).then(|| buffer.split().freeze())),
            Self::Length(left) => Ok(split_data(buffer, left)),
            Self::Chunked(chunk) => chunk.take(buffer),
        }
    }
}

impl Chunk {
    fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, Misframed> {
        loop {
            match self {
                Self::End => return Ok(None),
                Self::Data(0) => *self = Self::DataEnd,
                Self::Data(left) => {
                    let data = split_data(buffer, left);
                    // The line end goes with its data, so that nothing is left over from one event to the next.
                    if *left == 0 && buffer.starts_with(LINE_END) {
                        buffer.advance(LINE_END.len());
                        *self = Self::Size;
                    }
                    return Ok(data);
                }
                Self::Size | Self::DataEnd | Self::Trailers(_) => {
                    let Some(line) = find_line(buffer)? else {
                        return Ok(None);
                    };
                    *self = self.follow(&buffer[..line.0])?;
                    buffer.advance(line.1);
                }
            }
        }
    }

    /// What follows a line; the line is without its end.
    fn follow(self, line: &[u8]) -> Result<Self, Misframed> {
        match self {
            Self::Size => match parse_size(line)? {
                0 => Ok(Self::Trailers(0)),
                size => Ok(Self::Data(size)),
            },
            Self::DataEnd if line.is_empty() => Ok(Self::Size),
            Self::Trailers(_) if line.is_empty() => Ok(Self::End),
            Self::Trailers(count) if count < TRAILERS_MAX => Ok(Self::Trailers(count + 1)),
            _ => Err(Misframed),
        }
    }
}

fn split_data(buffer: &mut BytesMut, left: &mut u64) -> Option<Bytes> {
    let most = usize::try_from(*left).unwrap_or(usize::MAX);
    let length = buffer.len().min(most);
    *left -= length as u64;
    (length > 0).then(|| buffer.split_to(length).freeze())
}

/// The length of the first line, without and with its end; nothing while it is not whole.
fn find_line(buffer: &[u8]) -> Result<Option<(usize, usize)>, Misframed> {
    match memchr(b'\n', buffer) {
        // As it would be if it came in pieces.
        Some(end) if end > LINE_BYTES_MAX => Err(Misframed),
        Some(end) => {
            let length = if end > 0 && buffer[end - 1] == b'\r' { end - 1 } else { end };
            Ok(Some((length, end + 1)))
        }
        None if buffer.len() > LINE_BYTES_MAX => Err(Misframed),
        None => Ok(None),
    }
}

fn parse_size(line: &[u8]) -> Result<u64, Misframed> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if digits.is_empty() || digits.len() > 16 {
        return Err(Misframed);
    }
    digits.iter().try_fold(0_u64, |size, digit| {
        let digit = char::from(*digit).to_digit(16).ok_or(Misframed)?;
        Ok(size << 4 | u64::from(digit))
    })
}
