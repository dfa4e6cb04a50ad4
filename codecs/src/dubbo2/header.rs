//! The 16 bytes before each body (Dubbo's `ExchangeCodec`).

use std::fmt;

/// The first two bytes of every frame.
pub const MAGIC: [u8; 2] = [0xda, 0xbb];
/// Bytes of a header.
pub const HEADER_LEN: usize = 16;
/// The serialization id of Hessian 2.
pub const HESSIAN2: u8 = 2;

const REQUEST: u8 = 0x80;
const TWO_WAY: u8 = 0x40;
const EVENT: u8 = 0x20;
const SERIALIZATION: u8 = 0x1f;

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// A request; else a response.
    pub request: bool,
    /// The sender expects an answer. Only requests carry it.
    pub two_way: bool,
    /// An event: heartbeat, readonly, writable.
    pub event: bool,
    /// The serialization id, 0 to 31.
    pub serialization: u8,
    /// The status of a response.
    pub status: Status,
    /// Opaque; a response carries that of its request.
    pub id: u64,
    /// Bytes of body.
    pub length: u32,
}

impl Header {
    /// The header in these bytes; `None` when they do not begin with [`MAGIC`].
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Option<Self> {
        let [
            m0,
            m1,
            flags,
            status,
            i0,
            i1,
            i2,
            i3,
            i4,
            i5,
            i6,
            i7,
            l0,
            l1,
            l2,
            l3,
        ] = *bytes;
        ([m0, m1] == MAGIC).then_some(Self {
            request: flags & REQUEST != 0,
            two_way: flags & TWO_WAY != 0,
            event: flags & EVENT != 0,
            serialization: flags & SERIALIZATION,
            status: Status(status),
            id: u64::from_be_bytes([i0, i1, i2, i3, i4, i5, i6, i7]),
            length: u32::from_be_bytes([l0, l1, l2, l3]),
        })
    }

    /// The bytes of this header.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let flag = |set, flag| if set { flag } else { 0 };
        let flags = flag(self.request, REQUEST)
            | flag(self.two_way, TWO_WAY)
            | flag(self.event, EVENT)
            | self.serialization & SERIALIZATION;
        let [m0, m1] = MAGIC;
        let [i0, i1, i2, i3, i4, i5, i6, i7] = self.id.to_be_bytes();
        let [l0, l1, l2, l3] = self.length.to_be_bytes();
        [
            m0,
            m1,
            flags,
            self.status.0,
            i0,
            i1,
            i2,
            i3,
            i4,
            i5,
            i6,
            i7,
            l0,
            l1,
            l2,
            l3,
        ]
    }

    /// The header of a Hessian 2 request without body yet.
    pub fn request(id: u64, two_way: bool) -> Self {
        Self {
            request: true,
            two_way,
            event: false,
            serialization: HESSIAN2,
            status: Status(0),
            id,
            length: 0,
        }
    }

    /// The header of a Hessian 2 response without body yet.
    pub fn response(id: u64, status: Status) -> Self {
        Self {
            request: false,
            two_way: false,
            event: false,
            serialization: HESSIAN2,
            status,
            id,
            length: 0,
        }
    }
}

/// A response's status (Dubbo's `Response`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub u8);

impl Status {
    /// A result or an exception follows.
    pub const OK: Self = Self(20);
    /// The response is too large (Java 3.2.3 and later).
    pub const SERIALIZATION_ERROR: Self = Self(25);
    /// Local to a consumer: the request was not sent in time.
    pub const CLIENT_TIMEOUT: Self = Self(30);
    /// The provider did not answer in time.
    pub const SERVER_TIMEOUT: Self = Self(31);
    /// Local to a consumer: the connection was lost.
    pub const CHANNEL_INACTIVE: Self = Self(35);
    /// The request cannot be decoded.
    pub const BAD_REQUEST: Self = Self(40);
    /// The response cannot be encoded.
    pub const BAD_RESPONSE: Self = Self(50);
    /// No such service; Java sends 70 or 40 instead.
    pub const SERVICE_NOT_FOUND: Self = Self(60);
    /// The provider's framework failed, the service is not exported among others.
    pub const SERVICE_ERROR: Self = Self(70);
    /// The provider's dispatcher failed.
    pub const SERVER_ERROR: Self = Self(80);
    /// Local to a consumer: the response cannot be decoded.
    pub const CLIENT_ERROR: Self = Self(90);
    /// The provider has no thread left: nothing ran.
    pub const SERVER_THREADPOOL_EXHAUSTED: Self = Self(100);

    /// Its name in Dubbo's sources; `None` for an unknown one.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::OK => "OK",
            Self::SERIALIZATION_ERROR => "SERIALIZATION_ERROR",
            Self::CLIENT_TIMEOUT => "CLIENT_TIMEOUT",
            Self::SERVER_TIMEOUT => "SERVER_TIMEOUT",
            Self::CHANNEL_INACTIVE => "CHANNEL_INACTIVE",
            Self::BAD_REQUEST => "BAD_REQUEST",
            Self::BAD_RESPONSE => "BAD_RESPONSE",
            Self::SERVICE_NOT_FOUND => "SERVICE_NOT_FOUND",
            Self::SERVICE_ERROR => "SERVICE_ERROR",
            Self::SERVER_ERROR => "SERVER_ERROR",
            Self::CLIENT_ERROR => "CLIENT_ERROR",
            Self::SERVER_THREADPOOL_EXHAUSTED => "SERVER_THREADPOOL_EXHAUSTED",
            _ => return None,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} {name}", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
