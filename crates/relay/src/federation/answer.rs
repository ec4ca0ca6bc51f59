//! What another platform's gateway is answered. What it may ask follows from its certificate and this platform's snapshot;
//! what the call says of itself must fit that. Nothing here makes up for a missing fact.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Request, Response};
use keisan_route::{Code, ForwardedCall, Forwarding, Here, Peer, Refusal, Side, Verdict, Way, decide_forward};

use crate::arriving_body::ArrivingBody;
use crate::body::RelayBody;
use crate::client_body::ClientBody;
use crate::clock::read_wall_ms;
use crate::error::answer_refusal;
use crate::exchange::Exchange;
use crate::federation::pass::{PeerBody, pass_call};
use crate::federation::{CALL_CODE, CallBlock, ECHO_PATH};
use crate::gateway::Gateway;
use crate::quiet::Quiet;
use crate::server::{Told, answer_call};
use crate::snapshot::{GuestTicket, Snapshot};
use crate::steps::accept::{Endpoint, find_endpoint};
use crate::trace::TraceContext;

/// Answers one request of a platform.
pub async fn answer_peer(
    gateway: Arc<Gateway>,
    peer_id: Arc<str>,
    quiet: Arc<Quiet>,
    request: Request<Incoming>,
) -> Response<ClientBody<PeerBody>> {
    let busy = quiet.enter();
    let idle_max = Duration::from_secs(gateway.limits().client_idle_timeout_s);
    let response = match decide(&gateway, &peer_id, &request) {
        Ok(Decided::Echo) => Response::new(PeerBody::Own(RelayBody::full(""))),
        Ok(Decided::Serve(snapshot, block)) => match open_exchange(&gateway, (&snapshot, &block), &request) {
            Ok(exchange) => serve(exchange, &block, request).await.map(PeerBody::Own),
            Err(refusal) => refuse(&gateway, &refusal),
        },
        Ok(Decided::Pass(block, neighbour_id)) => {
            let passed = pass_call(&gateway, (block, &neighbour_id), request).await;
            passed.unwrap_or_else(|refusal| refuse(&gateway, &refusal))
        }
        Err(refusal) => refuse(&gateway, &refusal),
    };
    response.map(|body| ClientBody::pumped(body, busy, idle_max))
}

enum Decided {
    Echo,
    Serve(Arc<Snapshot>, CallBlock),
    Pass(CallBlock, String),
}

fn decide(gateway: &Gateway, peer_id: &str, request: &Request<Incoming>) -> Result<Decided, Refusal> {
    let Some(snapshot) = gateway.snapshot().filter(|_| !gateway.is_draining()) else {
        return Err(Refusal::new(Code::NotReady, "this gateway takes no calls at the moment"));
    };
    let block = CallBlock::read(request.headers())?;
    let call = ForwardedCall { home_id: &block.home, audience_id: &block.audience, hops_left: block.hops_left };
    let own_id = gateway.options.platform_id.as_str();
    let peer = Peer { platform_id: peer_id, side: snapshot.neighbours.find_side(peer_id) };
    let find_way = |platform_id: &str| find_way(gateway, &snapshot, platform_id);
    let (way_home, way_on) = (find_way(&block.home), find_way(&block.audience));
    let here = Here { platform_id: own_id, way_home: as_way(way_home.as_ref()), way_on: as_way(way_on.as_ref()) };
    let forwarding = decide_forward(call, peer, &here)?;
    Ok(match forwarding {
        Forwarding::Pass(neighbour_id) => {
            let neighbour_id = neighbour_id.to_owned();
            Decided::Pass(block, neighbour_id)
        }
        Forwarding::Serve if request.uri().path() == ECHO_PATH => Decided::Echo,
        Forwarding::Serve => Decided::Serve(snapshot, block),
    })
}

type FoundWay = (String, Side, Verdict);

fn as_way(way: Option<&FoundWay>) -> Option<Way<'_>> {
    way.map(|(neighbour_id, side, verdict)| Way { neighbour_id, side: *side, verdict: *verdict })
}

