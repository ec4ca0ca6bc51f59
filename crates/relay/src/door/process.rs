//! One door in one process: opened, started, drained, stopped. What the Python shell holds.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::door::host::DoorHost;
use crate::door::options::DoorOptions;
use crate::process::RelayFault;
use crate::serving::{Serving, wait_for_end};

/// A door that may be running.
#[derive(Debug)]
pub struct Door {
    host: Arc<DoorHost>,
    serving: Mutex<Option<Serving>>,
}

impl Door {
    /// Starts nothing. The access file may come later; until then nobody is let in.
    pub fn open(options: DoorOptions) -> Self {
        Self { host: Arc::new(DoorHost::new(options)), serving: Mutex::new(None) }
    }

    fn serving(&self) -> MutexGuard<'_, Option<Serving>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Binds and serves on threads of its own. Port 0 takes a free one.
    pub fn start(&self) -> Result<SocketAddr, RelayFault> {
        let mut serving = self.serving();
        if let Some(serving) = &*serving {
            return Ok(serving.address);
        }
        let started = Serving::start(Arc::clone(&self.host), &self.host.options.listen, "keisan-door", || {})?;
        Ok(serving.insert(started).address)
    }

    /// Stops accepting, waits for open calls and for their connections to close. Returns whether all calls ended.
    pub fn drain(&self, timeout: Duration) -> bool {
        self.host.is_draining.store(true, Ordering::Relaxed);
        let draining = self.serving().as_ref().map(Serving::begin_draining);
        wait_for_end((&self.host.open_calls, &self.host.open_connections), draining.as_ref(), timeout)
    }

    /// Ends all threads. Open calls are abandoned; their gateways see them lost.
    pub fn stop(&self) {
        let serving = self.serving().take();
        if let Some(serving) = serving {
            serving.stop();
        }
    }

    /// Counters and states as JSON.
    pub fn stats(&self) -> String {
        self.host.format_stats()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop();
    }
}
