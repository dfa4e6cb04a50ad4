//! Spawning, draining and aborting: the one place where tasks are made.
//!
//! ```text
//! serve ── drain() ──► finish what is in flight ── abort() ──► gone
//!                                └── all done ──► gone
//! ```

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A tracker of tasks, a drain token and an abort token. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    drain: CancellationToken,
    abort: CancellationToken,
}

impl Tasks {
    /// Tasks without any.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a future on the current runtime until it ends or `abort` is called.
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the place that the ban points to"
    )]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let abort = self.abort.clone();
        tokio::spawn(
            self.tracker
                .track_future(async move { abort.run_until_cancelled_owned(future).await }),
        )
    }

    /// Runs a future that stays on this thread, until it ends or `abort` is called.
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let abort = self.abort.clone();
        tokio::task::spawn_local(
            self.tracker
                .track_future(async move { abort.run_until_cancelled_owned(future).await }),
        )
    }

    /// Runs a future that stays on this thread and that nobody waits for: it ends by itself, or with its runtime.
    pub fn attach_local<F>(&self, future: F)
    where
        F: Future<Output = ()> + 'static,
    {
        let abort = self.abort.clone();
        tokio::task::spawn_local(async move { abort.run_until_cancelled_owned(future).await });
    }

    /// Asks everybody to take nothing new and to finish.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Ends everything at its next await.
    pub fn abort(&self) {
        self.drain.cancel();
        self.abort.cancel();
    }

    /// Whether `drain` was called.
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// The token that `drain` cancels.
    pub fn draining(&self) -> &CancellationToken {
        &self.drain
    }

    /// The token that `abort` cancels.
    pub fn aborting(&self) -> &CancellationToken {
        &self.abort
    }

    /// Tasks that still run.
    pub fn count(&self) -> usize {
        self.tracker.len()
    }

    /// Waits until all tasks have ended. Call `drain` or `abort` first; tasks may still be added while it waits.
    pub async fn finished(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn drains_by_asking_and_aborts_by_force() {
        let tasks = Tasks::new();
        let draining = tasks.draining().clone();
        let polite = tasks.spawn(async move { draining.cancelled().await });
        let stubborn = tasks.spawn(std::future::pending::<()>());
        tasks.drain();
        assert_eq!(polite.await.unwrap(), Some(()));
        assert_eq!(tasks.count(), 1);
        tasks.abort();
        tasks.finished().await;
        assert_eq!(stubborn.await.unwrap(), None);
    }
}
