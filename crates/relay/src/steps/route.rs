//! Step 4: which replica serves the call, and a seat there; a full replica keeps a small queue, here in the gateway.
//! Only replicas that satisfy every policy in force are looked at: those of the organization, the project, the key, and
//! the request's own, which can only narrow.

use std::sync::atomic::Ordering;

use hyper::HeaderMap;
use hyper::header::HeaderValue;
use keisan_route::block::estimate_block_tokens;
use keisan_route::{
    Blocks, CallShape, Candidate, CandidateKind, Code, Exclusion, Judgement, Policy, PolicyVerdict, PriceSheet,
    Refusal, Standing, TokenClass, Tuning, explain, rank,
};
use serde::Serialize;

use crate::clock::read_wall_ms;
use crate::exchange::{Admission, Exchange, Routing};
use crate::gateway::Gateway;
use crate::replica::{NoSeat, Replica, Seat};
use crate::snapshot::{Key, LAYERS, Model};

/// Taken for the length of an answer where only prices are compared.
const OUTPUT_TOKENS_USUAL: u64 = 256;
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
    let payable = Payable { exchange, model, calling, now_ms: judging.now_ms };
    let judge = |replica| payable.price(replica, judging.judge(replica, (calling.prompt, now_ns)));
    let candidates: Vec<Candidate> = model.replicas.iter().map(|replica| judge(replica)).collect();
    let shape = CallShape { prompt_tokens: calling.prompt_tokens, turn: gateway.turn.fetch_add(1, Ordering::Relaxed) };
    let ranked = rank(&candidates, shape, &Tuning::DEFAULT);
    let explanation = exchange.is_explained.then(|| explain_choice(model, (&candidates, shape), &ranked)).flatten();
    if ranked.is_empty() {
        return (Err(judging.refuse_all(model).unwrap_or_else(|| refuse_unusable(model, &candidates))), explanation);
    }
    (take_seat(gateway, (model, calling), ranked).await, explanation)
}

/// What a call to another platform needs beside what one to a replica does.
struct Payable<'a> {
    exchange: &'a Exchange,
    model: &'a Model,
    calling: Calling<'a>,
    now_ms: u64,
}

impl Payable<'_> {
    /// Tells what the call would come to at another platform, and whether a ticket is at hand that pays for it.
    fn price(&self, replica: &Replica, candidate: Candidate) -> Candidate {
        let Some(offer) = &replica.row.offer else { return candidate };
        let ticket = self.exchange.find_spending(&offer.platform_id);
        let has_ticket = ticket.is_some_and(|ticket| !ticket.is_over(self.now_ms));
        // Prices in another currency cannot be compared: they come last.
        let is_comparable = offer.currency == self.model.currency;
        let price_nano = if is_comparable { estimate_nano(&offer.price, self.calling.prompt_tokens) } else { u64::MAX };
        Candidate { kind: CandidateKind::Platform { has_ticket }, price_nano, ..candidate }
    }
}

/// A number that orders prices of one call: what its prompt and an answer of usual length come to.
fn estimate_nano(price: &PriceSheet, prompt_tokens: u64) -> u64 {
    let of = |class, tokens: u64| price.choose_nano(class).unwrap_or(u64::MAX).saturating_mul(tokens);
    of(TokenClass::Input, prompt_tokens).saturating_add(of(TokenClass::Output, OUTPUT_TOKENS_USUAL))
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

/// Where only other platforms could serve, it is the way to them, or what they may be paid with, that is missing.
fn refuse_unusable(model: &Model, candidates: &[Candidate]) -> Refusal {
    let is_elsewhere = !candidates.is_empty() && candidates.iter().all(Candidate::is_elsewhere);
    if !is_elsewhere {
        return refuse_model_down(model);
    }
    let exclusions = || candidates.iter().filter_map(Candidate::find_exclusion);
    if exclusions().all(|exclusion| exclusion == Exclusion::NoTicket) {
        let text = format!("no platform that offers the model '{}' has a ticket for this organization", model.name);
        return Refusal::new(Code::TicketUnknown, text);
    }
    let text = format!("no platform that offers the model '{}' can be reached at the moment", model.name);
    Refusal::new(Code::PlatformUnreachable, text)
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
