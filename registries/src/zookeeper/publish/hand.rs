//! Writes one node, fenced: the owner is read before anything that another wrote could be touched.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use codecs::provider_url::ProviderUrl;
use tokio::time::{Instant, sleep_until};
use tracing::info;
use zookeeper_client::Acls;

use super::super::session::Session;
use super::super::{Error, paths};
use super::Identity;

/// What writes one node; clones work side by side.
#[derive(Clone)]
pub(super) struct Hand {
    pub(super) session: Session,
    pub(super) acls: Acls<'static>,
    pub(super) identity: Arc<Identity>,
    /// Sessions of this process before this one.
    pub(super) earlier: Arc<[i64]>,
    pub(super) rate: Arc<Rate>,
}

/// What became of one create.
pub(super) enum Created {
    Ours,
    /// It was there by another session with our marks.
    TakenOver,
    Conflict(String),
}

impl Hand {
    /// Creates one node, unless somebody else has it.
    pub(super) async fn create(
        &self,
        path: &str,
        url: &ProviderUrl,
        may_take: bool,
    ) -> Result<Created, Error> {
        let mut taken = false;
        let Some((directory, _)) = paths::split(path) else {
            return Ok(Created::Conflict("not the path of a provider node".to_owned()));
        };
        if !self.identity.wrote(url) {
            return Ok(Created::Conflict(
                "does not carry the marks of this replica".to_owned(),
            ));
        }
        // The node may appear or vanish between two requests; an owner that keeps changing is left for the next look.
        for _ in 0..4 {
            self.rate.wait().await;
            match self.session.create_ephemeral(path, self.acls).await {
                Ok(()) if taken => return Ok(Created::TakenOver),
                Ok(()) => return Ok(Created::Ours),
                Err(error) if error.is(&zookeeper_client::Error::NoNode) => {
                    self.session.make_directory(directory, self.acls).await?;
                }
                Err(error) if error.is(&zookeeper_client::Error::NodeExists) => {
                    let Some(stat) = self.session.stat(path).await? else {
                        continue;
                    };
                    match stat.ephemeral_owner {
                        0 => return Ok(Created::Conflict("a persistent node".to_owned())),
                        owner if owner == self.session.id() => return Ok(Created::Ours),
                        // Its marks are ours: an earlier session of this process, or of the one before it.
                        owner if may_take && !taken => {
                            info!(
                                path,
                                owner,
                                known = self.earlier.contains(&owner),
                                "taking over a node of ours"
                            );
                            taken = true;
                            self.session.delete(path, stat.version).await?;
                        }
                        owner => {
                            let why = format!("another process with our marks, session {owner:#x}");
                            return Ok(Created::Conflict(why));
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Created::Conflict("it appears and vanishes".to_owned()))
    }

    /// Deletes a node, if this session still owns it.
    pub(super) async fn delete_own(&self, path: &str) -> Result<(), Error> {
        self.rate.wait().await;
        delete_if_own(&self.session, path).await
    }
}

/// Deletes a node, if the session owns it.
pub(super) async fn delete_if_own(session: &Session, path: &str) -> Result<(), Error> {
    if let Some(stat) = session.stat(path).await?
        && stat.ephemeral_owner == session.id()
    {
        session.delete(path, stat.version).await?;
    }
    Ok(())
}

/// At most so many turns a second, and as many at once after a pause.
pub(super) struct Rate {
    turn: Duration,
    burst: Duration,
    /// When the turns given so far will have been worked off.
    booked: Mutex<Instant>,
}

impl Rate {
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            turn: Duration::from_secs(1) / per_second.max(1),
            burst: Duration::from_secs(1),
            booked: Mutex::new(Instant::now()),
        }
    }

    async fn wait(&self) {
        sleep_until(self.book(Instant::now())).await;
    }

    /// When the turn asked for now comes.
    fn book(&self, now: Instant) -> Instant {
        let mut booked = self.booked.lock().unwrap_or_else(PoisonError::into_inner);
        *booked = (*booked).max(now) + self.turn;
        booked.checked_sub(self.burst).unwrap_or(now).max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_a_burst_and_then_turns() {
        let rate = Rate::new(10);
        let start = Instant::now();
        let turns: Vec<_> = (0..20)
            .map(|_| rate.book(start).duration_since(start).as_millis())
            .collect();
        assert_eq!(turns[..10], [0; 10]);
        assert_eq!(turns[10..13], [100, 200, 300]);
        // After a pause there is a burst again.
        let later = start + Duration::from_secs(60);
        assert_eq!(rate.book(later), later);
    }
}
