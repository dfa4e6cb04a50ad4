//! The one table: [`CallError`] to a Dubbo2 status or exception and to a gRPC code, and a gRPC status to Dubbo2.
//!
//! Rule: one layer retries. What surely was not sent may be repeated by the caller: 100 to Dubbo2,
//! UNAVAILABLE to Triple. What was sent, or may have been, is 31 or 80 to Dubbo2, where the caller's own `retries`
//! decides as with a native provider, and INTERNAL or DEADLINE_EXCEEDED to Triple, because a mesh repeats UNAVAILABLE by
//! default. What no repetition cures, and what the gateway has already repeated, is an exception inside status 20: the
//! only answer that a Dubbo2 consumer does not repeat.
//!
//! | kind | Dubbo2, not sent / sent | Triple, not sent / sent |
//! | --- | --- | --- |
//! | `BadRequest` | exception | INVALID_ARGUMENT |
//! | `UnknownService`, `Unsupported` | exception | UNIMPLEMENTED |
//! | `Loop` | exception | FAILED_PRECONDITION |
//! | `NoEndpoint`, `Overloaded`, `Draining` | 100 | UNAVAILABLE |
//! | `Connect`, `Closed` | 100 / 80 | UNAVAILABLE / INTERNAL |
//! | `Timeout` | 31 | DEADLINE_EXCEEDED |
//! | `Refused(n)` | n | by n, see [`of_refusal`] |
//! | `Aborted(code)` | as a provider's status | the code |
//! | `BadReply` | exception | INTERNAL |
//! | `Cancelled` | nothing is written; 80 | CANCELLED |
//! | `Internal` | exception | INTERNAL |

use codecs::triple::status::Status;

use crate::error::{CallError, Kind, Refusal};

/// The exception class of permanent errors: every Java consumer can build it.
pub const EXCEPTION_CLASS: &str = "java.lang.RuntimeException";

/// The longest text that goes to a caller, in bytes.
const TEXT: usize = 1024;

/// What a Dubbo2 consumer gets for an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dubbo2Answer {
    /// A response of this status; the consumer's `retries` may repeat the call.
    Status {
        /// Never 20.
        status: u8,
        /// The text of the body.
        text: String,
    },
    /// A response of status 20 with an exception of [`EXCEPTION_CLASS`]; it is not repeated.
    Exception {
        /// Its message.
        text: String,
    },
}

/// gRPC codes by name.
pub mod code {
    #![allow(missing_docs, reason = "the names are gRPC's own")]
    pub const OK: u32 = 0;
    pub const CANCELLED: u32 = 1;
    pub const UNKNOWN: u32 = 2;
    pub const INVALID_ARGUMENT: u32 = 3;
    pub const DEADLINE_EXCEEDED: u32 = 4;
    pub const RESOURCE_EXHAUSTED: u32 = 8;
    pub const FAILED_PRECONDITION: u32 = 9;
    pub const UNIMPLEMENTED: u32 = 12;
    pub const INTERNAL: u32 = 13;
    pub const UNAVAILABLE: u32 = 14;
}

/// What a Dubbo2 consumer gets for an error.
pub fn to_dubbo2(error: &CallError) -> Dubbo2Answer {
    let status = match &error.kind {
        Kind::BadRequest
        | Kind::UnknownService
        | Kind::Unsupported
        | Kind::Loop
        | Kind::BadReply
        | Kind::Internal => return exception(error.text()),
        Kind::NoEndpoint | Kind::Overloaded(_) | Kind::Draining => 100,
        Kind::Connect | Kind::Closed => {
            if error.sent {
                80
            } else {
                100
            }
        }
        Kind::Timeout => 31,
        Kind::Cancelled => 80,
        Kind::Refused(Refusal { status, text }) => {
            return if error.retried {
                exception(error.text())
            } else {
                Dubbo2Answer::Status {
                    status: *status,
                    text: text.clone(),
                }
            };
        }
        Kind::Aborted(code) => {
            return status_to_dubbo2(
                &Status {
                    code: *code,
                    message: error.text(),
                    details: bytes::Bytes::new(),
                },
                error.retried,
            );
        }
    };
    if error.retried && error.sent {
        return exception(error.text());
    }
    Dubbo2Answer::Status {
        status,
        text: cut(error.text(), TEXT),
    }
}

