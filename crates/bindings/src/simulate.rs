//! Routing for simulations: the rule, the memories and the backlogs of crates/route, with the world around them as values.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keisan_route::block::fold;
use keisan_route::{
    Affinity, Backlog, Blocks, CallShape, Candidate, CandidateKind, Dispatched, PolicyVerdict, Tuning, Verdict,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

const SECONDS_MAX: f64 = 86_400.0;
/// 20 MiB of memory a replica.
const CACHE_BLOCKS_MAX: u64 = 1 << 22;

/// A replica of the simulated world.
struct Replica {
    candidate: Candidate,
    affinity: Affinity,
    backlog: Arc<Backlog>,
    /// What others are said to have sent there.
    reported_tokens: u64,
}

/// A call that has been sent, until it ends.
struct OpenCall {
    replica: usize,
    dispatched: Option<Dispatched>,
}

#[derive(Default)]
struct World {
    replicas: Vec<Replica>,
    calls: HashMap<u64, OpenCall>,
    chosen: u64,
}

/// One gateway's choice of replicas.
#[pyclass(frozen, module = "keisan._native")]
pub struct Router {
    block_tokens: u64,
    tuning: Tuning,
    world: Mutex<World>,
}

#[pymethods]
impl Router {
    #[new]
    #[pyo3(signature = (block_tokens, lateness_s_max=None, patience=None))]
    fn new(block_tokens: u64, lateness_s_max: Option<f64>, patience: Option<u64>) -> PyResult<Self> {
        if block_tokens == 0 {
            return Err(fault("block_tokens: expected at least 1, got 0".to_owned()));
        }
        let mut tuning = Tuning::DEFAULT;
        if let Some(seconds) = lateness_s_max {
            if !(0.0..=SECONDS_MAX).contains(&seconds) {
                return Err(fault(format!("lateness_s_max: expected 0 to {SECONDS_MAX}, got {seconds}")));
            }
            tuning.lateness_us_max =
                u64::try_from(std::time::Duration::from_secs_f64(seconds).as_micros()).unwrap_or(0);
        }
        tuning.patience = patience.unwrap_or(tuning.patience);
        Ok(Self { block_tokens, tuning, world: Mutex::default() })
    }

    fn add_replica(
        &self,
        prefill_tokens_per_s: Option<u32>,
        slots: u32,
        cache_tokens: u64,
        link_us: u64,
    ) -> PyResult<usize> {
        let blocks = cache_tokens / self.block_tokens;
        if blocks > CACHE_BLOCKS_MAX {
            return Err(fault(format!("cache_tokens: expected {CACHE_BLOCKS_MAX} blocks at most, got {blocks}")));
        }
        let candidate = Candidate {
            policy: PolicyVerdict::Holds,
            verdict: Verdict::Ok,
            is_reachable: true,
            is_capable: true,
            kind: CandidateKind::Replica,
            slots,
            open_calls: 0,
            backlog_tokens: 0,
            warm_tokens: 0,
            prefill_tokens_per_s,
            link_us,
            price_nano: 0,
        };
        let mut world = self.lock();
        world.replicas.push(Replica {
            candidate,
            affinity: Affinity::new(usize::try_from(blocks).unwrap_or(usize::MAX)),
            backlog: Arc::default(),
            reported_tokens: 0,
        });
        Ok(world.replicas.len() - 1)
    }

    fn set_verdict(&self, replica: usize, verdict: &str) -> PyResult<()> {
        let verdict = match verdict {
            "ok" => Verdict::Ok,
            "failed" => Verdict::Failed,
            "unknown" => Verdict::Unknown,
            _ => return Err(fault(format!("verdict: expected ok, failed or unknown, got '{verdict}'"))),
        };
        find(&mut self.lock().replicas, replica)?.candidate.verdict = verdict;
        Ok(())
    }

    fn set_price(&self, replica: usize, price_nano: u64) -> PyResult<()> {
        find(&mut self.lock().replicas, replica)?.candidate.price_nano = price_nano;
        Ok(())
    }

    fn report_backlog(&self, replica: usize, tokens: u64) -> PyResult<()> {
        find(&mut self.lock().replicas, replica)?.reported_tokens = tokens;
        Ok(())
    }

    #[expect(clippy::needless_pass_by_value, reason = "pyo3 makes an owned vector of a Python list")]
    fn choose(&self, blocks: Vec<u64>, prompt_tokens: u64) -> Option<(u64, usize, u64)> {
        let blocks = spread(&blocks);
        let mut world = self.lock();
        let candidates = self.list_candidates(&world, &blocks);
        let chosen = world.chosen;
        let call = CallShape { prompt_tokens, turn: usize::try_from(chosen).unwrap_or(0) };
        let position = *keisan_route::rank(&candidates, call, &self.tuning).first()?;
        let warm_tokens = candidates[position].warm_tokens.min(prompt_tokens);
        let replica = &mut world.replicas[position];
        replica.affinity.note(&blocks);
        replica.candidate.open_calls += 1;
        let dispatched = Some(replica.backlog.dispatch(prompt_tokens - warm_tokens));
        world.calls.insert(chosen, OpenCall { replica: position, dispatched });
        world.chosen += 1;
        Some((chosen, position, warm_tokens))
    }

    #[expect(clippy::needless_pass_by_value, reason = "pyo3 makes an owned vector of a Python list")]
    fn explain(&self, blocks: Vec<u64>, prompt_tokens: u64) -> PyResult<String> {
        let world = self.lock();
        let candidates = self.list_candidates(&world, &spread(&blocks));
        let call = CallShape { prompt_tokens, turn: 0 };
        let standings = keisan_route::explain(&candidates, call, &self.tuning);
        serde_json::to_string(&standings).map_err(|cause| fault(cause.to_string()))
    }

    fn note_first_byte(&self, call: u64) -> PyResult<()> {
        let mut world = self.lock();
        let open = world.calls.get_mut(&call).ok_or_else(|| fault(format!("call {call} is not open")))?;
        open.dispatched = None;
        Ok(())
    }

    fn finish(&self, call: u64) -> PyResult<()> {
        let mut world = self.lock();
        let open = world.calls.remove(&call).ok_or_else(|| fault(format!("call {call} is not open")))?;
        world.replicas[open.replica].candidate.open_calls -= 1;
        Ok(())
    }

    fn list_backlogs(&self) -> Vec<u64> {
        self.lock().replicas.iter().map(|replica| replica.backlog.tokens() + replica.reported_tokens).collect()
    }
}

impl Router {
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list_candidates(&self, world: &World, blocks: &[u64]) -> Vec<Candidate> {
        let view = |replica: &Replica| Candidate {
            backlog_tokens: replica.backlog.tokens() + replica.reported_tokens,
            warm_tokens: (replica.affinity.count_warm(blocks) as u64).saturating_mul(self.block_tokens),
            ..replica.candidate
        };
        world.replicas.iter().map(view).collect()
    }
}

/// The hashes of a prompt's blocks, as the relay makes them.
#[pyfunction]
pub fn hash_prompt(prompt: &[u8]) -> Vec<u64> {
    Blocks::of(0, prompt).as_slice().to_vec()
}

/// Traces number their blocks from 0; memories want numbers that differ in all bits.
fn spread(blocks: &[u64]) -> Vec<u64> {
    blocks.iter().map(|block| fold(0, &block.to_le_bytes())).collect()
}

fn find(replicas: &mut [Replica], replica: usize) -> PyResult<&mut Replica> {
    let count = replicas.len();
    replicas.get_mut(replica).ok_or_else(|| fault(format!("replica: expected less than {count}, got {replica}")))
}

fn fault(text: String) -> PyErr {
    PyValueError::new_err(text)
}
