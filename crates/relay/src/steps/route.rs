//! Step 4: which replica serves the call, and a seat there; a full replica keeps a small queue, here in the gateway.
//! Only replicas that satisfy every policy in force are looked at: those of the organization, the project, the key, and
//! the request's own, which can only narrow.

use std::sync::atomic::Ordering;

use hyper::HeaderMap;
use hyper::header::HeaderValue;
use keisan_route::block::estimate_block_tokens;
use keisan_route::{
    Blocks, CallShape, Candidate, Code, Judgement, Policy, PolicyVerdict, Refusal, Standing, Tuning, explain, rank,
};
use serde::Serialize;

use crate::clock::read_wall_ms;
use crate::exchange::{Admission, Exchange, Routing};
use crate::gateway::Gateway;
use crate::replica::{NoSeat, Replica, Seat};
use crate::snapshot::{Key, LAYERS, Model};

const POLICY_HEADER: &str = "keisan-policy";
const OBJECTIONS_SHOWN_MAX: usize = 4;
/// About 300 bytes each: more would pass what proxies let through as a header.
const CANDIDATES_EXPLAINED_MAX: usize = 16;

/// Reads the policy that a request brings.
pub fn read_policy(headers: &HeaderMap) -> Result<Policy, Refusal> {
    let Some(text) = headers.get(POLICY_HEADER) else {
        return Ok(Policy::default());
    };
    let text = text.to_str().map_err(|_| refuse_policy("it is not plain text"))?;
    Policy::parse(text).map_err(|why| refuse_policy(&why))
}

fn refuse_policy(why: &str) -> Refusal {
    Refusal::new(Code::InvalidPolicy, format!("the header {POLICY_HEADER} cannot be read: {why}")).about(POLICY_HEADER)
}

/// What of a call the choice of a replica depends on.
#[derive(Clone, Copy, Debug)]
pub struct Calling<'a> {
    pub prompt: &'a Blocks,
    pub prompt_tokens: u64,
}

/// Chooses a replica and takes a seat, waiting in a queue if all are taken. The header says how, if that is wanted: also
/// why none was chosen.
pub async fn route(exchange: &Exchange, admission: &Admission) -> (Result<Routing, Refusal>, Option<HeaderValue>) {
    let (gateway, model) = (&exchange.gateway, &admission.model);
    let calling = Calling { prompt: &admission.prompt, prompt_tokens: admission.prompt_tokens };
    let judging = Judging { key: &exchange.key, request: &exchange.policy, now_ms: read_wall_ms() };
    let now_ns = gateway.now_ns();
    let candidates: Vec<Candidate> =
        model.replicas.iter().map(|replica| judging.judge(replica, (calling.prompt, now_ns))).collect();
    let shape = CallShape { prompt_tokens: calling.prompt_tokens, turn: gateway.turn.fetch_add(1, Ordering::Relaxed) };
    let ranked = rank(&candidates, shape, &Tuning::DEFAULT);
    let explanation = exchange.is_explained.then(|| explain_choice(model, (&candidates, shape), &ranked)).flatten();
    if ranked.is_empty() {
        return (Err(judging.refuse_all(model).unwrap_or_else(|| refuse_model_down(model))), explanation);
    }
    (take_seat(gateway, (model, calling), ranked).await, explanation)
}

/// All policies in force on one call.
struct Judging<'a> {
    key: &'a Key,
    request: &'a Policy,
    now_ms: u64,
}

/// Why a replica may not serve a call: whose policy, the clause, and whether it is only that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Objection<'a> {
    layer: &'static str,
    clause: &'a str,
    is_unknown: bool,
}

impl<'a> Judging<'a> {
    fn judge(&self, replica: &Replica, (prompt, now_ns): (&Blocks, u64)) -> Candidate {
        let policy = match self.find_objection(replica) {
            None => PolicyVerdict::Holds,
            Some(Objection { is_unknown: true, .. }) => PolicyVerdict::Unknown,
            Some(_) => PolicyVerdict::Fails,
        };
        Candidate { policy, ..replica.as_candidate(prompt, now_ns) }
    }

