//! Counters and histograms in Prometheus' text form. Labels are codes and classes, never anything a caller wrote.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use keisan_route::{Code, Quantities, TokenClass};

use crate::dial::DialFaults;
use crate::histogram::Histogram;
use crate::limiter::{LimitKind, OWNERS};
use crate::model_times::ModelBook;
use crate::record::Outcome;

const OVERHEAD_BOUNDS_US: [u64; 12] = [50, 100, 200, 300, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 250_000, 1_000_000];
const FIRST_BYTE_BOUNDS_US: [u64; 12] =
    [1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000, 60_000_000];

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Everything counted since the process started.
#[derive(Debug)]
pub struct Metrics {
    calls: [Counter; Outcome::ALL.len()],
    call_codes: [Counter; Code::ALL.len()],
    refusals: [Counter; Code::ALL.len()],
    tokens: [Counter; TokenClass::ALL.len()],
    /// By owner and kind of the limit.
    limit_refusals: [[Counter; LimitKind::ALL.len()]; OWNERS.len()],
    pub models: ModelBook,
    pub records_failed: Counter,
    pub unpriced: Counter,
    pub over_reserved: Counter,
    pub retries: Counter,
    pub door_refusals: Counter,
    pub calls_passed: Counter,
    pub dial_faults: DialFaults,
    pub connections: Counter,
    pub overhead: Histogram<12>,
    pub first_byte: Histogram<12>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            calls: Default::default(),
            call_codes: [const { Counter(AtomicU64::new(0)) }; Code::ALL.len()],
            refusals: [const { Counter(AtomicU64::new(0)) }; Code::ALL.len()],
            tokens: Default::default(),
            limit_refusals: Default::default(),
            models: ModelBook::default(),
            records_failed: Counter::default(),
            unpriced: Counter::default(),
            over_reserved: Counter::default(),
            retries: Counter::default(),
            door_refusals: Counter::default(),
            calls_passed: Counter::default(),
            dial_faults: DialFaults::default(),
            connections: Counter::default(),
            overhead: Histogram::new(&OVERHEAD_BOUNDS_US),
            first_byte: Histogram::new(&FIRST_BYTE_BOUNDS_US),
        }
    }
}

impl Metrics {
    pub fn count_call(&self, outcome: Outcome, code: Option<Code>, quantities: &Quantities) {
        self.calls[outcome as usize].add(1);
        if let Some(code) = code {
            self.call_codes[code as usize].add(1);
        }
        for (counter, class) in self.tokens.iter().zip(TokenClass::ALL) {
            counter.add(quantities.get(class));
        }
    }

    pub fn count_refusal(&self, code: Code) {
        self.refusals[code as usize].add(1);
    }

    /// Counts a request that a limit of `OWNERS[owner]` refused.
    pub fn count_limit(&self, owner: usize, kind: LimitKind) {
        self.limit_refusals[owner][kind as usize].add(1);
    }

