//! What a call consumed, as far as the engine has said it, and where the numbers come from (R6).

#[cfg(test)]
mod tests;
mod text;

use keisan_route::{EngineUsage, Quantities};

use text::parse_timings;
pub use text::parse_usage;

/// A token has at least this share of the delivered bytes in an estimate. English text has about 4 bytes a token.
const ESTIMATE_BYTES_PER_TOKEN: u64 = 4;

/// Where quantities come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageSource {
    Engine,
    EngineRunning,
    Estimated,
    None,
}

impl UsageSource {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::EngineRunning => "engine_running",
            Self::Estimated => "estimated",
            Self::None => "none",
        }
    }
}

/// The usage of one call while it runs.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    last: Option<EngineUsage>,
    running: Option<EngineUsage>,
    /// llama.cpp's latest timings as it wrote them. They come with every token, and only the last are read.
    timings: Vec<u8>,
    content_bytes: u64,
    content_events: u64,
}

impl Usage {
    /// The engine's final word; said twice, the later one counts.
    pub fn set_final(&mut self, usage: EngineUsage) {
        self.last = Some(usage);
    }

    pub fn set_running(&mut self, usage: EngineUsage) {
        self.running = Some(usage);
    }

    /// Keeps llama.cpp's timings, for the case that it says no more.
    pub fn note_timings(&mut self, json: &[u8]) {
        self.timings.clear();
        self.timings.extend_from_slice(json);
    }

    /// Counts text that is on its way to the client, for engines that tell nothing while they stream.
    pub fn count_content(&mut self, bytes: u64) {
        if bytes > 0 {
            self.content_bytes += bytes;
            self.content_events += 1;
        }
    }

    /// What is billed, and why.
    ///
    /// An estimate counts output only, and never above what was produced: an event carries at least one token and a
    /// token seldom less than four bytes, so the smaller of the two is taken.
    pub fn conclude(&self) -> (Quantities, UsageSource) {
        if let Some(usage) = self.last {
            return (usage.normalize(), UsageSource::Engine);
        }
        if let Some(usage) = parse_timings(&self.timings).or(self.running) {
            return (usage.normalize(), UsageSource::EngineRunning);
        }
        let tokens = (self.content_bytes / ESTIMATE_BYTES_PER_TOKEN).min(self.content_events);
        if tokens == 0 {
            return (Quantities::default(), UsageSource::None);
        }
        (Quantities { output: Some(tokens), ..Quantities::default() }, UsageSource::Estimated)
    }
}
