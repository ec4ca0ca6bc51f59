//! Several pieces of memory on their way into a stream, written as one.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

/// What is left of some pieces.
#[derive(Debug)]
pub struct Unwritten<'a, const COUNT: usize>([&'a [u8]; COUNT]);

impl<'a, const COUNT: usize> Unwritten<'a, COUNT> {
    pub const fn new(pieces: [&'a [u8]; COUNT]) -> Self {
        Self(pieces)
    }

    /// Ready when all is written, or when writing has failed for good.
    pub fn poll_write(
        &mut self,
        mut stream: Pin<&mut impl AsyncWrite>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.0.iter().any(|piece| !piece.is_empty()) {
            let slices = self.0.map(IoSlice::new);
            let written = ready!(stream.as_mut().poll_write_vectored(context, &slices))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        for piece in &mut self.0 {
            let passed = written.min(piece.len());
            *piece = &piece[passed..];
            written -= passed;
        }
    }
}
