//! The code tables: `RpcException`, Dubbo2 response status and HTTP status to gRPC codes, and back
//! (Dubbo's `TriRpcStatus`, gRPC's `http-grpc-status-mapping.md`).

/// The codes of gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names of gRPC's own table")]
pub enum Code {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

const ALL: [(Code, &str); 17] = [
    (Code::Ok, "OK"),
    (Code::Cancelled, "CANCELLED"),
    (Code::Unknown, "UNKNOWN"),
    (Code::InvalidArgument, "INVALID_ARGUMENT"),
    (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
    (Code::NotFound, "NOT_FOUND"),
    (Code::AlreadyExists, "ALREADY_EXISTS"),
    (Code::PermissionDenied, "PERMISSION_DENIED"),
    (Code::ResourceExhausted, "RESOURCE_EXHAUSTED"),
    (Code::FailedPrecondition, "FAILED_PRECONDITION"),
    (Code::Aborted, "ABORTED"),
    (Code::OutOfRange, "OUT_OF_RANGE"),
    (Code::Unimplemented, "UNIMPLEMENTED"),
    (Code::Internal, "INTERNAL"),
    (Code::Unavailable, "UNAVAILABLE"),
    (Code::DataLoss, "DATA_LOSS"),
    (Code::Unauthenticated, "UNAUTHENTICATED"),
];

impl Code {
    /// The number on the wire.
    #[allow(clippy::as_conversions, reason = "the discriminants are the numbers")]
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The code of a number; what is outside of 0 to 16 (dubbo-go's 17) is `UNKNOWN`.
    pub fn from_number(number: u32) -> Self {
        usize::try_from(number)
            .ok()
            .and_then(|index| ALL.get(index))
            .map_or(Self::Unknown, |(code, _)| *code)
    }

    /// The name as gRPC writes it, `NOT_FOUND`.
    pub fn name(self) -> &'static str {
        ALL.iter()
            .find(|(code, _)| *code == self)
            .map_or("UNKNOWN", |(_, name)| name)
    }

    /// The code of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        ALL.iter()
            .find(|(_, known)| *known == name)
            .map(|(code, _)| *code)
    }
}

/// The gRPC code for a Dubbo `RpcException` code (8.1, the gateway's choice). `java`: the caller is a Java Triple
/// client, which understands fewer codes.
pub fn from_rpc_exception(code: i32, java: bool) -> Code {
    match code {
        1 | 6 | 9 | 10 => Code::Unavailable,
        2 | 8 => Code::DeadlineExceeded,
        4 => Code::PermissionDenied,
        5 => Code::Internal,
        7 if java => Code::Unavailable,
        7 => Code::ResourceExhausted,
        11 => Code::Unimplemented,
        12 if !java => Code::InvalidArgument,
        13 => Code::Unauthenticated,
        _ => Code::Unknown,
    }
}

/// The `RpcException` code for a gRPC code. `before_3_3`: the caller is Java older than 3.3, which
/// does not know AUTHORIZATION.
pub fn to_rpc_exception(code: Code, before_3_3: bool) -> i32 {
    match code {
        Code::DeadlineExceeded => 2,
        Code::PermissionDenied => 4,
        Code::Unauthenticated if before_3_3 => 4,
        Code::Unauthenticated => 13,
        Code::Unavailable => 1,
        Code::Unimplemented | Code::NotFound => 11,
        Code::ResourceExhausted => 7,
        Code::InvalidArgument => 12,
        _ => 0,
    }
}

/// The gRPC code for a Dubbo2 response status (8.2). Status 20 is `OK`; its exceptions are another matter.
pub fn from_dubbo2(status: u8) -> Code {
    match status {
        20 => Code::Ok,
        30 | 31 => Code::DeadlineExceeded,
        35 => Code::Unavailable,
        40 => Code::InvalidArgument,
        60 => Code::Unimplemented,
        70 => Code::Unknown,
        100 => Code::ResourceExhausted,
        _ => Code::Internal,
    }
}

/// What a Dubbo2 caller gets for a gRPC code (8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dubbo2Answer {
    /// This response status with the message.
    Status(u8),
    /// Status 20 with an exception object; the number is the `RpcException` code where one is asked for.
    Exception(i32),
}

