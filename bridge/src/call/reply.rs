//! The reply in what the caller reads.

use codecs::hessian2::Limits;
use codecs::invocation::Text;
use codecs::plan::exception::{self, Builds};
use codecs::plan::{NULL_RESULT, ResultTarget};
use codecs::triple::headers::Caller;
use codecs::triple::status::{Code, Status};
use codecs::{Encoding, Exception, Outcome, Reply};

use super::Target;
use super::bound::Bound;
use crate::error::{CallError, Kind};
use crate::status;
use crate::upstream::Answer;
use crate::worker::Worker;

/// Converts an upstream's answer. `retried`: the call was repeated by the route's policy, so that its caller must not.
pub(super) fn convert(
    worker: &Worker,
    bound: &Bound,
    target: &Target,
    answer: Answer,
    retried: bool,
) -> Result<Answer, CallError> {
    // Streams only pass between peers of one encoding.
    if answer.rest.is_some() {
        return Ok(answer);
    }
    let Reply {
        outcome,
        mut attachments,
    } = answer.reply;
    let is_dubbo2 = matches!(target.encoding, Encoding::Hessian2 | Encoding::Opaque(_));
    // A wrapped caller that reads a Throwable as it is: by its own head, or because the binding says so.
    let throwables = target.encoding == Encoding::Wrapper
        && (target.throwables || bound.throwables && target.generation == Caller::Java);
    let scratch = &mut worker.scratch.borrow_mut();
    let method = bound.plan.method().map(|method| &**method);
    let outcome = match outcome {
        Outcome::Result(payload) if payload.encoding == Encoding::Hessian2 && is_dubbo2 => {
            Outcome::Result(payload)
        }
        Outcome::Result(payload) => {
            let wanted = ResultTarget {
                encoding: target.encoding,
                caller: target.generation,
                serialize_type: &target.serialize_type,
                null: payload.encoding == Encoding::Protobuf && attachments.contains(NULL_RESULT),
            };
            match bound.plan.result(&payload, &wanted, scratch, &Limits::DEFAULT) {
                Ok(result) => {
                    if result.null {
                        attachments.set(Text::from_static(NULL_RESULT), Text::from_static("1"));
                    }
                    Outcome::Result(result.payload)
                }
                Err(error) if method.is_some_and(|method| error.is_null_not_found(method)) => {
                    Outcome::Exception(Exception::Status(Status::new(Code::NotFound, "result is null")))
                }
                Err(error) => return Err(CallError::sent(Kind::BadReply).because(error)),
            }
        }
        Outcome::Exception(Exception::Throwable(throwable)) if !(is_dubbo2 || throwables) => {
            let status = exception::to_status(&throwable, method, scratch, &Limits::DEFAULT);
            Outcome::Exception(Exception::Status(status))
        }
        Outcome::Exception(Exception::Status(status)) if is_dubbo2 || throwables => {
            let declared =
                method.and_then(|method| exception::declared(&status, method, scratch, &Limits::DEFAULT));
            // Whatever its code: the provider ran the call, and says what the interface has it say.
            let is_final = retried || declared.is_some() || !status::may_repeat(status.code);
            Outcome::Exception(match declared {
                // A generic caller has none of the interface's classes.
                Some(throwable) if !bound.plan.is_generic() => Exception::Throwable(throwable),
                _ if is_dubbo2 && is_final => Exception::Throwable(exception::to_throwable(
                    &status,
                    None,
                    Builds::Unproven,
                    scratch,
                    &Limits::DEFAULT,
                )),
                _ => Exception::Status(status),
            })
        }
        outcome => outcome,
    };
    Ok(Answer::whole(Reply { outcome, attachments }))
}
