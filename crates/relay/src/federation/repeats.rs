//! Record ids of calls that were served for other platforms lately: none is served twice, whoever repeats it.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// As many calls as a gateway serves in some minutes, in 3 MiB. An older repeat is refused by the ledger: its record's id
/// is there already.
const IDS_MAX: usize = 1 << 16;

#[derive(Debug, Default)]
pub struct Repeats(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    ids: HashSet<u128>,
    order: VecDeque<u128>,
}

impl Repeats {
    /// Forgets an id whose call was refused before anything was done for it, so that it may come again.
    pub fn forget(&self, id: u128) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.ids.remove(&id) {
            seen.order.retain(|noted| *noted != id);
        }
    }

    /// Notes an id; tells whether it is new.
    pub fn note(&self, id: u128) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.ids.insert(id) {
            return false;
        }
        seen.order.push_back(id);
        if seen.order.len() > IDS_MAX
            && let Some(oldest) = seen.order.pop_front()
        {
            seen.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_and_memory_is_bounded() {
        let repeats = Repeats::default();
        assert!(repeats.note(7) && !repeats.note(7));
        repeats.forget(7);
        assert!(repeats.note(7) && !repeats.note(7));
        for id in 100..100 + IDS_MAX as u128 {
            assert!(repeats.note(id));
        }
        assert!(repeats.note(7), "it was so long ago");
        let seen = repeats.0.lock().unwrap();
        assert_eq!((seen.ids.len(), seen.order.len()), (IDS_MAX, IDS_MAX));
    }
}
