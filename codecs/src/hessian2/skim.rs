//! Where values end and which tables they touch, without decoding.
//!
//! The scratch it uses holds 4 bytes for each class definition and 8 for each open container: under the default limits less
//! than 64 KiB.

use super::reader::NODE_BYTES;
use super::scratch::{OpenKind, SkimTables};
use super::wire::{Cursor, index, is_short_ascii, narrow};
use super::{DecodeError, DecodeErrorKind, Limit, Limits, Scratch, Wanted};

/// How many entries each table of a stream has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Class definitions.
    pub classes: u32,
    /// Literal type names.
    pub types: u32,
    /// Lists, maps and objects.
    pub references: u32,
}

impl Counts {
    /// Entry by entry, `self` and then `other`.
    pub fn plus(self, other: Self) -> Self {
        Self {
            classes: self.classes.saturating_add(other.classes),
            types: self.types.saturating_add(other.types),
            references: self.references.saturating_add(other.references),
        }
    }

    /// Entry by entry, what `self` has more than `other`.
    pub fn minus(self, other: Self) -> Self {
        Self {
            classes: self.classes.saturating_sub(other.classes),
            types: self.types.saturating_sub(other.types),
            references: self.references.saturating_sub(other.references),
        }
    }
}

/// Which tables a value reads by index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableUse {
    /// It holds an object instance.
    pub classes: bool,
    /// It holds a type given by index.
    pub types: bool,
    /// It holds a reference.
    pub references: bool,
}

impl TableUse {
    /// Whether it reads any table.
    pub fn any(self) -> bool {
        self.classes || self.types || self.references
    }

    /// Whether a value of this use means the same when its stream's tables begin at `to` instead of `from`.
    pub fn may_move(self, from: Counts, to: Counts) -> bool {
        (!self.classes || from.classes == to.classes)
            && (!self.types || from.types == to.types)
            && (!self.references || from.references == to.references)
    }
}

/// One value as skimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skimmed {
    /// Where it starts.
    pub start: usize,
    /// Where the next value starts.
    pub end: usize,
    /// The tables before it.
    pub before: Counts,
    /// The tables after it.
    pub after: Counts,
    /// What it reads from them.
    pub uses: TableUse,
}

impl Skimmed {
    /// Whether its bytes may be cut out and stand at the start of a stream of their own.
    pub fn stands_alone(&self) -> bool {
        self.uses.may_move(self.before, Counts::default())
    }
}

/// Passes over the values of one stream.
#[derive(Debug)]
pub struct Skimmer<'a, 's> {
    cursor: Cursor<'a>,
    tables: &'s mut SkimTables,
    limits: Limits,
    counts: Counts,
    fields: u32,
    nodes: u32,
    content: usize,
    /// Receives how many entries each map, and elements each list with an end mark, has; in the order in which they begin.
    lengths: Option<&'s mut Vec<u32>>,
}

/// Finds the end of the one value at the start of `input`.
pub fn skim(input: &[u8], scratch: &mut Scratch, limits: &Limits) -> Result<Skimmed, DecodeError> {
    Skimmer::new(input, scratch, limits).skim()
}

/// Bytes after the tag of a scalar without content; `OTHER` for everything else.
const OTHER: u8 = 0xff;
const SCALAR_LEN: [u8; 256] = scalar_lengths();

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "evaluated at compile time, where a wrong index does not build"
)]
const fn scalar_lengths() -> [u8; 256] {
    let mut table = [OTHER; 256];
    let mut tag = 0usize;
    while tag < 256 {
        table[tag] = match tag as u8 {
            0x4e | 0x54 | 0x46 | 0x5b | 0x5c | 0x80..=0xbf | 0xd8..=0xef => 0,
            0xc0..=0xcf | 0xf0..=0xff | 0x5d => 1,
            0xd0..=0xd7 | 0x38..=0x3f | 0x5e => 2,
            0x49 | 0x59 | 0x5f | 0x4b => 4,
            0x4c | 0x44 | 0x4a => 8,
            _ => OTHER,
        };
        tag += 1;
    }
    table
}

impl<'a, 's> Skimmer<'a, 's> {
    /// A skimmer of the stream `input`, with empty tables.
    pub fn new(input: &'a [u8], scratch: &'s mut Scratch, limits: &Limits) -> Self {
        Self::over(input, &mut scratch.skim, limits)
    }

    pub(crate) fn over(input: &'a [u8], tables: &'s mut SkimTables, limits: &Limits) -> Self {
        tables.class_fields.clear();
        Self {
            cursor: Cursor::new(input.get(..index(u32::MAX)).unwrap_or(input)),
            tables,
            limits: *limits,
            counts: Counts::default(),
            fields: 0,
            nodes: 0,
            content: 0,
            lengths: None,
        }
    }

