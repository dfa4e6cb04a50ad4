//! ZooKeeper's records: big-endian numbers, length-prefixed bytes and lists.

/// The most that a list in a request may claim; what it holds is bounded by the frame.
const MOST_ITEMS: usize = 1 << 20;

/// A record that does not hold what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

type Read<T> = Result<T, Malformed>;

/// Reads records from a frame.
#[derive(Clone)]
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(head)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn boolean(&mut self) -> Read<bool> {
        Ok(self.take(1)? != [0])
    }

    pub(crate) fn int(&mut self) -> Read<i32> {
        self.take(4)?
            .try_into()
            .map(i32::from_be_bytes)
            .map_err(|_| Malformed)
    }

    pub(crate) fn long(&mut self) -> Read<i64> {
        self.take(8)?
            .try_into()
            .map(i64::from_be_bytes)
            .map_err(|_| Malformed)
    }

    /// Bytes; a negative length is none.
    pub(crate) fn bytes(&mut self) -> Read<&'a [u8]> {
        match usize::try_from(self.int()?) {
            Ok(length) => self.take(length),
            Err(_) => Ok(&[]),
        }
    }

    pub(crate) fn text(&mut self) -> Read<String> {
        std::str::from_utf8(self.bytes()?)
            .map(str::to_owned)
            .map_err(|_| Malformed)
    }

    pub(crate) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let count = usize::try_from(self.int()?).unwrap_or(0);
        if count > MOST_ITEMS {
            return Err(Malformed);
        }
        // Not allocated ahead: a short frame can claim a long list.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    pub(crate) fn texts(&mut self) -> Read<Vec<String>> {
        self.list(Self::text)
    }
}

/// Writes records.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Output(pub(crate) Vec<u8>);

impl Output {
    pub(crate) fn boolean(mut self, value: bool) -> Self {
        self.0.push(u8::from(value));
        self
    }

    pub(crate) fn int(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn long(mut self, value: i64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn length(self, length: usize) -> Self {
        self.int(i32::try_from(length).unwrap_or(i32::MAX))
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self = self.length(bytes.len());
        self.0.extend(bytes);
        self
    }

    pub(crate) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    pub(crate) fn texts<'t>(mut self, texts: impl ExactSizeIterator<Item = &'t str>) -> Self {
        self = self.length(texts.len());
        for text in texts {
            self = self.text(text);
        }
        self
    }

    pub(crate) fn append(mut self, other: &Self) -> Self {
        self.0.extend(&other.0);
        self
    }

    /// With its length in front, as it goes on the wire.
    pub(crate) fn framed(self) -> Vec<u8> {
        Self::default().bytes(&self.0).0
    }
}
