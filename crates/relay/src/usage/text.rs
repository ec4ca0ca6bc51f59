//! Usage as engines write it, and gateways before engines: read in one pass, whatever stands inside what there.

use keisan_route::EngineUsage;
use keisan_route::json::{Fault, Name, Skimmer};

/// Reads a usage object. Nothing if it holds no counts, or one that is no count.
///
/// `OpenAI` says the prompt whole, with what was cached inside it, and so do the names that others added beside its own
/// (`DeepSeek`, `LiteLLM`). Anthropic says only what no cache had a part in. Numbers that contradict each other are read as
/// the smaller bill: a part counts as inside its whole, and is cut to it, unless the engine's own total says that it is not.
pub fn parse_usage(json: &[u8]) -> Option<EngineUsage> {
    let mut told = Told::default();
    let mut skimmer = Skimmer::new(json);
    skimmer.object(|own, name| told.take(own, &name)).ok()?;
    skimmer.end().ok()?;
    told.conclude()
}

/// Reads llama.cpp's timings: the prompt is what was cached and what was computed. Nothing if no prompt is that long.
pub fn parse_timings(json: &[u8]) -> Option<EngineUsage> {
    let [mut cached, mut computed, mut predicted] = [None; 3];
    let mut skimmer = Skimmer::new(json);
    let read = skimmer.object(|own, name| match &*name.bytes() {
        b"cache_n" => read_count(own, &mut cached),
        b"prompt_n" => read_count(own, &mut computed),
        b"predicted_n" => read_count(own, &mut predicted),
        _ => pass(own),
    });
    read.ok()?;
    skimmer.end().ok()?;
    let cached_tokens = cached.unwrap_or(0);
    Some(EngineUsage {
        prompt_tokens: cached_tokens.checked_add(computed?)?,
        cached_tokens,
        completion_tokens: predicted?,
        ..EngineUsage::default()
    })
}

/// What stands in a place of a count, and is none.
struct NoCount;

impl From<Fault> for NoCount {
    fn from(_: Fault) -> Self {
        Self
    }
}

/// The counts of one way to name them.
#[derive(Default)]
struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    cached: Option<u64>,
    cache_write: Option<u64>,
    reasoning: Option<u64>,
    has_input_details: bool,
}

/// All counts that were told, by what they are called.
#[derive(Default)]
struct Told {
    /// `prompt_tokens`, `completion_tokens`.
    chat: Counts,
    /// `input_tokens`, `output_tokens`: `OpenAI`'s Responses, and Anthropic.
    messages: Counts,
    total: Option<u64>,
    cache_read: Option<u64>,
    cache_creation: Option<u64>,
    cache_hit: Option<u64>,
    cache_miss: Option<u64>,
}

impl Told {
    fn take(&mut self, skimmer: &mut Skimmer<'_>, name: &Name<'_>) -> Result<(), NoCount> {
        let count = match &*name.bytes() {
            b"prompt_tokens" => &mut self.chat.input,
            b"completion_tokens" => &mut self.chat.output,
            b"prompt_tokens_details" => return self.chat.take_input_details(skimmer),
            b"completion_tokens_details" => return self.chat.take_output_details(skimmer),
            b"input_tokens" => &mut self.messages.input,
            b"output_tokens" => &mut self.messages.output,
            b"input_tokens_details" => return self.messages.take_input_details(skimmer),
            b"output_tokens_details" => return self.messages.take_output_details(skimmer),
            b"total_tokens" => &mut self.total,
            b"cache_read_input_tokens" => &mut self.cache_read,
            b"cache_creation_input_tokens" => &mut self.cache_creation,
            b"prompt_cache_hit_tokens" => &mut self.cache_hit,
            b"prompt_cache_miss_tokens" => &mut self.cache_miss,
            _ => return pass(skimmer),
        };
        read_count(skimmer, count)
    }

