//! What a call consumed, as far as the engine has said it, and where the numbers come from (R6).

use keisan_route::{EngineUsage, Quantities};
use serde::{Deserialize, Serialize};

/// A token has at least this share of the delivered bytes in an estimate. English text has about 4 bytes a token.
const ESTIMATE_BYTES_PER_TOKEN: u64 = 4;

/// Where quantities come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    last: Option<EngineUsage>,
    running: Option<EngineUsage>,
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
        if let Some(usage) = self.running {
            return (usage.normalize(), UsageSource::EngineRunning);
        }
        let tokens = (self.content_bytes / ESTIMATE_BYTES_PER_TOKEN).min(self.content_events);
        if tokens == 0 {
            return (Quantities::default(), UsageSource::None);
        }
        (Quantities { output: Some(tokens), ..Quantities::default() }, UsageSource::Estimated)
    }
}

#[derive(Deserialize, Default)]
struct Details {
    cached_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct UsageText {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
    completion_tokens_details: Option<Details>,
}

/// Reads `OpenAI`'s usage object. Nothing if it holds no counts.
pub fn parse_usage(json: &[u8]) -> Option<EngineUsage> {
    let text: UsageText = serde_json::from_slice(json).ok()?;
    if text.prompt_tokens.is_none() && text.completion_tokens.is_none() {
        return None;
    }
    Some(EngineUsage {
        prompt_tokens: text.prompt_tokens.unwrap_or(0),
        cached_tokens: text.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0),
        completion_tokens: text.completion_tokens.unwrap_or(0),
        reasoning_tokens: text.completion_tokens_details.and_then(|details| details.reasoning_tokens).unwrap_or(0),
    })
}

#[derive(Deserialize)]
struct TimingsText {
    #[serde(rename = "cache_n")]
    cached: Option<u64>,
    #[serde(rename = "prompt_n")]
    computed: u64,
    #[serde(rename = "predicted_n")]
    predicted: u64,
}

/// Reads llama.cpp's timings: the prompt is what was cached and what was computed. Nothing if no prompt is that long.
pub fn parse_timings(json: &[u8]) -> Option<EngineUsage> {
    let text: TimingsText = serde_json::from_slice(json).ok()?;
    let cached_tokens = text.cached.unwrap_or(0);
    Some(EngineUsage {
        prompt_tokens: cached_tokens.checked_add(text.computed)?,
        cached_tokens,
        completion_tokens: text.predicted,
        reasoning_tokens: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_final_word_beats_the_running_one() {
        let mut usage = Usage::default();
        assert_eq!(usage.conclude(), (Quantities::default(), UsageSource::None));
        usage.count_content(400);
        assert_eq!(usage.conclude().1, UsageSource::Estimated);
        usage.set_running(EngineUsage { prompt_tokens: 5, completion_tokens: 2, ..EngineUsage::default() });
        assert_eq!(usage.conclude().1, UsageSource::EngineRunning);
        usage.set_final(EngineUsage { prompt_tokens: 5, completion_tokens: 3, ..EngineUsage::default() });
        let (quantities, source) = usage.conclude();
        assert_eq!((quantities.output, source), (Some(3), UsageSource::Engine));
    }

    #[test]
    fn names_are_what_a_record_says() {
        for source in [UsageSource::Engine, UsageSource::EngineRunning, UsageSource::Estimated, UsageSource::None] {
            assert_eq!(serde_json::to_value(source).unwrap(), source.name());
        }
    }

    #[test]
    fn an_estimate_is_below_both_bytes_and_events() {
        let mut usage = Usage::default();
        usage.count_content(3);
        assert_eq!(usage.conclude().1, UsageSource::None);
        usage.count_content(100);
        usage.count_content(0);
        assert_eq!(usage.conclude().0.output, Some(2));
    }

    #[test]
    fn usage_and_timings_of_llama_cpp() {
        let usage = parse_usage(
            br#"{"completion_tokens":3,"prompt_tokens":37,"total_tokens":40,"prompt_tokens_details":{"cached_tokens":36}}"#,
        );
        let timings =
            parse_timings(br#"{"cache_n":36,"prompt_n":1,"prompt_ms":9.1,"predicted_n":3,"predicted_ms":7.0}"#);
        assert_eq!(usage, timings);
        assert_eq!(usage.map(|usage| usage.cached_tokens), Some(36));
        let most = u64::MAX;
        assert_eq!(parse_timings(format!(r#"{{"cache_n":{most},"prompt_n":1,"predicted_n":3}}"#).as_bytes()), None);
        for json in ["{}", "null", "[]", "{\"prompt_tokens\":-1}", "{\"prompt_tokens\":"] {
            assert_eq!(parse_usage(json.as_bytes()), None, "{json}");
        }
    }
}
