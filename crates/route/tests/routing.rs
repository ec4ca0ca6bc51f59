//! What routing promises, on random candidates and random sequences of calls.

use keisan_route::score::{CROWDING_US, PREFILL_TOKENS_PER_S_DEFAULT, PRICE_STEP_US};
use keisan_route::{
    CallShape, Candidate, CandidateKind, Exclusion, PolicyVerdict, Standing, Tuning, Verdict, explain, rank,
};
use proptest::prelude::*;

const RATE: u32 = 5_000;
const THERE: CandidateKind = CandidateKind::Platform { has_ticket: true };
const US_PER_S: u64 = 1_000_000;
/// The crate rounds each part of a prediction to a microsecond.
const ROUNDED_NS: u128 = 4_000;

fn ready() -> Candidate {
    Candidate {
        policy: PolicyVerdict::Holds,
        verdict: Verdict::Ok,
        is_reachable: true,
        is_capable: true,
        kind: CandidateKind::Replica,
        slots: 8,
        open_calls: 0,
        backlog_tokens: 0,
        warm_tokens: 0,
        prefill_tokens_per_s: None,
        link_us: 0,
        price_nano: 0,
    }
}

fn measured(backlog_tokens: u64, warm_tokens: u64) -> Candidate {
    Candidate { backlog_tokens, warm_tokens, prefill_tokens_per_s: Some(RATE), ..ready() }
}

fn choose(candidates: &[Candidate], prompt_tokens: u64) -> Option<usize> {
    rank(candidates, CallShape { prompt_tokens, turn: 0 }, &Tuning::DEFAULT).first().copied()
}

/// The prediction written again, apart from the crate's own: in nanoseconds, and rounded once.
fn predict_ns(candidate: &Candidate, prompt_tokens: u64) -> u128 {
    let rate = candidate.prefill_tokens_per_s.filter(|rate| *rate > 0).unwrap_or(PREFILL_TOKENS_PER_S_DEFAULT);
    let tokens = candidate.backlog_tokens + prompt_tokens.saturating_sub(candidate.warm_tokens);
    let crowding_ns = 1_000 * CROWDING_US * u64::from(candidate.open_calls) / u64::from(candidate.slots);
    u128::from(tokens) * 1_000_000_000 / u128::from(rate) + u128::from(crowding_ns + 1_000 * candidate.link_us)
}

fn any_candidate() -> impl Strategy<Value = Candidate> {
    let policy = prop_oneof![4 => Just(PolicyVerdict::Holds), 1 => Just(PolicyVerdict::Fails), 1 => Just(PolicyVerdict::Unknown)];
    let verdict = prop_oneof![4 => Just(Verdict::Ok), 1 => Just(Verdict::Failed), 1 => Just(Verdict::Unknown)];
    let facts = (policy, verdict, prop::bool::weighted(0.8), prop::bool::weighted(0.8));
    let load = (0u32..6, 0u32..9, 0u64..400_000, 0u64..40_000);
    let cost = (prop::option::of(0u32..40_000), 0u64..200_000, 0u64..4);
    (facts, load, cost).prop_map(|(facts, load, cost)| Candidate {
        policy: facts.0,
        verdict: facts.1,
        is_reachable: facts.2,
        is_capable: facts.3,
        kind: CandidateKind::Replica,
        slots: load.0,
        open_calls: load.1,
        backlog_tokens: load.2,
        warm_tokens: load.3,
        prefill_tokens_per_s: cost.0,
        link_us: cost.1,
        price_nano: cost.2,
    })
}

/// Own replicas and platforms.
fn any_mixed() -> impl Strategy<Value = Vec<Candidate>> {
    let kind = prop_oneof![
        2 => Just(CandidateKind::Replica),
        2 => Just(THERE),
        1 => Just(CandidateKind::Platform { has_ticket: false }),
    ];
    prop::collection::vec((any_candidate(), kind).prop_map(|(candidate, kind)| Candidate { kind, ..candidate }), 0..12)
}

fn any_call() -> impl Strategy<Value = CallShape> {
    (0u64..40_000, any::<usize>()).prop_map(|(prompt_tokens, turn)| CallShape { prompt_tokens, turn })
}

fn may_serve(candidate: &Candidate) -> bool {
    candidate.policy == PolicyVerdict::Holds
        && candidate.verdict == Verdict::Ok
        && candidate.is_reachable
        && candidate.is_capable
        && candidate.kind != CandidateKind::Platform { has_ticket: false }
        && candidate.slots > 0
}

