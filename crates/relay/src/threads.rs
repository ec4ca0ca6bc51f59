//! The threads that a host serves on. One thread polls everything itself, without the queues that several share; they end
//! when they are told to.

use std::future::Future;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// How long tasks get to notice that the runtime ends.
const STOP_TIME: Duration = Duration::from_secs(2);

/// A runtime, and what drives it.
#[derive(Debug)]
pub struct Threads {
    handle: Handle,
    driven: Driven,
}

#[derive(Debug)]
enum Driven {
    ByOne { thread: JoinHandle<()>, end: oneshot::Sender<()> },
    ByItself(Runtime),
}

/// Builds a runtime for `count` threads; one thread's stands still until it is driven.
pub fn build_runtime(count: usize, name: &str) -> io::Result<Runtime> {
    let mut builder = if count == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.worker_threads(count).thread_name(name).enable_all().build()
}

impl Threads {
    pub fn drive(runtime: Runtime, name: &str) -> io::Result<Self> {
        let handle = runtime.handle().clone();
        let is_one = handle.runtime_flavor() == RuntimeFlavor::CurrentThread;
        let driven = if is_one { drive_by_one(runtime, name)? } else { Driven::ByItself(runtime) };
        Ok(Self { handle, driven })
    }

    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.handle.spawn(task).abort_handle()
    }

    /// Ends all threads.
    pub fn stop(self) {
        match self.driven {
            Driven::ByItself(runtime) => runtime.shutdown_timeout(STOP_TIME),
            Driven::ByOne { thread, end } => {
                drop(end);
                // A thread that panicked has ended too.
                let _ = thread.join();
            }
        }
    }
}

fn drive_by_one(runtime: Runtime, name: &str) -> io::Result<Driven> {
    let (end, ended) = oneshot::channel::<()>();
    let drive = move || {
        // Whether it was told or its owner is gone, it is the end.
        let _ = runtime.block_on(ended);
        runtime.shutdown_timeout(STOP_TIME);
    };
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(drive)?;
    Ok(Driven::ByOne { thread, end })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Tells when it is dropped.
    struct Told(mpsc::Sender<Option<String>>);

    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send(None);
        }
    }

    async fn stay(told: Told) {
        let _ = told.0.send(std::thread::current().name().map(str::to_owned));
        std::future::pending::<()>().await;
    }

    #[test]
    fn tasks_run_on_named_threads_and_end_with_them() {
        for count in [1, 3] {
            let runtime = build_runtime(count, "a-thread").unwrap();
            let (sender, heard) = mpsc::channel();
            let hear = || heard.recv_timeout(Duration::from_secs(9)).expect("a task that lives and dies");
            runtime.spawn(stay(Told(sender.clone())));
            let threads = Threads::drive(runtime, "a-thread").unwrap();
            assert_eq!(hear().as_deref(), Some("a-thread"), "{count} threads, spawned before");
            threads.spawn(stay(Told(sender)));
            assert_eq!(hear().as_deref(), Some("a-thread"), "{count} threads, spawned after");
            threads.stop();
            assert_eq!([hear(), hear()], [None, None], "{count} threads");
        }
    }
}
