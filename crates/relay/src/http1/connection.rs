//! One connection to an engine: a request out, the head of its answer in, then its body as it is wanted.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;

use super::framing::Framing;
use super::head::{AnswerHead, parse_head};
use crate::cork::{Cork, Corked};
use crate::unwritten::Unwritten;

const HEAD_BYTES_MAX: usize = 64 * 1024;
/// An event fits; a body of some size comes in several reads.
const READ_BYTES: usize = 8 * 1024;
/// What a long body is read by.
const LONG_READ_BYTES: usize = 64 * 1024;

/// What is sent: the parts of a head and of a body, written as one.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub parts: [&'a [u8]; 4],
}

/// Why no more of a body comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// The connection ended before the body did, or what came was no HTTP.
    Lost,
}

/// A connection, and what was read of it and not yet taken.
#[derive(Debug)]
pub struct EngineConnection {
    stream: Corked<OwnedReadHalf>,
    buffer: BytesMut,
    framing: Framing,
    is_kept: bool,
    pub requests: u64,
}

impl EngineConnection {
    #[cfg(test)]
    pub const fn is_kept_for_tests(&self) -> bool {
        self.is_kept
    }

    #[cfg(test)]
    pub fn room_for_tests(&self) -> usize {
        self.buffer.capacity()
    }

    pub fn new(stream: UnixStream, cork: Cork) -> Self {
        let stream = Corked::unix(stream, cork);
        Self { stream, buffer: BytesMut::new(), framing: Framing::END, is_kept: true, requests: 0 }
    }

    /// Tells whether another request may be sent: the last answer was read whole, and the engine neither closed nor spoke.
    pub fn is_reusable(&self) -> bool {
        let is_over = self.is_kept && self.framing.is_at_end() && self.buffer.is_empty();
        // Asks the system only if it has announced something.
        is_over && matches!(self.stream.try_read(&mut [0]), Err(fault) if fault.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request and reads the head of its answer. An error means that not one byte of an answer can be used.
    pub async fn ask(&mut self, request: Request<'_>) -> io::Result<AnswerHead> {
        self.requests += 1;
        let mut unwritten = Unwritten::new(request.parts);
        std::future::poll_fn(|context| self.poll_ask(context, &mut unwritten)).await
    }

    /// Writes as long as there is something to write, and reads: an engine may answer before it has heard all.
    fn poll_ask(&mut self, context: &mut Context<'_>, request: &mut Unwritten<'_, 4>) -> Poll<io::Result<AnswerHead>> {
        let is_sent = matches!(self.poll_send(context, request), Poll::Ready(Ok(())));
        loop {
            if let Some(head) = self.take_head(is_sent)? {
                return Poll::Ready(Ok(head));
            }
            if ready!(self.poll_read(context))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>, request: &mut Unwritten<'_, 4>) -> Poll<io::Result<()>> {
        ready!(request.poll_write(Pin::new(&mut self.stream), context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn take_head(&mut self, is_sent: bool) -> io::Result<Option<AnswerHead>> {
        loop {
            let parsed = parse_head(&self.buffer).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
            let Some(parsed) = parsed else {
                let is_long = self.buffer.len() > HEAD_BYTES_MAX;
                return if is_long { Err(io::ErrorKind::InvalidData.into()) } else { Ok(None) };
            };
            drop(self.buffer.split_to(parsed.length));
            // "100 Continue" and its kin announce the answer; 101 would end HTTP, and nobody asked for it.
            if matches!(parsed.head.status, 100 | 102..=199) {
                continue;
            }
            self.framing = parsed.framing;
            self.is_kept = parsed.is_kept && is_sent;
            return Ok(Some(parsed.head));
        }
    }

    /// The next bytes of the body; nothing at its end.
    pub fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyFault>>> {
        loop {
            match self.framing.take(&mut self.buffer) {
                Ok(Some(bytes)) => {
                    self.let_go_of_room();
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Ok(None) if self.framing.is_at_end() => return Poll::Ready(None),
                Ok(None) => {}
                Err(_) => return Poll::Ready(Some(Err(self.give_up()))),
            }
            match ready!(self.poll_read(context)) {
                Ok(0) if self.framing == Framing::UntilClose => {
                    self.framing = Framing::END;
                    return Poll::Ready(None);
                }
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(Some(Err(self.give_up()))),
            }
        }
    }

    /// Tells whether the whole body was taken. What has arrived and ends the body counts as taken.
    pub fn is_at_end(&mut self) -> bool {
        if let Framing::Chunked(_) = self.framing
            && !self.framing.is_at_end()
            && self.buffer.strip_prefix(b"\r\n").unwrap_or(&self.buffer).starts_with(b"0\r\n\r\n")
        {
            // Only line ends are left: taking them gives no bytes.
            let _ = self.framing.take(&mut self.buffer);
        }
        self.framing.is_at_end()
    }

    /// What was read and taken leaves no room behind: a stream is quiet most of the time.
    fn let_go_of_room(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    fn give_up(&mut self) -> BodyFault {
        self.is_kept = false;
        BodyFault::Lost
    }

    /// Reads once. Room is made only when there is something to read, so that a quiet stream holds none.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.buffer.is_empty() {
            ready!(self.stream.poll_read_ready(context))?;
        }
        let wanted = match self.framing {
            Framing::Length(left) if left > READ_BYTES as u64 => LONG_READ_BYTES,
            _ => READ_BYTES,
        };
        self.buffer.reserve(wanted);
        let before = self.buffer.len();
        let mut read = ReadBuf::uninit(self.buffer.spare_capacity_mut());
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
        let length = read.filled().len();
        advance_buffer(&mut self.buffer, before + length);
        Poll::Ready(Ok(length))
    }
}

#[allow(unsafe_code, reason = "the only way to let a read fill a buffer that was not zeroed first")]
fn advance_buffer(buffer: &mut BytesMut, length: usize) {
    // SAFETY: ReadBuf has just filled the spare capacity up to here, and poll_read never reports more than it filled.
    unsafe { buffer.set_len(length) }
}
