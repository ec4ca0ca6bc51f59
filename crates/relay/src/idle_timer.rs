//! How long nothing came.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// Ends a wait that got no bytes for a time. The timer is moved only when it rings, not with every event.
#[derive(Debug)]
pub struct IdleTimer {
    idle_max: Duration,
    last: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl IdleTimer {
    pub fn new(idle_max: Duration) -> Self {
        Self { idle_max, last: Instant::now(), sleep: None }
    }

    pub fn touch(&mut self) {
        self.last = Instant::now();
    }

    pub fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let idle_max = self.idle_max;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle_max)));
        while sleep.as_mut().poll(context).is_ready() {
            let due = self.last + self.idle_max;
            if Instant::now() >= due {
                return true;
            }
            sleep.as_mut().reset(due.into());
        }
        false
    }
}