    pub fn calls(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Outcome::ALL.iter().zip(&self.calls).map(|(outcome, counter)| (outcome.name(), counter.get()))
    }

    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Code::ALL.iter().zip(&self.refusals).map(|(code, counter)| (code.name(), counter.get()))
    }

    pub fn write(&self, text: &mut Text) {
        self.write_labelled(text);
        let singles = [
            ("keisan_records_failed_total", "Usage records that could not be written.", &self.records_failed),
            ("keisan_records_unpriced_total", "Records with a token class that has no price.", &self.unpriced),
            ("keisan_records_over_reserved_total", "Calls that cost more than was set aside.", &self.over_reserved),
            ("keisan_upstream_retries_total", "Attempts repeated before a response byte.", &self.retries),
            ("keisan_upstream_door_refusals_total", "Answers of doors in an engine's place.", &self.door_refusals),
            ("keisan_calls_passed_total", "Calls passed on from one platform to another.", &self.calls_passed),
            ("keisan_connections_total", "Connections accepted.", &self.connections),
        ];
        for (name, about, counter) in singles {
            text.single(name, "counter", about, counter.get());
        }
        self.dial_faults.write(text, "keisan_upstream_dial_failures_total");
        let histograms = [
            ("keisan_overhead_seconds", "Time of a call minus the time its engine had it.", &self.overhead),
            ("keisan_first_byte_seconds", "Time to the first byte of an answer.", &self.first_byte),
        ];
        for (name, about, histogram) in histograms {
            text.describe(name, "histogram", about);
            histogram.write(text, name, "");
        }
        self.models.write(text);
    }

    fn write_labelled(&self, text: &mut Text) {
        text.describe("keisan_calls_total", "counter", "Admitted calls that ended, by outcome.");
        for (outcome, count) in self.calls() {
            text.line("keisan_calls_total", &format!("outcome=\"{outcome}\""), count);
        }
        text.describe("keisan_call_errors_total", "counter", "Admitted calls that ended with an error, by code.");
        for (code, counter) in Code::ALL.iter().zip(&self.call_codes).filter(|(_, counter)| counter.get() > 0) {
            text.line("keisan_call_errors_total", &format!("code=\"{}\"", code.name()), counter.get());
        }
        text.describe("keisan_refusals_total", "counter", "Requests refused before admission, by code.");
        for (code, count) in self.refusals().filter(|(_, count)| *count > 0) {
            text.line("keisan_refusals_total", &format!("code=\"{code}\""), count);
        }
        text.describe("keisan_limit_refusals_total", "counter", "Requests refused by a limit, by its owner and kind.");
        for (owner, counters) in OWNERS.iter().zip(&self.limit_refusals) {
            for (kind, counter) in LimitKind::ALL.iter().zip(counters) {
                let labels = format!("owner=\"{owner}\",limit=\"{}\"", kind.name());
                text.line("keisan_limit_refusals_total", &labels, counter.get());
            }
        }
        text.describe("keisan_tokens_total", "counter", "Metered tokens by class.");
        for (class, counter) in TokenClass::ALL.iter().zip(&self.tokens) {
            text.line("keisan_tokens_total", &format!("class=\"{}\"", class.name()), counter.get());
        }
    }
}

/// Builds the text form.
#[derive(Debug, Default)]
pub struct Text(String);

impl Text {
    pub fn describe(&mut self, name: &str, kind: &str, about: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {about}\n# TYPE {name} {kind}");
    }

    pub fn line(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = if labels.is_empty() {
            writeln!(self.0, "{name} {value}")
        } else {
            writeln!(self.0, "{name}{{{labels}}} {value}")
        };
    }

    pub fn single(&mut self, name: &str, kind: &str, about: &str, value: impl std::fmt::Display) {
        self.describe(name, kind, about);
        self.line(name, "", value);
    }

    pub fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn positions_match_their_names() {
        for (position, code) in Code::ALL.iter().enumerate() {
            assert_eq!(*code as usize, position);
        }
        for (position, kind) in LimitKind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, position);
        }
        for (position, outcome) in Outcome::ALL.iter().enumerate() {
            assert_eq!(*outcome as usize, position);
        }
    }

    #[test]
    fn the_text_holds_what_was_counted() {
        let metrics = Metrics::default();
        let quantities = Quantities { output: Some(7), ..Quantities::default() };
        metrics.count_call(Outcome::EngineCut, Some(Code::EngineLost), &quantities);
        metrics.count_refusal(Code::InvalidApiKey);
        metrics.count_limit(1, LimitKind::Tokens);
        metrics.overhead.observe(Duration::from_micros(300));
        metrics.overhead.observe(Duration::from_secs(9));
        let mut text = Text::default();
        metrics.write(&mut text);
        let text = text.finish();
        for line in [
            "keisan_calls_total{outcome=\"engine_cut\"} 1",
            "keisan_call_errors_total{code=\"engine_lost\"} 1",
            "keisan_refusals_total{code=\"invalid_api_key\"} 1",
            "keisan_tokens_total{class=\"output\"} 7",
            "keisan_limit_refusals_total{owner=\"project\",limit=\"tokens\"} 1",
            "keisan_limit_refusals_total{owner=\"key\",limit=\"tokens\"} 0",
            "keisan_overhead_seconds_bucket{le=\"0.0002\"} 0",
            "keisan_overhead_seconds_bucket{le=\"0.0003\"} 1",
            "keisan_overhead_seconds_bucket{le=\"1\"} 1",
            "keisan_overhead_seconds_bucket{le=\"+Inf\"} 2",
            "keisan_overhead_seconds_sum 9.0003",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
