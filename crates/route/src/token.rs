//! Token classes are disjoint, so that no token is billed twice; engines count otherwise and are normalised here.

use serde::{Deserialize, Serialize};

/// A kind of token that is counted and priced apart from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenClass {
    Input,
    InputCached,
    InputCacheWrite,
    Output,
    Reasoning,
}

impl TokenClass {
    pub const ALL: [Self; 5] = [Self::Input, Self::InputCached, Self::InputCacheWrite, Self::Output, Self::Reasoning];

    /// The class that this one is a part of, whose price it takes when it has none.
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::InputCached | Self::InputCacheWrite => Some(Self::Input),
            Self::Reasoning => Some(Self::Output),
            Self::Input | Self::Output => None,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::InputCached => "input_cached",
            Self::InputCacheWrite => "input_cache_write",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
        }
    }
}

/// Tokens by class. A class that an engine never tells apart is left out when it is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantities {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_cached: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_cache_write: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
}

impl Quantities {
    /// What was told of a class, if anything was.
    pub const fn find(&self, class: TokenClass) -> Option<u64> {
        match class {
            TokenClass::Input => self.input,
            TokenClass::InputCached => self.input_cached,
            TokenClass::InputCacheWrite => self.input_cache_write,
            TokenClass::Output => self.output,
            TokenClass::Reasoning => self.reasoning,
        }
    }

    pub fn get(&self, class: TokenClass) -> u64 {
        self.find(class).unwrap_or(0)
    }
}

impl Quantities {
    /// All tokens of a call.
    pub fn sum(&self) -> u64 {
        TokenClass::ALL.iter().fold(0, |sum: u64, class| sum.saturating_add(self.get(*class)))
    }
}

/// Usage as engines with `OpenAI`'s surface say it: what was read from a cache or written to it is inside the prompt,
/// reasoning inside the completion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineUsage {
    pub prompt_tokens: u64,
    pub cached_tokens: u64,
    pub cache_write_tokens: u64,
    pub completion_tokens: u64,
    pub reasoning_tokens: u64,
}

impl EngineUsage {
    /// Returns disjoint classes. A part larger than its whole is cut to it, so the sum never exceeds what was said.
    pub fn normalize(self) -> Quantities {
        let cached = self.cached_tokens.min(self.prompt_tokens);
        let cache_write = self.cache_write_tokens.min(self.prompt_tokens - cached);
        let reasoning = self.reasoning_tokens.min(self.completion_tokens);
        Quantities {
            input: Some(self.prompt_tokens - cached - cache_write),
            input_cached: Some(cached),
            input_cache_write: (cache_write > 0).then_some(cache_write),
            output: Some(self.completion_tokens - reasoning),
            reasoning: (reasoning > 0).then_some(reasoning),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_taken_out_of_their_whole() {
        let usage = EngineUsage {
            prompt_tokens: 37,
            cached_tokens: 30,
            cache_write_tokens: 5,
            completion_tokens: 10,
            reasoning_tokens: 4,
        };
        let quantities = usage.normalize();
        assert_eq!(TokenClass::ALL.map(|class| quantities.get(class)), [2, 30, 5, 6, 4]);
    }

    #[test]
    fn parts_that_are_more_than_their_whole_are_cut_to_it() {
        let usage = EngineUsage {
            prompt_tokens: 37,
            cached_tokens: 30,
            cache_write_tokens: 9,
            completion_tokens: 10,
            reasoning_tokens: 11,
        };
        let quantities = usage.normalize();
        assert_eq!(TokenClass::ALL.map(|class| quantities.get(class)), [0, 30, 7, 0, 10]);
    }

    proptest! {
        #[test]
        fn classes_sum_to_what_the_engine_said([prompt, cached, cache_write, completion, reasoning] in prop::array::uniform5(0u64..1 << 40)) {
            let usage = EngineUsage {
                prompt_tokens: prompt,
                cached_tokens: cached,
                cache_write_tokens: cache_write,
                completion_tokens: completion,
                reasoning_tokens: reasoning,
            };
            let quantities = usage.normalize();
            let sum: u64 = TokenClass::ALL.iter().map(|class| quantities.get(*class)).sum();
            prop_assert_eq!(sum, prompt + completion);
        }
    }
}
