//! From a desired state to what goes out: coalesced, checked, and held where too much would vanish.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::istiod::publish::{HoldPolicy, validate};
use crate::publish::{Hold, MeshRecords, ServiceEntry};

/// Changes come in bursts: a burst has ended when nothing came for this long.
const QUIET: Duration = Duration::from_millis(100);
/// The longest burst.
const BURST: Duration = Duration::from_secs(1);
/// How often a held removal is looked at again.
const RECHECK: Duration = Duration::from_millis(500);

/// What goes out.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    pub(super) records: MeshRecords,
    pub(super) quarantined: BTreeMap<String, String>,
    pub(super) held: usize,
}

#[derive(Debug)]
pub(super) struct Intake {
    desired: watch::Receiver<Option<Arc<MeshRecords>>>,
    hold: Hold<ServiceEntry>,
    began: Instant,
    held: bool,
}

impl Intake {
    pub(super) fn new(desired: watch::Receiver<Option<Arc<MeshRecords>>>, policy: HoldPolicy) -> Self {
        Self {
            desired,
            hold: Hold::new(policy.percent, policy.time),
            began: Instant::now(),
            held: false,
        }
    }

    /// The first desired state; `None` when there will be none.
    pub(super) async fn first(&mut self) -> Option<()> {
        self.desired.wait_for(Option::is_some).await.ok().map(|_| ())
    }

    /// What is out already, found at a start: removing it in bulk is held too.
    pub(super) fn found(&mut self, services: &BTreeMap<String, ServiceEntry>) {
        let now = self.now();
        self.hold.admit(services, now);
    }

    /// What goes out now. A source that has synced never becomes unknown again: `None` after that keeps what was.
    pub(super) fn admit(&mut self) -> Option<Admitted> {
        let desired = self.desired.borrow_and_update().clone()?;
        let (good, quarantined) = validate::split(&desired);
        let now = self.now();
        let services = self.hold.admit(&good.services, now).clone();
        let held = self.hold.held();
        self.held = held > 0;
        Some(Admitted {
            records: MeshRecords {
                services,
                workloads: good.workloads,
            },
            quarantined,
            held,
        })
    }

    /// Waits until it is worth looking again; `None` when nobody will desire anything any more.
    pub(super) async fn changed(&mut self) -> Option<()> {
        if self.held {
            tokio::select! {
                changed = self.desired.changed() => changed.ok()?,
                () = tokio::time::sleep(RECHECK) => return Some(()),
            }
        } else {
            self.desired.changed().await.ok()?;
        }
        let end = Instant::now() + BURST;
        loop {
            let quiet = (Instant::now() + QUIET).min(end);
            match tokio::time::timeout_at(quiet, self.desired.changed()).await {
                Ok(Ok(())) if Instant::now() < end => {}
                Ok(Err(_)) | Err(_) | Ok(Ok(())) => return Some(()),
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
