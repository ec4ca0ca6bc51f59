//! What an admitted call holds until it ends: its part of the limits, its credit, its place in the spool.
//! Settled with what the call came to, or dropped before anything was forwarded: then all of it is free again.

use std::sync::Arc;
use std::time::Duration;

use keisan_route::{CallBounds, Code, Refusal};

use crate::gateway::Gateway;
use crate::limiter::LimitHold;
use crate::purse::Reservation;
use crate::snapshot::{Key, Model};
use crate::spool::{Room, SpoolFault};

/// Taken in this order, and whatever fails gives back what was taken before it.
#[derive(Debug)]
pub struct Hold {
    limits: LimitHold,
    /// None for an organization that pays afterwards.
    reservation: Option<Reservation>,
    pub room: Room,
}

impl Hold {
    pub async fn take(gateway: &Gateway, key: &Key, (model, bounds): (&Model, &CallBounds)) -> Result<Self, Refusal> {
        let limits = LimitHold::take(Arc::clone(&key.limits), bounds, gateway.moment()).map_err(|reached| {
            gateway.metrics.count_limit(reached.owner, reached.kind);
            // Another gateway may hold a share that is not used there.
            if gateway.credit.default_share_ppm() < crate::limiter::SHARE_WHOLE {
                gateway.credit.bell.ring();
            }
            reached.refusal
        })?;
        let reservation = match &key.purse {
            None => None,
            Some(purse) => {
                let nano = bounds.compute_nano(&model.price).map_err(|_| refuse_unpriced(model))?;
                Some(purse.reserve(nano, Duration::from_millis(gateway.limits().credit_wait_ms)).await?)
            }
        };
        let room = gateway.spool.reserve().map_err(|fault| refuse_room(&fault))?;
        Ok(Self { limits, reservation, room })
    }

    pub fn ticket_id(&self) -> Option<&str> {
        self.reservation.as_ref().map(Reservation::ticket_id)
    }

    /// Ends what is held with what the call came to. The first value tells whether its cost was within its reservation.
    pub fn settle(self, amount_nano: u128, tokens: u64) -> (bool, Room) {
        self.limits.settle(tokens);
        let is_within = self.reservation.is_none_or(|reservation| reservation.settle(amount_nano));
        (is_within, self.room)
    }
}

fn refuse_unpriced(model: &Model) -> Refusal {
    Refusal::new(Code::MeteringFailed, format!("the model '{}' has no price for what this call may use", model.name))
}

fn refuse_room(fault: &SpoolFault) -> Refusal {
    match fault {
        SpoolFault::Full => Refusal::new(Code::SpoolFull, "this gateway has no room for another usage record"),
        SpoolFault::Failed | SpoolFault::TooLarge => {
            Refusal::new(Code::SpoolFailed, "this gateway cannot write usage records at the moment")
        }
    }
}
