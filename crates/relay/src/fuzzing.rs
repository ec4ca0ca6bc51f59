//! What fuzzing sees of the relay: the parsers of what other processes say. Compiled with the feature `fuzzing` only.

use std::sync::Arc;

pub use crate::arriving_body::ArrivingBody;
pub use crate::dialect::{Dialect, EventFate, RunningUsage, View, translate_answer, translate_error_line};
pub use crate::fast_path::{Taken, take_request};
pub use crate::http1::{AnswerHead, Framing, Misframed, NoHead, ParsedHead, parse_head};
pub use crate::member_text::MemberText;
pub use crate::members::{Member, edit_members, find_members};
pub use crate::record::find_member;
pub use crate::snapshot::{Key, Model, Snapshot};
pub use crate::sse::{EventKind, EventSplitter, EventTooLarge, read_event};
pub use crate::usage::{Usage, UsageSource, parse_usage};

use keisan_route::Facts;

use crate::currency::Currency;
use crate::limiter::Meter;
use crate::model_times::ModelTimes;
use crate::pool::Pool;
use crate::purse::Purse;
use crate::replica::{Replica, Station};
use crate::snapshot::{EngineProfile, LivingSource, ReplicaRow, parse_snapshot};

/// What outlasts snapshots, as a gateway makes it that has just started.
struct NewLife;

impl LivingSource for NewLife {
    fn find_replica(&mut self, id: &str, row: ReplicaRow, profile: EngineProfile, facts: Facts) -> Arc<Replica> {
        let station = Arc::new(Station::new(row.slots, Pool::default()));
        Arc::new(Replica::new(id, row, (facts, profile), station))
    }

    fn find_meter(&mut self, _limit_id: &str) -> Arc<Meter> {
        Arc::default()
    }

    fn find_purse(&mut self, _holder_id: &str, currency: Currency) -> Arc<Purse> {
        Arc::new(Purse::new(currency, Arc::default()))
    }

    fn find_times(&mut self, _model: &str) -> Arc<ModelTimes> {
        Arc::default()
    }
}

/// Reads a snapshot of a platform as its gateway does.
pub fn read_snapshot(bytes: &[u8], platform_id: &str) -> Result<Snapshot, String> {
    parse_snapshot(bytes, platform_id, &mut NewLife)
}