    fn find_objection(&self, replica: &Replica) -> Option<Objection<'a>> {
        let layers = LAYERS.into_iter().zip(self.key.policies.iter().map(AsRef::as_ref));
        layers.chain([("request", self.request)]).find_map(|(layer, policy)| {
            match policy.judge(&replica.facts, self.now_ms) {
                Judgement::Holds => None,
                Judgement::Fails(clause) => Some(Objection { layer, clause: clause.text(), is_unknown: false }),
                Judgement::Unknown(clause) => Some(Objection { layer, clause: clause.text(), is_unknown: true }),
            }
        })
    }

    /// The refusal if policy alone leaves nobody; it says which clause rules out how many.
    fn refuse_all(&self, model: &Model) -> Option<Refusal> {
        let objections: Option<Vec<_>> = model.replicas.iter().map(|replica| self.find_objection(replica)).collect();
        let mut counted: Vec<(Objection<'_>, usize)> = Vec::new();
        for objection in objections? {
            match counted.iter_mut().find(|(known, _)| *known == objection) {
                Some((_, count)) => *count += 1,
                None => counted.push((objection, 1)),
            }
        }
        let reasons: Vec<String> = counted.iter().take(OBJECTIONS_SHOWN_MAX).map(describe_objection).collect();
        let text = format!("no replica of the model '{}' may serve this call: {}", model.name, reasons.join("; "));
        Some(Refusal::new(Code::PolicyUnsatisfied, text)).filter(|_| !reasons.is_empty())
    }
}

fn describe_objection((objection, count): &(Objection<'_>, usize)) -> String {
    let Objection { layer, clause, is_unknown } = objection;
    let verdict = if *is_unknown { "is not known to hold for" } else { "rules out" };
    format!("'{clause}' (policy of the {layer}) {verdict} {count}")
}

/// How each replica stood, the best first, as JSON, cut to what a header should hold.
fn explain_choice(
    model: &Model,
    (candidates, shape): (&[Candidate], CallShape),
    ranked: &[usize],
) -> Option<HeaderValue> {
    #[derive(Serialize)]
    struct Line<'a> {
        replica: &'a str,
        standing: Standing,
    }
    let standings = explain(candidates, shape, &Tuning::DEFAULT);
    let others = (0..candidates.len()).filter(|position| !ranked.contains(position));
    let lines: Vec<Line<'_>> = ranked
        .iter()
        .copied()
        .chain(others)
        .take(CANDIDATES_EXPLAINED_MAX)
        .map(|position| Line { replica: &model.replicas[position].id, standing: standings[position] })
        .collect();
    HeaderValue::from_str(&serde_json::to_string(&lines).ok()?).ok()
}

/// Takes a seat at the next candidate after one failed.
pub async fn route_again(
    gateway: &Gateway,
    (model, calling): (&Model, Calling<'_>),
    others: Vec<usize>,
) -> Result<Routing, Refusal> {
    if others.is_empty() {
        return Err(refuse_model_down(model));
    }
    take_seat(gateway, (model, calling), others).await
}

pub fn refuse_model_down(model: &Model) -> Refusal {
    Refusal::new(
        Code::NoHealthyReplica,
        format!("no replica of the model '{}' can take calls at the moment", model.name),
    )
}

/// Takes a seat at the best of `ranked` that has one free, else waits for one; the others stay for another attempt.
async fn take_seat(
    gateway: &Gateway,
    (model, calling): (&Model, Calling<'_>),
    mut ranked: Vec<usize>,
) -> Result<Routing, Refusal> {
    let (position, seat) = find_seat(gateway, model, &ranked).await?;
    ranked.remove(position);
    let station = &seat.replica.station;
    let warm_tokens = estimate_block_tokens(station.affinity.count_warm(calling.prompt.as_slice()));
    station.affinity.note(calling.prompt.as_slice());
    let dispatched = station.backlog.dispatch(calling.prompt_tokens.saturating_sub(warm_tokens));
    Ok(Routing { dispatched, seat, others: ranked })
}

/// Returns a position in `ranked` and the seat there: a free one if there is any, else one waited for.
async fn find_seat(gateway: &Gateway, model: &Model, ranked: &[usize]) -> Result<(usize, Seat), Refusal> {
    let replicas = || ranked.iter().map(|position| &model.replicas[*position]).enumerate();
    for (position, replica) in replicas() {
        if let Some(seat) = replica.try_seat() {
            return Ok((position, seat));
        }
    }
    let queue_max = gateway.limits().queue_requests_max;
    for (position, replica) in replicas() {
        match replica.wait_for_seat(queue_max, gateway.first_byte_timeout()).await {
            Ok(seat) => return Ok((position, seat)),
            Err(NoSeat::QueueFull) => {}
            Err(NoSeat::QueueTimeout) => {
                return Err(Refusal::new(Code::QueueTimeout, "the model's replicas stayed busy for too long"));
            }
        }
    }
    Err(Refusal::new(Code::QueueFull, "the model's replicas are busy and their queues are full"))
}
