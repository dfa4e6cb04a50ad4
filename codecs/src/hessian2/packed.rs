//! A token in two words.
//!
//! A [`Token`] is handed on in memory: written piece by piece, read back whole, which stalls. Two words are returned in
//! registers. What a token borrows from the stream is an offset and a length here.

use super::wire::{Text, TextAbout, index, low};
use super::{Binary, Str, Token, TypeIndex};

/// What a [`Packed`] is; its lowest byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Null,
    Bool,
    Int,
    Long,
    Double,
    Date,
    Str,
    Binary,
    List,
    Map,
    Object,
    Ref,
    End,
    /// The stream cannot be read on; the reader knows why.
    Failed,
}

/// A token: the low word, its head, is a kind, what a text is besides its bytes, or a length; the high word, its body, a
/// number, or an offset and a length.
///
/// One number, not a pair: a function that returns what another one returns then jumps there, where it would call it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed(u128);

const COUNTED: u64 = 1 << 8;
const CHUNKED: u64 = 1 << 9;

#[inline(always)]
fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

#[inline(always)]
#[allow(clippy::as_conversions, reason = "the halves of a word")]
fn halves(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

#[allow(
    clippy::as_conversions,
    reason = "a kind is a byte, and numbers are kept by their bits"
)]
impl Packed {
    #[inline(always)]
    fn new(head: u64, body: u64) -> Self {
        Self(u128::from(head) | u128::from(body) << 64)
    }

    #[inline(always)]
    fn head(self) -> u64 {
        self.0 as u64
    }

    #[inline(always)]
    fn body(self) -> u64 {
        (self.0 >> 64) as u64
    }

    #[inline(always)]
    pub(crate) fn of(kind: Kind, body: u64) -> Self {
        Self::new(kind as u64, body)
    }

    #[inline(always)]
    pub(crate) fn int(value: i32) -> Self {
        Self::of(Kind::Int, i64::from(value) as u64)
    }

    #[inline(always)]
    pub(crate) fn long(value: i64) -> Self {
        Self::of(Kind::Long, value as u64)
    }

    #[inline(always)]
    pub(crate) fn double(value: f64) -> Self {
        Self::of(Kind::Double, value.to_bits())
    }

    #[inline(always)]
    pub(crate) fn date(millis: i64) -> Self {
        Self::of(Kind::Date, millis as u64)
    }

    /// A text of as many bytes as units.
    #[inline(always)]
    pub(crate) fn ascii(start: usize, len: usize) -> Self {
        Self::new(
            Kind::Str as u64 | u64::from(low(len)) << 8,
            pair(low(start), low(len)),
        )
    }

    /// A text that ends at `end`.
    #[inline(always)]
    pub(crate) fn text(text: &Text<'_>, end: usize) -> Self {
        let len = text.raw.len();
        Self::new(
            Kind::Str as u64 | text.about.bits() << 8,
            pair(low(end.wrapping_sub(len)), low(len)),
        )
    }

    /// A binary of `len` bytes whose `raw` bytes end at `end`.
    #[inline(always)]
    pub(crate) fn binary(raw: &[u8], chunked: bool, len: u32, end: usize) -> Self {
        Self::new(
            Kind::Binary as u64 | if chunked { CHUNKED } else { 0 } | u64::from(len) << 32,
            pair(low(end.wrapping_sub(raw.len())), low(raw.len())),
        )
    }

    #[inline(always)]
    pub(crate) fn list(reference: u32, of: Option<TypeIndex>, len: Option<u32>) -> Self {
        Self::new(
            Kind::List as u64 | len.map_or(0, |len| COUNTED | u64::from(len) << 32),
            pair(reference, TypeIndex::pack(of)),
        )
    }

    #[inline(always)]
    pub(crate) fn map(reference: u32, of: Option<TypeIndex>) -> Self {
        Self::of(Kind::Map, pair(reference, TypeIndex::pack(of)))
    }

    #[inline(always)]
    pub(crate) fn object(reference: u32, class: u32) -> Self {
        Self::of(Kind::Object, pair(reference, class))
    }

    #[inline(always)]
    pub(crate) fn kind(self) -> u8 {
        self.head() as u8
    }

    #[inline(always)]
    pub(crate) fn is(self, kind: Kind) -> bool {
        self.kind() == kind as u8
    }

    /// The number it holds.
    #[inline(always)]
    pub(crate) fn number(self) -> i64 {
        self.body() as i64
    }

    /// The bits it holds: a double's, or a boolean's.
    #[inline(always)]
    pub(crate) fn bits(self) -> u64 {
        self.body()
    }

    /// The class of an object.
    #[inline(always)]
    pub(crate) fn class(self) -> u32 {
        halves(self.body()).1
    }

    #[inline(always)]
    fn raw(self, input: &[u8]) -> &[u8] {
        let (start, len) = halves(self.body());
        let start = index(start);
        input
            .get(start..start.wrapping_add(index(len)))
            .unwrap_or_default()
    }

    /// The text it stands for in `input`.
    #[inline(always)]
    pub(crate) fn str(self, input: &[u8]) -> Str<'_> {
        Str(Text {
            raw: self.raw(input),
            about: TextAbout::of_bits(self.head() >> 8),
        })
    }

    /// The token it stands for in `input`; `None` for `Failed`.
    #[inline(always)]
    pub(crate) fn token(self, input: &[u8]) -> Option<Token<'_>> {
        const NULL: u8 = Kind::Null as u8;
        const BOOL: u8 = Kind::Bool as u8;
        const INT: u8 = Kind::Int as u8;
        const LONG: u8 = Kind::Long as u8;
        const DOUBLE: u8 = Kind::Double as u8;
        const DATE: u8 = Kind::Date as u8;
        const STR: u8 = Kind::Str as u8;
        const BINARY: u8 = Kind::Binary as u8;
        const LIST: u8 = Kind::List as u8;
        const MAP: u8 = Kind::Map as u8;
        const OBJECT: u8 = Kind::Object as u8;
        const REF: u8 = Kind::Ref as u8;
        const END: u8 = Kind::End as u8;
        let (first, second) = halves(self.body());
        Some(match self.kind() {
            NULL => Token::Null,
            BOOL => Token::Bool(self.body() != 0),
            INT => Token::Int(self.body() as i32),
            LONG => Token::Long(self.body() as i64),
            DOUBLE => Token::Double(f64::from_bits(self.body())),
            DATE => Token::Date(self.body() as i64),
            STR => Token::Str(self.str(input)),
            BINARY => Token::Binary(Binary {
                raw: self.raw(input),
                chunked: self.head() & CHUNKED != 0,
                len: halves(self.head()).1,
            }),
            LIST => Token::ListStart {
                reference: first,
                type_index: TypeIndex::unpack(second),
                len: (self.head() & COUNTED != 0).then_some(halves(self.head()).1),
            },
            MAP => Token::MapStart {
                reference: first,
                type_index: TypeIndex::unpack(second),
            },
            OBJECT => Token::ObjectStart {
                reference: first,
                class: second,
            },
            REF => Token::Ref(first),
            END => Token::End,
            _ => return None,
        })
    }
}
