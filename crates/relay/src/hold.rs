//! What an admitted call holds until it ends: its part of the limits, its credit, its place in the spool.
//! Settled with what the call came to, or dropped before anything was forwarded: then all of it is free again.

use std::sync::Arc;

use keisan_route::{CallBounds, Code, Refusal};

use crate::gateway::Gateway;
use crate::limiter::{CallLimits, LimitHold, SHARE_WHOLE, count_demand};
use crate::purse::Reservation;
use crate::snapshot::{Key, Model};
use crate::spool::{Room, SpoolFault};

/// Taken in this order, and whatever fails gives back what was taken before it.
#[derive(Debug)]
pub struct Hold {
    limits: LimitHold,
    /// None where nothing bounds what a call may cost: its organization pays afterwards, and nobody has a budget.
    reservation: Option<Reservation>,
    pub room: Room,
}

impl Hold {
    pub async fn take(gateway: &Gateway, key: &Key, (model, bounds): (&Model, &CallBounds)) -> Result<Self, Refusal> {
        let limits = take_limits(gateway, &key.limits, bounds).await?;
        let reservation = match &key.purses {
            None => None,
            Some(purses) => {
                let nano = bounds.compute_nano(&model.price).map_err(|_| refuse_unpriced(model))?;
                let purse = purses.iter().find(|purse| purse.currency == model.currency);
                let purse = purse.ok_or_else(|| refuse_unpriced(model))?;
                Some(purse.reserve(nano, gateway.credit_wait()).await?)
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

/// Takes what a call needs of its limits. Where this gateway has no share yet it waits for the platform's word, as for
/// credit.
async fn take_limits(gateway: &Gateway, limits: &Arc<CallLimits>, bounds: &CallBounds) -> Result<LimitHold, Refusal> {
    count_demand(limits, bounds);
    let take = || LimitHold::take(Arc::clone(limits), bounds, gateway.moment());
    let taken = match take() {
        // In a box: a call that need not wait does not carry what waiting takes.
        Err(reached) if reached.is_unanswered => {
            Box::pin(gateway.credit.shares.wait(gateway.credit_wait(), take, |reached| reached.is_unanswered)).await
        }
        taken => taken,
    };
    taken.map_err(|reached| {
        gateway.metrics.count_limit(reached.owner, reached.kind);
        // Another gateway may hold a share that is not used there.
        if gateway.moment().default_share_ppm < SHARE_WHOLE {
            gateway.credit.bell.ring();
        }
        reached.refusal
    })
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
