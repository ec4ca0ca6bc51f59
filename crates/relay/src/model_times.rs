//! How long calls of each model take, under the names of OpenTelemetry's conventions for generative AI. The models are those
//! of the catalogue, and only so many of them: what is scraped must not grow without end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keisan_route::Surface;

use crate::histogram::Histogram;
use crate::metrics::Text;
use crate::trace::{PROVIDER, name_operation};

/// Models with lines of their own: at most about 110 each. The rest of a longer catalogue share theirs.
const MODELS_MAX: usize = 32;
/// OpenTelemetry's word for what has no word of its own.
const OTHER: &str = "_OTHER";
const SURFACES: [Surface; 2] = [Surface::Chat, Surface::Completions];
const DURATION: &str = "gen_ai_server_request_duration_seconds";
const FIRST_TOKEN: &str = "gen_ai_server_time_to_first_token_seconds";
/// Source of both: semantic conventions for generative AI, model server metrics.
const DURATION_BOUNDS_US: [u64; 14] = [
    10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 640_000, 1_280_000, 2_560_000, 5_120_000, 10_240_000, 20_480_000,
    40_960_000, 81_920_000,
];
const FIRST_TOKEN_BOUNDS_US: [u64; 16] = [
    1_000, 5_000, 10_000, 20_000, 40_000, 60_000, 80_000, 100_000, 250_000, 500_000, 750_000, 1_000_000, 2_500_000,
    5_000_000, 7_500_000, 10_000_000,
];

/// The times of one model, by surface.
#[derive(Debug)]
pub struct ModelTimes {
    completed: [Histogram<14>; SURFACES.len()],
    failed: [Histogram<14>; SURFACES.len()],
    first_token: [Histogram<16>; SURFACES.len()],
}

impl Default for ModelTimes {
    fn default() -> Self {
        Self {
            completed: [const { Histogram::new(&DURATION_BOUNDS_US) }; SURFACES.len()],
            failed: [const { Histogram::new(&DURATION_BOUNDS_US) }; SURFACES.len()],
            first_token: [const { Histogram::new(&FIRST_TOKEN_BOUNDS_US) }; SURFACES.len()],
        }
    }
}

impl ModelTimes {
    /// Counts a call that has ended.
    pub fn observe(&self, surface: Surface, time: Duration, has_failed: bool) {
        let histograms = if has_failed { &self.failed } else { &self.completed };
        histograms[surface as usize].observe(time);
    }

    /// Counts the first bytes of a stream. An answer that is written as a whole has no first token to speak of.
    pub fn observe_first_token(&self, surface: Surface, time: Duration) {
        self.first_token[surface as usize].observe(time);
    }
}

/// The times of all models that a snapshot or an open call names.
#[derive(Debug, Default)]
pub struct ModelBook {
    named: Mutex<BTreeMap<String, Arc<ModelTimes>>>,
    others: Arc<ModelTimes>,
}

impl ModelBook {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<ModelTimes>>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn find(&self, model: &str) -> Arc<ModelTimes> {
        let mut named = self.lock();
        if let Some(times) = named.get(model) {
            return Arc::clone(times);
        }
        if named.len() >= MODELS_MAX {
            return Arc::clone(&self.others);
        }
        let times = Arc::<ModelTimes>::default();
        named.insert(model.to_owned(), Arc::clone(&times));
        times
    }

    /// Forgets models that are gone.
    pub fn sweep(&self) {
        self.lock().retain(|_, times| Arc::strong_count(times) > 1);
    }

    pub fn write(&self, text: &mut Text) {
        let named = self.lock();
        let all = || named.iter().map(|(name, times)| (name.as_str(), times)).chain([(OTHER, &self.others)]);
        text.describe(DURATION, "histogram", "Time of a call to its end; a failed one has an error_type.");
        for (model, times) in all() {
            write_series(text, (DURATION, model), &times.completed, "");
            write_series(text, (DURATION, model), &times.failed, ",error_type=\"_OTHER\"");
        }
        text.describe(FIRST_TOKEN, "histogram", "Time to the first bytes of a streamed answer.");
        for (model, times) in all() {
            write_series(text, (FIRST_TOKEN, model), &times.first_token, "");
        }
    }
}

/// Writes what was ever counted.
fn write_series<const N: usize>(
    text: &mut Text,
    (name, model): (&str, &str),
    histograms: &[Histogram<N>; SURFACES.len()],
    more: &str,
) {
    for (surface, histogram) in SURFACES.iter().zip(histograms).filter(|(_, histogram)| !histogram.is_empty()) {
        let labels = format!(
            "gen_ai_operation_name=\"{}\",gen_ai_provider_name=\"{PROVIDER}\",gen_ai_request_model=\"{}\"{more}",
            name_operation(*surface),
            escape_label(model),
        );
        histogram.write(text, name, &labels);
    }
}

/// Source: Prometheus' text format, "Comments, help text, and type information".
fn escape_label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(book: &ModelBook) -> String {
        let mut text = Text::default();
        book.write(&mut text);
        text.finish()
    }

    #[test]
    fn surfaces_have_their_places() {
        for (position, surface) in SURFACES.iter().enumerate() {
            assert_eq!(*surface as usize, position);
        }
    }

    #[test]
    fn calls_are_counted_by_model_and_operation() {
        let book = ModelBook::default();
        let times = book.find("a\"b");
        times.observe(Surface::Chat, Duration::from_millis(30), false);
        times.observe(Surface::Completions, Duration::from_secs(99), true);
        times.observe_first_token(Surface::Chat, Duration::from_millis(5));
        let text = write(&book);
        let labels = "gen_ai_provider_name=\"keisan\",gen_ai_request_model=\"a\\\"b\"";
        for line in [
            format!("{DURATION}_bucket{{gen_ai_operation_name=\"chat\",{labels},le=\"0.02\"}} 0"),
            format!("{DURATION}_bucket{{gen_ai_operation_name=\"chat\",{labels},le=\"0.04\"}} 1"),
            format!("{DURATION}_sum{{gen_ai_operation_name=\"text_completion\",{labels},error_type=\"_OTHER\"}} 99"),
            format!("{FIRST_TOKEN}_bucket{{gen_ai_operation_name=\"chat\",{labels},le=\"0.005\"}} 1"),
            format!("{FIRST_TOKEN}_count{{gen_ai_operation_name=\"chat\",{labels}}} 1"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("model=\"_OTHER\""), "only what was counted is shown");
    }

    #[test]
    fn many_models_share_their_lines_and_those_that_are_gone_make_room() {
        let book = ModelBook::default();
        let find_all = |from: usize| (from..from + 2 * MODELS_MAX).map(|number| book.find(&format!("m{number}")));
        let mut held: Vec<_> = find_all(0).collect();
        for times in &held {
            times.observe(Surface::Chat, Duration::ZERO, false);
        }
        let text = write(&book);
        assert_eq!(text.matches("_count{").count(), MODELS_MAX + 1);
        assert!(text.contains(&format!("gen_ai_request_model=\"_OTHER\"}} {MODELS_MAX}\n")), "{text}");
        held.clear();
        book.sweep();
        held.extend(find_all(1_000));
        assert!(!Arc::ptr_eq(&held[0], &book.others) && Arc::ptr_eq(&held[MODELS_MAX], &book.others));
    }
}
