//! What a routing decision costs: hash the prompt, look into each candidate's memory, rank, note. Driven by
//! `bench/route_decision.py`, which says what the numbers answer; one JSON line of nanoseconds per case.

use std::hint::black_box;
use std::time::Instant;

use keisan_route::block::{estimate_block_tokens, estimate_tokens};
use keisan_route::{Affinity, Blocks, CallShape, Candidate, CandidateKind, PolicyVerdict, Tuning, Verdict, rank};

const ROUNDS: usize = 400;
const ROUND_NS: u128 = 200_000;
const KIB: usize = 1_024;

struct Case {
    name: &'static str,
    prompt_bytes: usize,
    candidates: usize,
}

const CASES: [Case; 5] = [
    Case { name: "1k_3", prompt_bytes: KIB, candidates: 3 },
    Case { name: "1k_16", prompt_bytes: KIB, candidates: 16 },
    Case { name: "32k_3", prompt_bytes: 32 * KIB, candidates: 3 },
    Case { name: "1m_3", prompt_bytes: KIB * KIB, candidates: 3 },
    Case { name: "1m_16", prompt_bytes: KIB * KIB, candidates: 16 },
];

fn decide(prompt: &[u8], affinities: &[Affinity], turn: usize) -> usize {
    let blocks = Blocks::of(7, prompt);
    let view = |affinity: &Affinity| Candidate {
        policy: PolicyVerdict::Holds,
        verdict: Verdict::Ok,
        is_reachable: true,
        is_capable: true,
        kind: CandidateKind::Replica,
        slots: 64,
        open_calls: 3,
        backlog_tokens: 4_000,
        warm_tokens: estimate_block_tokens(affinity.count_warm(blocks.as_slice())),
        prefill_tokens_per_s: Some(20_000),
        link_us: 200,
        price_nano: 1,
    };
    let candidates: Vec<Candidate> = affinities.iter().map(view).collect();
    let call = CallShape { prompt_tokens: estimate_tokens(prompt.len()), turn };
    let chosen = rank(&candidates, call, &Tuning::DEFAULT)[0];
    affinities[chosen].note(blocks.as_slice());
    chosen
}

/// Returns nanoseconds per call, one number per round, in ascending order.
fn measure(mut call: impl FnMut()) -> Vec<u128> {
    let mut calls: u128 = 1;
    let mut rounds = Vec::with_capacity(ROUNDS);
    while rounds.len() < ROUNDS {
        let started = Instant::now();
        (0..calls).for_each(|_| call());
        let took_ns = started.elapsed().as_nanos();
        if took_ns < ROUND_NS && calls < 1_000_000 {
            calls *= 2;
        } else {
            rounds.push(took_ns / calls);
        }
    }
    rounds.sort_unstable();
    rounds
}

fn describe(rounds: &[u128]) -> String {
    let at = |percent: usize| rounds[(rounds.len() - 1) * percent / 100];
    format!("{{\"min_ns\":{},\"p50_ns\":{},\"p99_ns\":{}}}", at(0), at(50), at(99))
}

#[expect(clippy::print_stdout, reason = "a bench prints its line")]
fn main() {
    let mut parts = Vec::new();
    for case in &CASES {
        let prompt: Vec<u8> =
            (0..case.prompt_bytes).map(|place| b'a' + u8::try_from(place % 23).unwrap_or(0)).collect();
        let affinities: Vec<Affinity> = (0..case.candidates).map(|_| Affinity::default()).collect();
        // All warm: the dearest case, as every block is looked up everywhere.
        for affinity in &affinities {
            affinity.note(Blocks::of(7, &prompt).as_slice());
        }
        let mut turn = 0;
        let decided = measure(|| {
            turn += 1;
            black_box(decide(black_box(&prompt), &affinities, turn));
        });
        let hashed = measure(|| drop(black_box(Blocks::of(7, black_box(&prompt)))));
        let copied = measure(|| drop(black_box(black_box(&prompt).clone())));
        let [decided, hashed, copied] = [decided, hashed, copied].map(|rounds| describe(&rounds));
        parts.push(format!("\"{}\":{{\"decide\":{decided},\"hash\":{hashed},\"copy\":{copied}}}", case.name));
    }
    println!("{{{}}}", parts.join(","));
}