proptest! {
    #[test]
    fn only_what_may_serve_is_ranked_and_all_of_it(candidates in prop::collection::vec(any_candidate(), 0..12), call in any_call()) {
        let mut ranked = rank(&candidates, call, &Tuning::DEFAULT);
        ranked.sort_unstable();
        let expected: Vec<usize> = (0..candidates.len()).filter(|&place| may_serve(&candidates[place])).collect();
        prop_assert_eq!(ranked, expected);
    }

    #[test]
    fn equal_inputs_give_equal_decisions(candidates in prop::collection::vec(any_candidate(), 0..12), call in any_call()) {
        let ranked = rank(&candidates, call, &Tuning::DEFAULT);
        prop_assert_eq!(&ranked, &rank(&candidates.clone(), call, &Tuning::DEFAULT));
        // What may not serve has no say either.
        let usable: Vec<usize> = (0..candidates.len()).filter(|&place| may_serve(&candidates[place])).collect();
        let alone: Vec<Candidate> = usable.iter().map(|&place| candidates[place]).collect();
        let unturned = |candidates: &[Candidate]| rank(candidates, CallShape { turn: 0, ..call }, &Tuning::DEFAULT);
        let named: Vec<usize> = unturned(&alone).into_iter().map(|place| usable[place]).collect();
        prop_assert_eq!(unturned(&candidates), named);
    }

    #[test]
    fn no_call_waits_longer_than_the_limit_past_the_earliest(candidates in prop::collection::vec(any_candidate(), 1..12), call in any_call()) {
        let ranked = rank(&candidates, call, &Tuning::DEFAULT);
        if let Some(&chosen) = ranked.first() {
            let usable = candidates.iter().filter(|candidate| may_serve(candidate));
            let is_free = |candidate: &Candidate| candidate.open_calls < candidate.slots;
            let kind = usable.clone().any(is_free);
            prop_assert_eq!(is_free(&candidates[chosen]), kind, "a free slot goes before a full one");
            let peers = usable.filter(|candidate| is_free(candidate) == kind);
            let earliest_ns = peers.map(|candidate| predict_ns(candidate, call.prompt_tokens)).min().unwrap();
            let limit_ns = u128::from(Tuning::DEFAULT.lateness_us_max) * 1_000;
            prop_assert!(predict_ns(&candidates[chosen], call.prompt_tokens) <= earliest_ns + limit_ns + ROUNDED_NS);
        }
    }

    #[test]
    fn without_warm_tokens_the_earliest_is_chosen(candidates in prop::collection::vec(any_candidate(), 1..12), call in any_call()) {
        let cold: Vec<Candidate> =
            candidates.into_iter().filter(may_serve).map(|candidate| Candidate { warm_tokens: 0, slots: 9, ..candidate }).collect();
        if let Some(&chosen) = rank(&cold, call, &Tuning::DEFAULT).first() {
            let earliest_ns = cold.iter().map(|candidate| predict_ns(candidate, call.prompt_tokens)).min().unwrap();
            let step_ns = u128::from(PRICE_STEP_US.unsigned_abs()) * 1_000;
            prop_assert!(predict_ns(&cold[chosen], call.prompt_tokens) <= earliest_ns + step_ns + ROUNDED_NS);
        }
    }

    /// At a rate of one token a microsecond nothing is rounded, and the order can be held exactly.
    #[test]
    fn a_prefix_that_is_warm_everywhere_changes_nothing(
        loads in prop::collection::vec((0u64..9_000_000, 0u64..1_000_000), 1..9), common in 0u64..1_000_000,
    ) {
        let build = |common: u64| -> Vec<Candidate> {
            let rate = Some(1_000_000);
            let candidates = loads.iter().map(|&(backlog, warm)| Candidate { prefill_tokens_per_s: rate, ..measured(backlog, warm + common) });
            candidates.collect()
        };
        let order = |common: u64| rank(&build(common), CallShape { prompt_tokens: 2_000_000, turn: 0 }, &Tuning::DEFAULT);
        prop_assert_eq!(order(common), order(0));
    }

    /// Bounded imbalance, as docs/decisions/0023 states it: behind each dispatch among equal replicas, the chosen one's
    /// backlog is at most the mean backlog + the limit in tokens + the call itself. Most calls are warm at the first
    /// replica, and few end.
    #[test]
    fn imbalance_is_bounded(
        calls in prop::collection::vec((1u64..60_000, 0usize..20, 5u64..10, 0usize..3), 1..160), count in 2usize..9,
    ) {
        let limit = Tuning::DEFAULT.lateness_us_max * u64::from(RATE) / US_PER_S;
        let mut backlogs = vec![0u64; count];
        let mut open = std::collections::VecDeque::new();
        for (prompt, at, warm_tenths, ended) in calls {
            let warm_at = if at < count { at } else { 0 };
            let warm = |place| if place == warm_at { prompt * warm_tenths / 10 } else { 0 };
            let candidates: Vec<Candidate> = (0..count).map(|place| measured(backlogs[place], warm(place))).collect();
            let chosen = choose(&candidates, prompt).unwrap();
            let mean = backlogs.iter().sum::<u64>() / count as u64;
            let uncached = prompt - warm(chosen);
            backlogs[chosen] += uncached;
            open.push_back((chosen, uncached));
            prop_assert!(backlogs[chosen] <= mean + limit + prompt + 1, "replica {chosen} of {backlogs:?}");
            for (place, tokens) in open.drain(..(ended / 2).min(open.len())) {
                backlogs[place] -= tokens;
            }
        }
    }

    /// Free own replicas, free platforms, full own replicas, full platforms; platforms by price, and then by distance.
    #[test]
    fn platforms_come_after_own_replicas_by_price_and_distance(candidates in any_mixed(), call in any_call()) {
        let key = |place: &usize| {
            let candidate = &candidates[*place];
            let cost = if candidate.is_elsewhere() { (candidate.price_nano, candidate.link_us) } else { (0, 0) };
            (candidate.open_calls >= candidate.slots, candidate.is_elsewhere(), cost)
        };
        let ranked = rank(&candidates, call, &Tuning::DEFAULT);
        prop_assert!(ranked.is_sorted_by_key(key));
        let expected = candidates.iter().filter(|candidate| may_serve(candidate)).count();
        prop_assert_eq!(ranked.len(), expected);
    }

    /// What platforms offer changes nothing in how own replicas are told apart.
    #[test]
    fn platforms_have_no_say_among_own_replicas(candidates in any_mixed(), call in any_call()) {
        let unturned = CallShape { turn: 0, ..call };
        let own: Vec<usize> = (0..candidates.len()).filter(|&place| !candidates[place].is_elsewhere()).collect();
        let alone: Vec<Candidate> = own.iter().map(|&place| candidates[place]).collect();
        let among_all: Vec<usize> =
            rank(&candidates, unturned, &Tuning::DEFAULT).into_iter().filter(|&place| !candidates[place].is_elsewhere()).collect();
        let named: Vec<usize> = rank(&alone, unturned, &Tuning::DEFAULT).into_iter().map(|place| own[place]).collect();
        prop_assert_eq!(among_all, named);
    }

    #[test]
    fn equal_replicas_of_unknown_rate_are_taken_by_load(opens in prop::collection::vec(0u32..8, 1..9)) {
        let candidates: Vec<Candidate> = opens.iter().map(|&open_calls| Candidate { open_calls, ..ready() }).collect();
        let chosen = choose(&candidates, 700).unwrap();
        prop_assert_eq!(opens[chosen], *opens.iter().min().unwrap());
        let busy: Vec<Candidate> = opens.iter().map(|&open| Candidate { backlog_tokens: u64::from(open) * 100, ..ready() }).collect();
        prop_assert_eq!(opens[choose(&busy, 700).unwrap()], *opens.iter().min().unwrap());
    }
}

