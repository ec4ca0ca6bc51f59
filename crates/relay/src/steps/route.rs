//! Step 4: which replica serves the call, and a seat there; a full replica keeps a small queue, here in the gateway.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use keisan_route::{Candidate, Code, Refusal, rank_candidates};

use crate::exchange::Routing;
use crate::gateway::Gateway;
use crate::replica::{NoSeat, Replica, Seat};
use crate::snapshot::Model;

/// Chooses a replica and takes a seat, waiting in a queue if all are taken.
pub async fn route(gateway: &Gateway, model: &Model) -> Result<Routing, Refusal> {
    let candidates: Vec<Candidate> = model.replicas.iter().map(|replica| replica.as_candidate()).collect();
    let mut ranked = rank_candidates(&candidates, gateway.turn.fetch_add(1, Ordering::Relaxed));
    if ranked.is_empty() {
        return Err(refuse_model_down(model));
    }
    let (position, seat) = take_seat(gateway, model, &ranked).await?;
    ranked.remove(position);
    Ok(Routing { seat, others: ranked })
}

/// Takes a seat at the next candidate after one failed.
pub async fn route_again(gateway: &Gateway, model: &Model, others: Vec<usize>) -> Result<Routing, Refusal> {
    if others.is_empty() {
        return Err(refuse_model_down(model));
    }
    let (position, seat) = take_seat(gateway, model, &others).await?;
    let mut others = others;
    others.remove(position);
    Ok(Routing { seat, others })
}

pub fn refuse_model_down(model: &Model) -> Refusal {
    Refusal::new(
        Code::NoHealthyReplica,
        format!("no replica of the model '{}' can take calls at the moment", model.name),
    )
}

/// Returns a position in `ranked` and the seat there: a free one if there is any, else one waited for.
async fn take_seat(gateway: &Gateway, model: &Model, ranked: &[usize]) -> Result<(usize, Seat), Refusal> {
    let replicas: Vec<&Arc<Replica>> = ranked.iter().map(|position| &model.replicas[*position]).collect();
    for (position, replica) in replicas.iter().enumerate() {
        if let Some(seat) = replica.try_seat() {
            return Ok((position, seat));
        }
    }
    let queue_max = gateway.limits().queue_requests_max;
    for (position, replica) in replicas.iter().enumerate() {
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
