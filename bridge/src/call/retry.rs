//! Whether another attempt is made: only for what surely did not run, or by the mesh
//! route's policy.

use std::time::Duration;

use codecs::{Exception, Outcome};
use registries::route::RetryPolicy;

use crate::balance::Verdict;
use crate::error::{CallError, Kind, Limit};
use crate::status;
use crate::upstream::Answer;

/// Attempts beyond the first for what surely did not run, where there is another endpoint to try.
const FREE: u32 = 3;

/// What to do after an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Give the result to the caller.
    Give,
    /// Try once more.
    Again {
        /// After a rest.
        after: Duration,
    },
}

/// The attempts that a call has left.
pub(super) struct Plan<'a> {
    policy: Option<&'a RetryPolicy>,
    by_policy: u32,
    free: u32,
}

impl<'a> Plan<'a> {
    pub(super) fn new(policy: Option<&'a RetryPolicy>) -> Self {
        Self {
            policy,
            by_policy: 0,
            free: 0,
        }
    }

    pub(super) fn per_try_timeout(&self) -> Option<Duration> {
        self.policy?.per_try_timeout.filter(|timeout| !timeout.is_zero())
    }

    /// Whether an attempt was made because the route's policy allows it: the caller must not repeat the call then.
    pub(super) fn by_policy(&self) -> bool {
        self.by_policy > 0
    }

    /// `others`: the cluster has an endpoint that was not tried.
    pub(super) fn next(
        &mut self,
        result: &Result<Answer, CallError>,
        others: bool,
        rng: &mut fastrand::Rng,
    ) -> Next {
        if let Some(policy) = self.policy
            && self.by_policy < policy.attempts
            && allows(policy, result)
        {
            self.by_policy += 1;
            let most = policy.base_interval.saturating_mul(10);
            let upper = policy
                .base_interval
                .saturating_mul(1 << self.by_policy.min(16))
                .min(most);
            return Next::Again {
                after: upper.mul_f64(rng.f64()),
            };
        }
        // An ended connection that did not get the call (GOAWAY, idle close) may be dialled again at the same address.
        let same_again = matches!(
            result,
            Err(CallError {
                kind: Kind::Closed,
                ..
            })
        ) && self.free == 0;
        if self.free < FREE && did_not_run(result) && (others || same_again) {
            self.free += 1;
            return Next::Again {
                after: Duration::ZERO,
            };
        }
        Next::Give
    }
}

/// Whether the provider surely did not run the call, and another one might.
fn did_not_run(result: &Result<Answer, CallError>) -> bool {
    let Err(error) = result else { return false };
    match &error.kind {
        Kind::Connect | Kind::Closed | Kind::Overloaded(Limit::Endpoint) => !error.sent,
        Kind::Refused(refusal) => refusal.did_not_run(),
        _ => false,
    }
}

/// Whether the policy's conditions hold (Envoy's `retry_on`).
fn allows(policy: &RetryPolicy, result: &Result<Answer, CallError>) -> bool {
    let on = &policy.on;
    let has_code = |code: u32| code < 32 && on.codes & (1 << code) != 0;
    match result {
        Ok(answer) => match &answer.reply.outcome {
            Outcome::Exception(Exception::Status(status)) => {
                has_code(status.code)
                    || (on.gateway_error && matches!(status.code, 4 | 14))
                    || (on.server_error && Verdict::of_code(status.code) != Verdict::Success)
            }
            _ => false,
        },
        Err(error) => match &error.kind {
            Kind::Connect => on.connect_failure || on.server_error || on.gateway_error,
            Kind::Closed if !error.sent => {
                on.refused_stream || on.reset || on.server_error || on.connect_failure
            }
            Kind::Closed => on.reset || on.server_error || on.gateway_error,
            Kind::Timeout => on.server_error || on.gateway_error || has_code(status::code::DEADLINE_EXCEEDED),
            Kind::Refused(refusal) => has_code(status::of_refusal(refusal)),
            _ => false,
        },
    }
}

/// What an attempt says about its endpoint. An exception is a success.
pub(super) fn verdict(result: &Result<Answer, CallError>) -> Verdict {
    match result {
        Ok(answer) => match &answer.reply.outcome {
            Outcome::Exception(Exception::Status(status)) => Verdict::of_code(status.code),
            _ => Verdict::Success,
        },
        Err(error) => match &error.kind {
            Kind::Connect | Kind::Closed | Kind::Timeout => Verdict::Gateway,
            Kind::Refused(refusal) if refusal.status == 100 => Verdict::Gateway,
            Kind::Refused(_) | Kind::BadReply => Verdict::Failure,
            _ => Verdict::Success,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Refusal;
    use registries::route::RetryOn;

    fn refused(status: u8) -> Result<Answer, CallError> {
        let refusal = Refusal {
            status,
            text: String::new(),
        };
        Err(CallError::sent(Kind::Refused(refusal)))
    }

    #[test]
    fn without_a_policy_only_what_did_not_run_is_tried_elsewhere() {
        let rng = &mut fastrand::Rng::with_seed(1);
        let again = Next::Again {
            after: Duration::ZERO,
        };
        for (result, expected) in [
            (Err(CallError::unsent(Kind::Connect)), true),
            (Err(CallError::unsent(Kind::Closed)), true),
            (refused(100), true),
            (Err(CallError::sent(Kind::Closed)), false),
            (Err(CallError::sent(Kind::Timeout)), false),
            (Err(CallError::unsent(Kind::Timeout)), false),
            (Err(CallError::sent(Kind::BadReply)), false),
            (refused(80), false),
        ] {
            let next = Plan::new(None).next(&result, true, rng);
            assert_eq!(next == again, expected, "{:?}", result.err());
        }
        let mut plan = Plan::new(None);
        let attempts = (0..10)
            .take_while(|_| plan.next(&refused(100), true, rng) == again)
            .count();
        assert_eq!(attempts, 3);
        assert_eq!(
            Plan::new(None).next(&refused(100), false, rng),
            Next::Give,
            "nobody else"
        );
    }

    #[test]
    fn a_policy_repeats_what_was_sent_and_is_remembered() {
        let policy = RetryPolicy {
            on: RetryOn {
                codes: 1 << 13,
                reset: true,
                ..RetryOn::default()
            },
            attempts: 2,
            per_try_timeout: None,
            base_interval: Duration::from_millis(25),
            avoid_tried: 0,
        };
        let rng = &mut fastrand::Rng::with_seed(1);
        let mut plan = Plan::new(Some(&policy));
        assert!(!plan.by_policy());
        for _ in 0..2 {
            let next = plan.next(&refused(80), false, rng);
            assert!(
                matches!(next, Next::Again { after } if after < Duration::from_millis(100)),
                "{next:?}"
            );
        }
        assert_eq!(plan.next(&refused(80), true, rng), Next::Give);
        assert!(plan.by_policy());
    }
}