    /// The same, with the lengths of all maps, and of lists with an end mark, written down.
    pub(crate) fn counting(mut self, lengths: &'s mut Vec<u32>) -> Self {
        self.lengths = Some(lengths);
        self
    }

    /// A skimmer that goes on at `at`, where the tables hold `counts` entries, with `tables` as they were left.
    pub(crate) fn resume(
        input: &'a [u8],
        at: usize,
        tables: &'s mut SkimTables,
        counts: Counts,
        limits: &Limits,
    ) -> Self {
        Self {
            cursor: Cursor { input, at },
            tables,
            limits: *limits,
            counts,
            fields: 0,
            nodes: 0,
            content: 0,
            lengths: None,
        }
    }

    /// Where the next value starts.
    pub fn offset(&self) -> usize {
        self.cursor.at
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.cursor.remaining()
    }

    /// The first byte of the next value.
    pub fn peek(&self) -> Option<u8> {
        self.cursor.peek().ok()
    }

    /// The entries of the tables so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many values have been passed: the steps taken.
    pub fn nodes(&self) -> u32 {
        self.nodes
    }

    /// Passes over the next value.
    pub fn skim(&mut self) -> Result<Skimmed, DecodeError> {
        let (start, before) = (self.cursor.at, self.counts);
        let uses = self.value()?;
        if self.nodes > self.limits.nodes {
            return Err(DecodeError::limit(Limit::Nodes, self.cursor.at));
        }
        let decoded = index(self.nodes)
            .saturating_mul(NODE_BYTES)
            .saturating_add(self.content);
        if decoded > self.limits.decoded_bytes {
            return Err(DecodeError::limit(Limit::DecodedBytes, self.cursor.at));
        }
        Ok(Skimmed {
            start,
            end: self.cursor.at,
            before,
            after: self.counts,
            uses,
        })
    }

    fn value(&mut self) -> Result<TableUse, DecodeError> {
        self.tables.open.clear();
        let mut uses = TableUse::default();
        // The innermost open container; first of all a list of the one value asked for.
        let (mut kind, mut left) = (OpenKind::Counted, 1u32);
        loop {
            match kind {
                OpenKind::Counted => match left.checked_sub(1) {
                    Some(fewer) => left = fewer,
                    None => match self.tables.open.pop() {
                        Some(outer) => {
                            (kind, left) = outer;
                            continue;
                        }
                        None => return Ok(uses),
                    },
                },
                OpenKind::MapValue => kind = OpenKind::MapKey,
                OpenKind::Root => return Ok(uses),
                OpenKind::MapKey | OpenKind::Variable => {
                    if self.cursor.peek()? == 0x5a {
                        self.cursor.at = self.cursor.at.wrapping_add(1);
                        if let Some(outer) = self.tables.open.pop() {
                            (kind, left) = outer;
                        }
                        continue;
                    }
                    if kind == OpenKind::MapKey {
                        kind = OpenKind::MapValue;
                    }
                    // `left` of such a container says where its length is written down.
                    if let Some(length) = self
                        .lengths
                        .as_mut()
                        .and_then(|lengths| lengths.get_mut(index(left)))
                    {
                        *length = length.saturating_add(1);
                    }
                }
            }
            self.nodes = self.nodes.saturating_add(1);
            let mut tag = self.cursor.u8()?;
            let len = SCALAR_LEN.get(usize::from(tag)).copied().unwrap_or(OTHER);
            if len != OTHER {
                self.cursor.at = self.cursor.at.wrapping_add(usize::from(len));
                if self.cursor.at > self.cursor.input.len() {
                    return Err(DecodeError::truncated(self.cursor.input.len()));
                }
                continue;
            }
            let units = usize::from(tag);
            if units < 0x20
                && let Some(raw) = self.cursor.rest().get(..units)
                && is_short_ascii(raw)
                && self.limits.string_len >= 0x20
            {
                self.cursor.at = self.cursor.at.wrapping_add(units);
                self.content = self.content.wrapping_add(units);
                continue;
            }
            if let Some(text) = self.cursor.string_after(tag, &self.limits)? {
                self.content = self.content.saturating_add(text.raw.len());
                continue;
            }
            while tag == 0x43 {
                self.class_definition()?;
                tag = self.cursor.u8()?;
            }
            let Some(opened) = self.container(tag, &mut uses)? else {
                self.leaf(tag, &mut uses)?;
                continue;
            };
            if narrow(self.tables.open.len()) >= self.limits.depth {
                return Err(DecodeError::limit(Limit::Depth, self.cursor.at));
            }
            if self.counts.references >= self.limits.references {
                return Err(DecodeError::limit(Limit::References, self.cursor.at));
            }
            self.counts.references = self.counts.references.saturating_add(1);
            self.tables.open.push((kind, left));
            (kind, left) = opened;
            if kind != OpenKind::Counted
                && let Some(lengths) = &mut self.lengths
            {
                left = narrow(lengths.len());
                lengths.push(0);
            }
        }
    }

