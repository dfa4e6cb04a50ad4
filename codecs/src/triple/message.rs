//! The 5-byte message prefix of gRPC, message compression and their limits (`PROTOCOL-HTTP2.md`).

use std::io::Read;

use bytes::{BufMut, Bytes, BytesMut};

/// Bytes of the prefix: one flag byte and a 32-bit length.
pub const PREFIX: usize = 5;

/// What we announce in `grpc-accept-encoding`.
pub const ACCEPT_ENCODING: &str = "identity,gzip";

/// Messages up to this size may have room made for them at once; larger ones grow with what arrives.
const TRUSTED: usize = 64 * 1024;

/// Why bytes are not a message, or not one that we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The message is larger than allowed. Answer `RESOURCE_EXHAUSTED`.
    #[error("message of {length} bytes: the limit is {limit}")]
    TooLarge {
        /// As announced, or as far as it was inflated.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The flag byte is neither 0 nor 1: this is not gRPC.
    #[error("message flag {0:#04x}: expected 0 or 1")]
    Flag(u8),
    /// The stream ended inside a message.
    #[error("stream ended {missing} bytes short of a message")]
    Truncated {
        /// Bytes missing, at least.
        missing: usize,
    },
    /// The message is compressed but no encoding was announced.
    #[error("message is compressed but has no grpc-encoding")]
    NoEncoding,
    /// An encoding that we do not read. Answer `UNIMPLEMENTED` and [`ACCEPT_ENCODING`].
    #[error("message encoding {0:?}: only identity and gzip are read")]
    UnknownEncoding(String),
    /// The compressed bytes are broken.
    #[error("message is not valid gzip")]
    Gzip,
}

/// How messages of a stream may be compressed, by `grpc-encoding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all; a set flag is then an error.
    #[default]
    Identity,
    /// gzip, for the messages that have the flag.
    Gzip,
}

impl Compression {
    /// The compression of a `grpc-encoding` value.
    ///
    /// # Errors
    /// Names every other encoding.
    pub fn parse(name: &str) -> Result<Self, MessageError> {
        match name.trim() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" => Ok(Self::Gzip),
            other => Err(MessageError::UnknownEncoding(other.chars().take(64).collect())),
        }
    }
}

/// One message as it lay in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The flag of its prefix.
    pub compressed: bool,
    /// Its bytes without the prefix: a slice of the received chunk when it came in one piece.
    pub bytes: Bytes,
}

impl Message {
    /// The message's plain bytes, inflated if need be, at most `limit` of them.
    ///
    /// A compressed message of length 0 is an empty message: the inflater is not asked.
    ///
    /// # Errors
    /// When it is compressed in a stream that is not, is broken, or inflates past the limit.
    pub fn inflate(self, compression: Compression, limit: usize) -> Result<Bytes, MessageError> {
        if !self.compressed || self.bytes.is_empty() {
            return Ok(self.bytes);
        }
        match compression {
            Compression::Identity => Err(MessageError::NoEncoding),
            Compression::Gzip => gunzip(&self.bytes, limit),
        }
    }
}

fn gunzip(bytes: &[u8], limit: usize) -> Result<Bytes, MessageError> {
    let mut plain = Vec::with_capacity(bytes.len().saturating_mul(2).min(limit).min(TRUSTED));
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    flate2::read::MultiGzDecoder::new(bytes)
        .take(most)
        .read_to_end(&mut plain)
        .map_err(|_| MessageError::Gzip)?;
    if plain.len() > limit {
        return Err(MessageError::TooLarge {
            length: plain.len(),
            limit,
        });
    }
    Ok(plain.into())
}

/// Compresses a message's bytes with gzip, for peers that asked for it.
///
/// # Errors
/// Only what flate2 reports; writing into memory does not fail.
pub fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// The prefix of a message of this length.
///
/// # Errors
/// When the length does not fit into 32 bits.
pub fn prefix(length: usize, compressed: bool) -> Result<[u8; PREFIX], MessageError> {
    let wide = u32::try_from(length).map_err(|_| MessageError::TooLarge {
        length,
        limit: 0xffff_ffff,
    })?;
    let [a, b, c, d] = wide.to_be_bytes();
    Ok([u8::from(compressed), a, b, c, d])
}

/// Appends an uncompressed message with its prefix.
///
/// # Errors
/// When the length does not fit into 32 bits.
pub fn join(message: &[u8], out: &mut BytesMut) -> Result<(), MessageError> {
    let prefix = prefix(message.len(), false)?;
    out.reserve(PREFIX.saturating_add(message.len()));
    out.put_slice(&prefix);
    out.put_slice(message);
    Ok(())
}

/// Cuts a stream of chunks into messages.
///
/// Push a chunk, then take messages until there is none. A message is refused for its size as soon as its prefix is
/// there, before a byte of it is kept; a message that lies in one chunk is sliced, not copied.
#[derive(Debug)]
pub struct Splitter {
    limit: usize,
    chunk: Bytes,
    pending: BytesMut,
}