/// What a Triple or gRPC caller gets for an error. The code is always 1 to 16.
pub fn to_triple(error: &CallError) -> Status {
    let code = match &error.kind {
        Kind::BadRequest => code::INVALID_ARGUMENT,
        Kind::UnknownService | Kind::Unsupported => code::UNIMPLEMENTED,
        Kind::Loop => code::FAILED_PRECONDITION,
        Kind::NoEndpoint | Kind::Overloaded(_) | Kind::Draining => code::UNAVAILABLE,
        Kind::Connect | Kind::Closed => {
            if error.sent {
                code::INTERNAL
            } else {
                code::UNAVAILABLE
            }
        }
        Kind::Timeout => code::DEADLINE_EXCEEDED,
        Kind::Refused(refusal) => of_refusal(refusal),
        Kind::Aborted(code) => valid(*code),
        Kind::BadReply | Kind::Internal => code::INTERNAL,
        Kind::Cancelled => code::CANCELLED,
    };
    Status {
        code,
        message: cut(error.text(), TEXT),
        details: bytes::Bytes::new(),
    }
}

/// The gRPC code of a Dubbo2 status (Dubbo's `TriRpcStatus`, overridden where nothing ran).
pub fn of_refusal(refusal: &Refusal) -> u32 {
    match refusal.status {
        30 | 31 => code::DEADLINE_EXCEEDED,
        100 => code::UNAVAILABLE,
        _ if refusal.not_exported() => code::UNIMPLEMENTED,
        40 => code::INVALID_ARGUMENT,
        70 => code::UNKNOWN,
        _ => code::INTERNAL,
    }
}

/// What a Dubbo2 consumer gets for a gRPC status that the provider returned.
///
/// The provider ran the call, or says that it could not: only what says "try again" (14, 8) and a timeout (4) may be
/// repeated by the consumer; everything else is final. `retried`: the gateway repeated the call by a mesh route.
pub fn status_to_dubbo2(status: &Status, retried: bool) -> Dubbo2Answer {
    let text = text_of(status);
    let number = match status.code {
        code::DEADLINE_EXCEEDED => 31,
        code::RESOURCE_EXHAUSTED => 100,
        code::UNAVAILABLE => 80,
        _ => return exception(text),
    };
    if retried {
        return exception(text);
    }
    Dubbo2Answer::Status {
        status: number,
        text: cut(text, TEXT),
    }
}

/// Whether a gRPC status of a provider allows its caller another attempt.
pub fn may_repeat(code: u32) -> bool {
    matches!(
        code,
        code::DEADLINE_EXCEEDED | code::RESOURCE_EXHAUSTED | code::UNAVAILABLE
    )
}

/// A code that every gRPC client knows; others (dubbo-go's 17) are UNKNOWN.
pub fn valid(code: u32) -> u32 {
    if (1..=16).contains(&code) {
        code
    } else {
        code::UNKNOWN
    }
}

fn text_of(status: &Status) -> String {
    let name = NAMES
        .get(usize::try_from(status.code).unwrap_or(2))
        .unwrap_or(&"UNKNOWN");
    if status.message.is_empty() {
        (*name).to_owned()
    } else {
        format!("{name}: {}", status.message)
    }
}

const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

fn exception(text: String) -> Dubbo2Answer {
    Dubbo2Answer::Exception {
        text: cut(text, TEXT),
    }
}