#[test]
fn a_call_stays_with_its_warm_replica_until_the_limit_and_then_leaves() {
    let limit = Tuning::DEFAULT.lateness_us_max * u64::from(RATE) / US_PER_S;
    let choose_with = |backlog| choose(&[measured(backlog, 30_000), measured(0, 0)], 32_000).unwrap();
    // Both at the same distance from the limit: the cold one has 30,000 tokens more to compute.
    assert_eq!(choose_with(0), 0);
    assert_eq!(choose_with(limit + 30_000), 0);
    assert_eq!(choose_with(limit + 30_001), 1);
}

#[test]
fn a_little_warmth_buys_a_little_patience() {
    // 512 warm tokens are worth 9 x 512 of waiting, and themselves.
    let choose_with = |backlog| choose(&[measured(backlog, 512), measured(0, 0)], 6_758).unwrap();
    assert_eq!(choose_with(512 * 10), 0);
    assert_eq!(choose_with(512 * 10 + 60), 1);
}

#[test]
fn when_all_are_behind_warm_replicas_keep_their_calls() {
    let behind = 900_000;
    assert_eq!(choose(&[measured(behind, 0), measured(behind + 5_000, 30_000)], 32_000), Some(1));
}

#[test]
fn a_faster_or_nearer_candidate_comes_first() {
    let slow = measured(0, 0);
    let fast = Candidate { prefill_tokens_per_s: Some(2 * RATE), ..slow };
    assert_eq!(choose(&[slow, fast], 10_000), Some(1));
    let far = Candidate { link_us: 50_000, ..slow };
    assert_eq!(choose(&[far, slow], 10_000), Some(1));
    // A second faster there is worth 50 ms of way.
    assert_eq!(choose(&[Candidate { link_us: 50_000, ..fast }, slow], 10_000), Some(0));
}