    /// What opens with `tag`, if a container does.
    fn container(&mut self, tag: u8, uses: &mut TableUse) -> Result<Option<(OpenKind, u32)>, DecodeError> {
        let len = match tag {
            0x60..=0x6f => return self.object(u32::from(tag & 0x0f), uses).map(Some),
            0x4f => {
                let class = self.cursor.count(Wanted::ClassIndex)?;
                return self.object(class, uses).map(Some);
            }
            0x48 => return Ok(Some((OpenKind::MapKey, 0))),
            0x4d => {
                self.type_name(uses)?;
                return Ok(Some((OpenKind::MapKey, 0)));
            }
            0x57 => return Ok(Some((OpenKind::Variable, 0))),
            0x55 => {
                self.type_name(uses)?;
                return Ok(Some((OpenKind::Variable, 0)));
            }
            0x70..=0x77 => {
                self.type_name(uses)?;
                u32::from(tag & 7)
            }
            0x78..=0x7f => u32::from(tag & 7),
            0x56 => {
                self.type_name(uses)?;
                self.cursor.count(Wanted::ListLength)?
            }
            0x58 => self.cursor.count(Wanted::ListLength)?,
            _ => return Ok(None),
        };
        if index(len) > self.cursor.remaining() {
            return Err(DecodeError::truncated(self.cursor.at));
        }
        Ok(Some((OpenKind::Counted, len)))
    }

    fn object(&mut self, class: u32, uses: &mut TableUse) -> Result<(OpenKind, u32), DecodeError> {
        uses.classes = true;
        match self.tables.class_fields.get(index(class)) {
            Some(fields) => Ok((OpenKind::Counted, *fields)),
            None => Err(self.cursor.error(DecodeErrorKind::BadClass(class))),
        }
    }

    /// A value that is neither a container nor text: binary, a reference, or what follows a class definition.
    fn leaf(&mut self, tag: u8, uses: &mut TableUse) -> Result<(), DecodeError> {
        if let Some((raw, ..)) = self.cursor.binary_after(tag, &self.limits)? {
            self.content = self.content.saturating_add(raw.len());
            return Ok(());
        }
        if tag == 0x51 {
            uses.references = true;
            let reference = self.cursor.count(Wanted::ReferenceIndex)?;
            if reference >= self.counts.references {
                return Err(self.cursor.error(DecodeErrorKind::BadReference(reference)));
            }
            return Ok(());
        }
        let len = SCALAR_LEN.get(usize::from(tag)).copied().unwrap_or(OTHER);
        if len != OTHER {
            self.cursor.take(usize::from(len))?;
            return Ok(());
        }
        match self.cursor.string_after(tag, &self.limits)? {
            Some(text) => {
                self.content = self.content.saturating_add(text.raw.len());
                Ok(())
            }
            None => Err(self.cursor.tag_error(tag)),
        }
    }

    fn type_name(&mut self, uses: &mut TableUse) -> Result<(), DecodeError> {
        let tag = self.cursor.u8()?;
        if let Some(n) = self.cursor.int_after(tag)? {
            uses.types = true;
            return match u32::try_from(n) {
                Ok(n) if n < self.counts.types => Ok(()),
                Ok(n) => Err(self.cursor.error(DecodeErrorKind::BadType(n))),
                Err(_) => Err(self.cursor.error(DecodeErrorKind::Negative(n))),
            };
        }
        if self.counts.types >= self.limits.types {
            return Err(DecodeError::limit(Limit::Types, self.cursor.at));
        }
        self.name(tag, Wanted::TypeName)?;
        self.counts.types = self.counts.types.saturating_add(1);
        Ok(())
    }

    fn name(&mut self, tag: u8, expected: Wanted) -> Result<(), DecodeError> {
        match self.cursor.string_after(tag, &self.limits)? {
            Some(text) => {
                self.content = self.content.saturating_add(text.raw.len());
                Ok(())
            }
            None => Err(self.cursor.error(DecodeErrorKind::Expected { expected, tag })),
        }
    }

    #[cold]
    fn class_definition(&mut self) -> Result<(), DecodeError> {
        if self.counts.classes >= self.limits.classes {
            return Err(DecodeError::limit(Limit::Classes, self.cursor.at));
        }
        let tag = self.cursor.u8()?;
        self.name(tag, Wanted::ClassName)?;
        let fields = self.cursor.count(Wanted::FieldCount)?;
        self.fields = self.fields.saturating_add(fields);
        if fields > self.limits.class_fields || self.fields > self.limits.fields {
            return Err(DecodeError::limit(Limit::Fields, self.cursor.at));
        }
        for _ in 0..fields {
            let tag = self.cursor.u8()?;
            self.name(tag, Wanted::FieldName)?;
        }
        self.tables.class_fields.push(fields);
        self.counts.classes = self.counts.classes.saturating_add(1);
        Ok(())
    }
}