/// The text, cut at a character's border to at most so many bytes.
pub fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most)
            .rev()
            .find(|&end| text.is_char_boundary(end))
            .unwrap_or(0);
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Limit;

    const EXCEPTION: u8 = 20;

    fn dubbo2(error: &CallError) -> u8 {
        number(to_dubbo2(error))
    }

    fn number(answer: Dubbo2Answer) -> u8 {
        match answer {
            Dubbo2Answer::Status { status, .. } => status,
            Dubbo2Answer::Exception { .. } => EXCEPTION,
        }
    }

    #[test]
    fn every_kind_unsent_and_sent() {
        // kind; Dubbo2 and gRPC when not sent; when sent; when sent and repeated by a route
        let rows = [
            (Kind::BadRequest, (EXCEPTION, 3), (EXCEPTION, 3), EXCEPTION),
            (Kind::UnknownService, (EXCEPTION, 12), (EXCEPTION, 12), EXCEPTION),
            (Kind::Unsupported, (EXCEPTION, 12), (EXCEPTION, 12), EXCEPTION),
            (Kind::Loop, (EXCEPTION, 9), (EXCEPTION, 9), EXCEPTION),
            (Kind::NoEndpoint, (100, 14), (100, 14), EXCEPTION),
            (Kind::Overloaded(Limit::Cluster), (100, 14), (100, 14), EXCEPTION),
            (Kind::Draining, (100, 14), (100, 14), EXCEPTION),
            (Kind::Connect, (100, 14), (80, 13), EXCEPTION),
            (Kind::Closed, (100, 14), (80, 13), EXCEPTION),
            (Kind::Timeout, (31, 4), (31, 4), EXCEPTION),
            (Kind::Cancelled, (80, 1), (80, 1), EXCEPTION),
            (Kind::BadReply, (EXCEPTION, 13), (EXCEPTION, 13), EXCEPTION),
            (Kind::Internal, (EXCEPTION, 13), (EXCEPTION, 13), EXCEPTION),
            (Kind::Aborted(14), (80, 14), (80, 14), EXCEPTION),
            (Kind::Aborted(7), (EXCEPTION, 7), (EXCEPTION, 7), EXCEPTION),
        ];
        for (kind, unsent, sent, repeated) in rows {
            let mut error = CallError::unsent(kind);
            assert_eq!((dubbo2(&error), to_triple(&error).code), unsent, "{error:?}");
            error.sent = true;
            assert_eq!((dubbo2(&error), to_triple(&error).code), sent, "{error:?}");
            error.retried = true;
            assert_eq!(dubbo2(&error), repeated, "{error:?}");
        }
    }

    #[test]
    fn every_refusal() {
        let rows = [
            (25, "", 13),
            (30, "", 4),
            (31, "", 4),
            (35, "", 13),
            (40, "Fail to decode request", 3),
            (40, "Service not found:a.B, f", 12),
            (50, "", 13),
            (60, "", 12),
            (70, "Invalid token", 2),
            (70, "Not found exported service: a.B", 12),
            (80, "", 13),
            (90, "", 13),
            (100, "pool is exhausted", 14),
            (7, "", 13),
        ];
        for (status, text, code) in rows {
            let refusal = Refusal {
                status,
                text: text.to_owned(),
            };
            let mut error = CallError::sent(Kind::Refused(refusal));
            assert_eq!(to_triple(&error).code, code, "{status} {text}");
            assert_eq!(dubbo2(&error), status, "a native's own status stays");
            error.retried = true;
            assert_eq!(dubbo2(&error), EXCEPTION);
        }
    }

    #[test]
    fn every_status_of_a_provider() {
        for code in 1..=17 {
            let status = Status {
                code,
                message: "no".to_owned(),
                details: bytes::Bytes::new(),
            };
            let expected = match code {
                4 => 31,
                8 => 100,
                14 => 80,
                _ => EXCEPTION,
            };
            assert_eq!(number(status_to_dubbo2(&status, false)), expected, "{code}");
            assert_eq!(number(status_to_dubbo2(&status, true)), EXCEPTION, "{code}");
            assert!((1..=16).contains(&valid(code)));
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let cut = cut("ä".repeat(TEXT), TEXT);
        assert!(cut.len() <= TEXT && cut.chars().all(|c| c == 'ä'));
    }
}