/// What a Dubbo2 caller gets for a gRPC code (8.2). `business`: the status carries an exception's details, or is one
/// that only applications use.
pub fn to_dubbo2(code: Code, business: bool) -> Dubbo2Answer {
    match code {
        Code::Ok => Dubbo2Answer::Status(20),
        Code::DeadlineExceeded => Dubbo2Answer::Status(31),
        Code::InvalidArgument => Dubbo2Answer::Status(40),
        Code::Unimplemented => Dubbo2Answer::Status(60),
        Code::ResourceExhausted => Dubbo2Answer::Status(100),
        Code::Unavailable | Code::Internal | Code::DataLoss => Dubbo2Answer::Status(80),
        Code::PermissionDenied => Dubbo2Answer::Exception(4),
        Code::Unauthenticated => Dubbo2Answer::Exception(13),
        Code::Cancelled => Dubbo2Answer::Status(70),
        Code::Unknown if !business => Dubbo2Answer::Status(70),
        _ => Dubbo2Answer::Exception(0),
    }
}

/// The gRPC code for an answer that has an HTTP status but no `grpc-status` (8.3).
pub fn from_http(status: u16) -> Code {
    match status {
        100..=199 | 400 | 431 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// The HTTP status for a gRPC code, for JSON answers (8.3).
pub fn to_http(code: Code) -> u16 {
    match code {
        Code::Ok => 200,
        Code::Cancelled => 499,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::DeadlineExceeded => 504,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::PermissionDenied => 403,
        Code::ResourceExhausted => 429,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::Unauthenticated => 401,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_inverse() {
        for (code, name) in ALL {
            assert_eq!(Code::from_number(code.number()), code);
            assert_eq!(Code::from_name(name), Some(code));
            assert_eq!(code.name(), name);
        }
        assert_eq!(Code::from_number(17), Code::Unknown);
    }

    #[test]
    fn rpc_exception_rows() {
        for (code, grpc, java) in [
            (0, 2, 2),
            (1, 14, 14),
            (2, 4, 4),
            (3, 2, 2),
            (4, 7, 7),
            (5, 13, 13),
            (6, 14, 14),
            (7, 8, 14),
            (8, 4, 4),
            (9, 14, 14),
            (10, 14, 14),
            (11, 12, 12),
            (12, 3, 2),
            (13, 16, 16),
            (99, 2, 2),
        ] {
            assert_eq!(from_rpc_exception(code, false).number(), grpc, "code {code}");
            assert_eq!(
                from_rpc_exception(code, true).number(),
                java,
                "code {code} to Java"
            );
        }
    }

    #[test]
    fn dubbo2_rows() {
        for (status, grpc) in [
            (20, 0),
            (30, 4),
            (31, 4),
            (35, 14),
            (40, 3),
            (50, 13),
            (60, 12),
            (70, 2),
            (80, 13),
            (90, 13),
            (100, 8),
        ] {
            assert_eq!(from_dubbo2(status).number(), grpc, "status {status}");
        }
        for (grpc, answer) in [
            (0, Dubbo2Answer::Status(20)),
            (4, Dubbo2Answer::Status(31)),
            (14, Dubbo2Answer::Status(80)),
            (3, Dubbo2Answer::Status(40)),
            (13, Dubbo2Answer::Status(80)),
            (12, Dubbo2Answer::Status(60)),
            (2, Dubbo2Answer::Status(70)),
            (8, Dubbo2Answer::Status(100)),
            (7, Dubbo2Answer::Exception(4)),
            (16, Dubbo2Answer::Exception(13)),
            (9, Dubbo2Answer::Exception(0)),
            (17, Dubbo2Answer::Status(70)),
        ] {
            assert_eq!(to_dubbo2(Code::from_number(grpc), false), answer, "code {grpc}");
        }
        assert_eq!(to_dubbo2(Code::Unknown, true), Dubbo2Answer::Exception(0));
    }

    #[test]
    fn http_rows() {
        for (http, grpc) in [
            (101, 13),
            (400, 13),
            (431, 13),
            (401, 16),
            (403, 7),
            (404, 12),
            (429, 14),
            (502, 14),
            (503, 14),
            (504, 14),
            (500, 2),
            (200, 2),
            (302, 2),
        ] {
            assert_eq!(from_http(http).number(), grpc, "{http}");
        }
        assert_eq!(to_http(Code::NotFound), 404);
    }

    #[test]
    fn grpc_to_rpc_exception_rows() {
        for (grpc, code) in [
            (4, 2),
            (7, 4),
            (16, 13),
            (14, 1),
            (12, 11),
            (5, 11),
            (8, 7),
            (3, 12),
            (2, 0),
            (9, 0),
        ] {
            assert_eq!(
                to_rpc_exception(Code::from_number(grpc), false),
                code,
                "grpc {grpc}"
            );
        }
        assert_eq!(to_rpc_exception(Code::Unauthenticated, true), 4);
    }
}
