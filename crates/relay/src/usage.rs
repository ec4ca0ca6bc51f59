//! What a call consumed, as far as the engine has said it, and where the numbers come from (R6).

use keisan_route::json::Skimmer;
use keisan_route::{EngineUsage, Quantities};

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

/// Reads `OpenAI`'s usage object. Nothing if it holds no counts.
pub fn parse_usage(json: &[u8]) -> Option<EngineUsage> {
    let names = ["prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details"];
    let [prompt, completion, prompt_details, completion_details] = read_members(json, names)?;
    if prompt.is_none() && completion.is_none() {
        return None;
    }
    Some(EngineUsage {
        prompt_tokens: read_count(prompt)?,
        cached_tokens: read_detail(prompt_details, "cached_tokens")?,
        completion_tokens: read_count(completion)?,
        reasoning_tokens: read_detail(completion_details, "reasoning_tokens")?,
    })
}

/// Reads llama.cpp's timings: the prompt is what was cached and what was computed. Nothing if no prompt is that long.
fn parse_timings(json: &[u8]) -> Option<EngineUsage> {
    let [cached, computed, predicted] = read_members(json, ["cache_n", "prompt_n", "predicted_n"])?;
    let cached_tokens = read_count(cached)?;
    Some(EngineUsage {
        prompt_tokens: cached_tokens.checked_add(read_count(Some(computed?))?)?,
        cached_tokens,
        completion_tokens: read_count(Some(predicted?))?,
        reasoning_tokens: 0,
    })
}

fn read_members<'a, const N: usize>(json: &'a [u8], names: [&str; N]) -> Option<[Option<&'a [u8]>; N]> {
    let mut skimmer = Skimmer::new(json);
    let members = skimmer.members(names).ok().filter(|members| !members.is_any_twice)?;
    skimmer.end().ok().map(|()| members.values)
}

/// A count that is not told of is zero; nothing if what stands there is no count.
fn read_count(text: Option<&[u8]>) -> Option<u64> {
    text.map_or(Some(0), |text| std::str::from_utf8(text).ok()?.parse().ok())
}

fn read_detail(json: Option<&[u8]>, name: &str) -> Option<u64> {
    let Some(json) = json else {
        return Some(0);
    };
    let [count] = read_members(json, [name])?;
    read_count(count)
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