#[test]
fn warm_tokens_are_worth_the_same_on_every_chip() {
    let slow = measured(0, 6_000);
    let fast = Candidate { prefill_tokens_per_s: Some(4 * RATE), ..slow };
    let call = CallShape { prompt_tokens: 7_200, turn: 0 };
    let credits = explain(&[slow, fast], call, &Tuning::DEFAULT).into_iter().map(|standing| match standing {
        Standing::Scored(score) => score.credit_us,
        Standing::Excluded(exclusion) => panic!("{exclusion:?}"),
    });
    assert_eq!(credits.collect::<Vec<_>>(), [2_700_000; 2]);
    assert_eq!(choose(&[slow, fast], 7_200), Some(1));
}

#[test]
fn the_price_decides_between_equals_only() {
    let dear = Candidate { price_nano: 9, ..measured(0, 0) };
    let cheap = Candidate { price_nano: 2, backlog_tokens: 40, ..measured(0, 0) };
    assert_eq!(choose(&[dear, cheap], 1_000), Some(1));
    assert_eq!(choose(&[dear, Candidate { backlog_tokens: 100, ..cheap }], 1_000), Some(0));
}

#[test]
fn between_platforms_the_price_decides_and_then_the_distance() {
    let there = |price_nano, link_us| Candidate { kind: THERE, price_nano, link_us, ..ready() };
    assert_eq!(choose(&[there(9, 1_000), there(2, 90_000)], 1_000), Some(1));
    assert_eq!(choose(&[there(2, 90_000), there(2, 1_000)], 1_000), Some(1));
    assert_eq!(choose(&[there(0, 0), Candidate { backlog_tokens: 30_000, ..ready() }], 1_000), Some(1));
    let standings = explain(&[there(2, 90_000)], CallShape { prompt_tokens: 9, turn: 0 }, &Tuning::DEFAULT);
    let scored = &serde_json::to_value(&standings).unwrap()[0]["scored"];
    assert_eq!(
        (&scored["is_elsewhere"], &scored["price_nano"], &scored["link_us"]),
        (&true.into(), &2.into(), &90_000.into())
    );
}

#[test]
fn equals_take_turns() {
    let first = |turn| rank(&[ready(); 3], CallShape { prompt_tokens: 9, turn }, &Tuning::DEFAULT)[0];
    assert_eq!((0..4).map(first).collect::<Vec<_>>(), [0, 1, 2, 0]);
}

#[test]
fn numbers_without_measure_are_harmless() {
    let huge = Candidate {
        backlog_tokens: u64::MAX,
        warm_tokens: u64::MAX,
        link_us: u64::MAX,
        prefill_tokens_per_s: Some(1),
        ..ready()
    };
    assert_eq!(choose(&[huge, ready()], u64::MAX), Some(1));
    assert_eq!(choose(&[huge], u64::MAX), Some(0));
    assert_eq!(choose(&[], 1), None);
}

#[test]
fn each_candidate_s_standing_is_told() {
    let outside = Candidate { policy: PolicyVerdict::Fails, ..ready() };
    let late = measured(1_000_000, 900);
    let standings =
        explain(&[outside, measured(0, 400), late], CallShape { prompt_tokens: 1_000, turn: 0 }, &Tuning::DEFAULT);
    assert_eq!(standings[0], Standing::Excluded(Exclusion::PolicyFails));
    let text = serde_json::to_value(&standings).unwrap();
    assert_eq!(text[0]["excluded"], "policy_fails");
    let scored = &text[1]["scored"];
    assert_eq!(
        (&scored["prefill_us"], &scored["credit_us"]),
        (&serde_json::json!(120_000), &serde_json::json!(720_000))
    );
    assert_eq!(
        (&scored["is_late"], &text[2]["scored"]["is_late"]),
        (&serde_json::json!(false), &serde_json::json!(true))
    );
}