/// The way along the tree. It is open if the platform is well as far as is known, and its neighbour is connected now.
fn find_way(gateway: &Gateway, snapshot: &Snapshot, platform_id: &str) -> Option<FoundWay> {
    let (neighbour_id, side, verdict) = snapshot.neighbours.find_way(platform_id)?;
    let is_up = gateway.federation.links.find(&neighbour_id).is_up();
    let verdict = if verdict == Verdict::Ok && !is_up { Verdict::Unknown } else { verdict };
    Some((neighbour_id, side, verdict))
}

/// Makes of a call that is to be served here what a customer's own request comes to: the ticket stands for the key.
fn open_exchange(
    gateway: &Arc<Gateway>,
    (snapshot, block): (&Arc<Snapshot>, &CallBlock),
    request: &Request<Incoming>,
) -> Result<Box<Exchange>, Refusal> {
    let Endpoint::Call(surface) = find_endpoint(request)? else {
        return Err(Refusal::new(Code::NotFound, "there is nothing at this path for another platform"));
    };
    let request_id = block.record_id()?;
    let ticket = find_ticket(gateway, snapshot, block)?;
    if !gateway.federation.repeats.note(request_id.to_bits()) {
        return Err(Refusal::new(Code::CallRepeated, "a call with this record id was served before"));
    }
    let trace = TraceContext::read(&gateway.tracer, request.headers(), request_id);
    Ok(Box::new(Exchange {
        gateway: Arc::clone(gateway),
        request_id,
        arrived: Instant::now(),
        // The home gateway's: both ends' records are of one day and one period.
        arrived_at_ms: request_id.admitted_at_ms(),
        surface,
        snapshot: Arc::clone(snapshot),
        key: Arc::clone(&ticket.key),
        policy: block.policy(),
        trace,
        is_explained: false,
        guest: Some(ticket),
    }))
}

fn find_ticket(gateway: &Gateway, snapshot: &Snapshot, block: &CallBlock) -> Result<Arc<GuestTicket>, Refusal> {
    let Some(ticket) = snapshot.neighbours.tickets.get(&block.ticket_id) else {
        return Err(Refusal::new(Code::TicketUnknown, "the call's ticket is not known here"));
    };
    if ticket.audience_id != gateway.options.platform_id || ticket.home_id != block.home {
        return Err(Refusal::new(
            Code::TicketMisplaced,
            "the call's ticket was given to another platform, or by another",
        ));
    }
    if ticket.is_over(read_wall_ms()) {
        return Err(Refusal::new(Code::TicketExpired, "the call's ticket is over"));
    }
    Ok(Arc::clone(ticket))
}

async fn serve(exchange: Box<Exchange>, block: &CallBlock, request: Request<Incoming>) -> Response<RelayBody> {
    let deadline = Duration::from_millis(block.deadline_ms);
    let (gateway, id) = (Arc::clone(&exchange.gateway), exchange.request_id.to_bits());
    let body = ArrivingBody::Incoming(request.into_body());
    let answered = tokio::time::timeout(deadline, answer_call(exchange, body)).await;
    let mut response = answered.unwrap_or_else(|_| {
        answer_refusal(&Refusal::new(Code::EngineTimeout, "the answer did not begin within the call's deadline"))
    });
    if let Some(Told(code)) = response.extensions().get().copied() {
        response.headers_mut().insert(CALL_CODE, HeaderValue::from_static(code.name()));
        if code.is_before_serving() {
            gateway.federation.repeats.forget(id);
        }
    }
    response
}

fn refuse(gateway: &Gateway, refusal: &Refusal) -> Response<PeerBody> {
    gateway.metrics.count_refusal(refusal.code);
    let mut response = answer_refusal(refusal);
    response.headers_mut().insert(CALL_CODE, HeaderValue::from_static(refusal.code.name()));
    response.map(PeerBody::Own)
}