impl Splitter {
    /// A splitter that takes messages of up to `limit` bytes (before inflating).
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            chunk: Bytes::new(),
            pending: BytesMut::new(),
        }
    }

    /// Gives it the next chunk of the stream.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            let mut both = BytesMut::with_capacity(self.chunk.len().saturating_add(chunk.len()));
            both.extend_from_slice(&self.chunk);
            both.extend_from_slice(&chunk);
            self.chunk = both.freeze();
        }
    }

    /// The next whole message, if it is there.
    ///
    /// # Errors
    /// When it is larger than the limit, or is no gRPC message. The stream is then of no further use.
    pub fn next_message(&mut self) -> Result<Option<Message>, MessageError> {
        if self.pending.is_empty() {
            let Some((compressed, length)) = self.announced(&self.chunk)? else {
                self.keep(PREFIX);
                return Ok(None);
            };
            let whole = PREFIX.saturating_add(length);
            if self.chunk.len() >= whole {
                let mut bytes = self.chunk.split_to(whole);
                let bytes = bytes.split_off(PREFIX);
                return Ok(Some(Message { compressed, bytes }));
            }
            self.pending.reserve(whole.min(TRUSTED));
            self.keep(whole);
            return Ok(None);
        }
        self.keep(PREFIX);
        let Some((compressed, length)) = self.announced(&self.pending)? else {
            return Ok(None);
        };
        let whole = PREFIX.saturating_add(length);
        self.keep(whole);
        if self.pending.len() < whole {
            return Ok(None);
        }
        let mut bytes = std::mem::take(&mut self.pending).freeze();
        Ok(Some(Message {
            compressed,
            bytes: bytes.split_off(PREFIX),
        }))
    }

    /// To be called when the stream has ended.
    ///
    /// # Errors
    /// When it ended inside a message.
    pub fn finish(&self) -> Result<(), MessageError> {
        let held = self.pending.len().saturating_add(self.chunk.len());
        if held == 0 {
            return Ok(());
        }
        let whole = match self.announced(&self.pending)? {
            Some((_, length)) => PREFIX.saturating_add(length),
            None => PREFIX,
        };
        Err(MessageError::Truncated {
            missing: whole.saturating_sub(held).max(1),
        })
    }

    /// Moves bytes from the chunk until `pending` holds `whole`.
    fn keep(&mut self, whole: usize) {
        let wanted = whole.saturating_sub(self.pending.len()).min(self.chunk.len());
        let part = self.chunk.split_to(wanted);
        self.pending.extend_from_slice(&part);
    }

    fn announced(&self, bytes: &[u8]) -> Result<Option<(bool, usize)>, MessageError> {
        let Some(&[flag, a, b, c, d]) = bytes.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        if flag > 1 {
            return Err(MessageError::Flag(flag));
        }
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(MessageError::TooLarge {
                length,
                limit: self.limit,
            });
        }
        Ok(Some((flag == 1, length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(messages: &[&[u8]]) -> Bytes {
        let mut out = BytesMut::new();
        for message in messages {
            join(message, &mut out).unwrap();
        }
        out.freeze()
    }

    fn split(bytes: &Bytes, step: usize) -> Vec<Bytes> {
        let mut splitter = Splitter::new(1000);
        let mut found = Vec::new();
        for chunk in bytes.chunks(step) {
            splitter.push(Bytes::copy_from_slice(chunk));
            while let Some(message) = splitter.next_message().unwrap() {
                found.push(message.bytes);
            }
        }
        splitter.finish().unwrap();
        found
    }

    #[test]
    fn any_chunking_gives_the_same_messages() {
        let messages: [&[u8]; 5] = [b"", b"a", &[7; 300], b"", b"end"];
        let bytes = stream(&messages);
        for step in 1..bytes.len() {
            assert_eq!(split(&bytes, step), messages, "step {step}");
        }
    }

    #[test]
    fn a_message_in_one_chunk_is_not_copied() {
        let bytes = stream(&[b"hello"]);
        let mut splitter = Splitter::new(10);
        splitter.push(bytes.clone());
        let message = splitter.next_message().unwrap().unwrap();
        assert_eq!(message.bytes.as_ptr(), bytes[PREFIX..].as_ptr());
    }

    #[test]
    fn the_size_is_refused_before_the_bytes_come() {
        let mut splitter = Splitter::new(10);
        splitter.push(Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff]));
        assert_eq!(
            splitter.next_message(),
            Err(MessageError::TooLarge {
                length: 0xffff_ffff,
                limit: 10
            })
        );
        let mut splitter = Splitter::new(10);
        splitter.push(Bytes::from_static(b"GET /"));
        assert_eq!(splitter.next_message(), Err(MessageError::Flag(b'G')));
    }

    #[test]
    fn an_end_inside_a_message_is_told() {
        for cut in 1..9 {
            let mut splitter = Splitter::new(10);
            splitter.push(stream(&[b"1234"]).slice(..cut));
            assert_eq!(splitter.next_message().unwrap(), None);
            assert!(
                matches!(splitter.finish(), Err(MessageError::Truncated { .. })),
                "cut {cut}"
            );
        }
    }

    #[test]
    fn gzip_is_bounded_and_the_empty_message_is_not_inflated() {
        let plain = vec![b'x'; 100_000];
        let packed = Message {
            compressed: true,
            bytes: gzip(&plain).unwrap().into(),
        };
        assert_eq!(packed.clone().inflate(Compression::Gzip, 100_000).unwrap(), plain);
        assert!(matches!(
            packed.clone().inflate(Compression::Gzip, 99_999),
            Err(MessageError::TooLarge { limit: 99_999, .. })
        ));
        assert_eq!(
            packed.inflate(Compression::Identity, 9),
            Err(MessageError::NoEncoding)
        );
        let empty = Message {
            compressed: true,
            bytes: Bytes::new(),
        };
        assert_eq!(empty.inflate(Compression::Gzip, 10).unwrap(), Bytes::new());
        let broken = Message {
            compressed: true,
            bytes: Bytes::from_static(b"no gzip"),
        };
        assert_eq!(broken.inflate(Compression::Gzip, 10), Err(MessageError::Gzip));
    }

    #[test]
    fn other_encodings_are_refused_by_name() {
        assert_eq!(Compression::parse("gzip"), Ok(Compression::Gzip));
        assert_eq!(Compression::parse("identity"), Ok(Compression::Identity));
        let refused = Compression::parse("snappy").unwrap_err();
        assert!(refused.to_string().contains("snappy"));
    }
}
