//! The thread that makes records durable: many writes, one fdatasync, each record within 5 ms.

use std::fs::File;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use super::writer::{Inner, Spool};

/// Writes that come within this time share a sync; with the sync itself (0.1 to 1 ms) that stays below 5 ms.
const GROUP_TIME: Duration = Duration::from_millis(3);
/// How long until a failed sync is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How often an idle thread looks whether its spool is gone.
const IDLE_TIME: Duration = Duration::from_millis(500);

/// What one round makes durable.
struct Round {
    files: Vec<Arc<File>>,
    position: (u64, u64),
    written_records: u64,
}

pub fn run_sync(spool: &Weak<Spool>) {
    while let Some(spool) = spool.upgrade() {
        let (is_wanted, is_closing) = wait_for_work(&spool);
        if is_wanted {
            if !is_closing {
                std::thread::sleep(GROUP_TIME);
            }
            let is_synced = sync_round(&spool);
            if !is_synced && is_closing {
                return;
            }
            if !is_synced {
                std::thread::sleep(RETRY_PAUSE);
            }
        } else if is_closing {
            return;
        }
    }
}

fn wait_for_work(spool: &Spool) -> (bool, bool) {
    let inner = spool.lock();
    let is_idle = |inner: &mut Inner| !inner.is_sync_wanted && !inner.is_closing;
    let (inner, _) = spool.wake.wait_timeout_while(inner, IDLE_TIME, is_idle).unwrap_or_else(PoisonError::into_inner);
    (inner.is_sync_wanted, inner.is_closing)
}

/// Returns whether all is on disk.
fn sync_round(spool: &Spool) -> bool {
    let round = begin_round(spool);
    let is_synced = round.files.iter().all(|file| file.sync_data().is_ok());
    let mut inner = spool.lock();
    if is_synced {
        inner.synced = inner.synced.max(round.position);
        spool.synced_records.store(round.written_records, Ordering::Relaxed);
    } else {
        // What the system holds of a failed sync is unknown; the records stay unread until a later sync passes them.
        inner.unsynced.extend(round.files);
        inner.is_sync_wanted = true;
        inner.fail();
    }
    is_synced
}

fn begin_round(spool: &Spool) -> Round {
    let mut inner = spool.lock();
    inner.is_sync_wanted = false;
    let mut files = std::mem::take(&mut inner.unsynced);
    files.push(Arc::clone(&inner.active.file));
    Round {
        files,
        position: (inner.active.number, inner.active.written),
        written_records: spool.written_records.load(Ordering::Relaxed),
    }
}
