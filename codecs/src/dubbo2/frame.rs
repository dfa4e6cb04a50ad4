//! Cutting frames out of received bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::header::{HEADER_LEN, Header, MAGIC};
use crate::hessian2::wire::index;

/// A whole frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The header as received.
    pub header: Header,
    /// The body: a slice of the received buffer, `header.length` bytes.
    pub body: Bytes,
}

impl Frame {
    /// The frame's bytes under another id: what pass-through sends.
    pub fn write_as(&self, id: u64, out: &mut impl BufMut) {
        let header = Header { id, ..self.header };
        out.put_slice(&header.encode());
        out.put_slice(&self.body);
    }
}

/// Bytes that are no frames, or a frame that we do not take: close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The bytes do not begin with [`MAGIC`]. We do not search for the next frame, as Java does.
    #[error("frame begins with {found:02x?}, expected da bb")]
    Magic {
        /// The first byte, and the second if it is there.
        found: [u8; 2],
    },
    /// The announced length is negative, as Java reads it.
    #[error("frame {id} announces a negative length", id = .header.id)]
    NegativeLength {
        /// The header.
        header: Header,
    },
    /// The announced length is above the ceiling.
    #[error("frame {id} announces {length} bytes, at most {max} allowed", id = .header.id, length = .header.length)]
    TooLarge {
        /// The header: with it a two-way request can be answered before the connection is closed.
        header: Header,
        /// The ceiling.
        max: usize,
    },
}

/// Cuts the first frame off `buffer`, without copying; `None` when it has not arrived in full.
///
/// The header is checked as soon as it is there: a frame above `max` bytes of body is refused before any of its body is
/// kept, and nothing is reserved for an announced length. On an error the buffer is left as it is.
pub fn split(buffer: &mut BytesMut, max: usize) -> Result<Option<Frame>, FrameError> {
    let Some(bytes) = buffer.first_chunk::<HEADER_LEN>() else {
        return match buffer.get(..2).or_else(|| buffer.get(..1)) {
            Some(start) if !MAGIC.starts_with(start) => Err(FrameError::Magic {
                found: [
                    start.first().copied().unwrap_or_default(),
                    start.get(1).copied().unwrap_or_default(),
                ],
            }),
            _ => Ok(None),
        };
    };
    let Some(header) = Header::decode(bytes) else {
        let [m0, m1, ..] = *bytes;
        return Err(FrameError::Magic { found: [m0, m1] });
    };
    if i32::try_from(header.length).is_err() {
        return Err(FrameError::NegativeLength { header });
    }
    let length = index(header.length);
    if length > max {
        return Err(FrameError::TooLarge { header, max });
    }
    let whole = length.saturating_add(HEADER_LEN);
    if buffer.len() < whole {
        return Ok(None);
    }
    let mut frame = buffer.split_to(whole);
    frame.advance(HEADER_LEN);
    Ok(Some(Frame {
        header,
        body: frame.freeze(),
    }))
}