    fn conclude(mut self) -> Option<EngineUsage> {
        if let (Some(hit), Some(miss)) = (self.cache_hit, self.cache_miss) {
            self.chat.input = self.chat.input.or(hit.checked_add(miss));
        }
        // Gateways that know both ways leave zeros under the one that their engine did not use.
        let is_chat = self.chat.is_told();
        let counts = if is_chat { &self.chat } else { &self.messages };
        if !counts.is_told() {
            return None;
        }
        let (input, output) = (counts.input.unwrap_or(0), counts.output.unwrap_or(0));
        let cached = find_most([counts.cached, self.cache_read, self.cache_hit]);
        let cache_write = find_most([counts.cache_write, self.cache_creation, None]);
        let reasoning = counts.reasoning.unwrap_or(0);
        let is_anthropic = !is_chat && !counts.has_input_details;
        let parts = (cached.saturating_add(cache_write), reasoning);
        let (beside_input, beside_output) = match self.total {
            None => (if is_anthropic { parts.0 } else { 0 }, 0),
            Some(total) => find_beside(total.checked_sub(input.checked_add(output)?), parts),
        };
        Some(EngineUsage {
            prompt_tokens: input.checked_add(beside_input)?,
            cached_tokens: cached,
            cache_write_tokens: cache_write,
            completion_tokens: output.checked_add(beside_output)?,
            reasoning_tokens: reasoning,
        })
    }
}

impl Counts {
    const fn is_told(&self) -> bool {
        self.input.is_some() || self.output.is_some()
    }

    fn take_input_details(&mut self, skimmer: &mut Skimmer<'_>) -> Result<(), NoCount> {
        if is_null(skimmer) {
            return pass(skimmer);
        }
        self.has_input_details = true;
        skimmer.object(|own, name| match &*name.bytes() {
            b"cached_tokens" => read_count(own, &mut self.cached),
            b"cache_write_tokens" => read_count(own, &mut self.cache_write),
            _ => pass(own),
        })
    }

    fn take_output_details(&mut self, skimmer: &mut Skimmer<'_>) -> Result<(), NoCount> {
        if is_null(skimmer) {
            return pass(skimmer);
        }
        skimmer.object(|own, name| match &*name.bytes() {
            // The second is Anthropic's.
            b"reasoning_tokens" | b"thinking_tokens" => read_count(own, &mut self.reasoning),
            _ => pass(own),
        })
    }
}

/// Returns how much of the two parts, cached and reasoning, the engine's total holds beyond input and output.
///
/// Portkey says Anthropic's counts under `OpenAI`'s names, and xAI says its completion without the reasoning; both count
/// all of it in the total. A total that fits none of this says nothing.
fn find_beside(excess: Option<u64>, (cached, reasoning): (u64, u64)) -> (u64, u64) {
    match excess {
        Some(excess) if Some(excess) == cached.checked_add(reasoning) => (cached, reasoning),
        Some(excess) if excess == cached => (cached, 0),
        Some(excess) if excess == reasoning => (0, reasoning),
        _ => (0, 0),
    }
}

/// One count told under several names: who repeats it repeats it whole, or leaves a zero.
fn find_most(counts: [Option<u64>; 3]) -> u64 {
    counts.into_iter().flatten().max().unwrap_or(0)
}

fn is_null(skimmer: &mut Skimmer<'_>) -> bool {
    skimmer.peek() == Some(b'n')
}

fn pass(skimmer: &mut Skimmer<'_>) -> Result<(), NoCount> {
    skimmer.value()?;
    Ok(())
}

/// Null is not told. Told twice, nobody knows which of the two counts.
fn read_count(skimmer: &mut Skimmer<'_>, count: &mut Option<u64>) -> Result<(), NoCount> {
    let text = skimmer.value()?;
    if text == b"null" {
        return Ok(());
    }
    let told = read_digits(text).ok_or(NoCount)?;
    if count.replace(told).is_some() { Err(NoCount) } else { Ok(()) }
}

/// Reads a value that is digits and nothing else; a value has at least one byte.
fn read_digits(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}
