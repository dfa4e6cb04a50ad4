//! From the one stream of a Dubbo2 body to one stream an argument, and back.
//!
//! Indexes are absolute in a stream, so an argument behind the first may only be sliced when it reads no table whose base
//! differs (see [`TableUse::may_move`](super::TableUse::may_move)); otherwise it is rewritten: its references and classes
//! are renumbered, and what it needs from earlier arguments is copied in, within [`Limits`].

use bytes::Bytes;
use smallvec::SmallVec;

use super::scratch::RewriteMaps;
use super::wire::index;
use super::{
    Counts, DecodeError, Limit, Limits, Reader, Scratch, Skimmed, Skimmer, Token, TypeNames, Writer,
};

/// Arguments, each a stream of its own.
pub type Arguments = SmallVec<[Bytes; 4]>;

/// No number in the other stream yet.
const NONE: u32 = u32::MAX;

/// Cuts the first `count` values of the stream `input` into streams of their own.
///
/// Slices share `input`'s buffer. A first argument, and every one without table reads, is sliced.
pub fn split_arguments(
    input: &Bytes,
    count: usize,
    scratch: &mut Scratch,
    limits: &Limits,
) -> Result<Arguments, DecodeError> {
    let mut arguments = Arguments::new();
    let mut rewriting: SmallVec<[(usize, Skimmed); 4]> = SmallVec::new();
    let mut skimmer = Skimmer::over(input, &mut scratch.skim, limits);
    for position in 0..count {
        let skimmed = skimmer.skim()?;
        if skimmed.stands_alone() {
            arguments.push(input.slice(skimmed.start..skimmed.end));
        } else {
            arguments.push(Bytes::new());
            rewriting.push((position, skimmed));
        }
    }
    let Some((_, last)) = rewriting.last() else {
        return Ok(arguments);
    };
    // One walk fills the tables; each argument is rewritten when the walk arrives at it.
    let end = last.end;
    let mut reader = Reader::over(input.get(..end).unwrap_or(input), &mut scratch.tables, limits);
    let mut budget = limits.decoded_bytes;
    for (position, skimmed) in rewriting {
        while reader.offset() < skimmed.start {
            reader.skip()?;
        }
        let mut out = Vec::with_capacity(skimmed.end.saturating_sub(skimmed.start));
        let mut writer = Writer::new(&mut out);
        scratch.rewrite.clear();
        copy_value(&mut reader, &mut writer, &mut scratch.rewrite, budget)?;
        budget = budget.saturating_sub(out.len());
        if let Some(argument) = arguments.get_mut(position) {
            *argument = out.into();
        }
    }
    Ok(arguments)
}

/// Joins streams of one value each into one stream. A single one is handed on without a copy.
///
/// Bytes behind a stream's value are dropped.
pub fn join_arguments(
    arguments: &[Bytes],
    scratch: &mut Scratch,
    limits: &Limits,
) -> Result<Bytes, DecodeError> {
    let mut out = Vec::new();
    let mut next = Counts::default();
    for argument in arguments {
        let skimmed = Skimmer::over(argument, &mut scratch.skim, limits).skim()?;
        if let [_] = arguments {
            return Ok(argument.slice(..skimmed.end));
        }
        let mut writer = Writer::continued(&mut out, next, TypeNames::Literal);
        // All arguments share the budget: a type name that stands once is spelt out wherever it is used.
        let budget = limits.decoded_bytes.saturating_sub(writer.len());
        append(argument, &skimmed, &mut writer, scratch, limits, budget)?;
        next = writer.counts();
    }
    Ok(out.into())
}

/// Appends the value `skimmed` of the stream `input`, which begins with empty tables and holds nothing before that value,
/// to a stream that goes on. What has to be rewritten takes at most `budget` bytes.
pub(crate) fn append(
    input: &[u8],
    skimmed: &Skimmed,
    writer: &mut Writer<'_>,
    scratch: &mut Scratch,
    limits: &Limits,
    budget: usize,
) -> Result<(), DecodeError> {
    let value = input.get(..skimmed.end).unwrap_or(input);
    if skimmed.uses.may_move(Counts::default(), writer.counts()) {
        writer.slice(value, skimmed.after);
        return Ok(());
    }
    let mut reader = Reader::over(value, &mut scratch.tables, limits);
    scratch.rewrite.clear();
    copy_value(&mut reader, writer, &mut scratch.rewrite, budget)
}

impl RewriteMaps {
    /// Forgets the stream that was copied to.
    pub(crate) fn clear(&mut self) {
        for from in self.copied.drain(..) {
            if let Some(slot) = self.references.get_mut(index(from)) {
                *slot = NONE;
            }
        }
        self.classes.clear();
    }

    /// What stands as `from` in the source stands as `to` in the copy.
    pub(crate) fn map_reference(&mut self, from: u32, to: u32) {
        set(&mut self.references, from, to);
        self.copied.push(from);
    }
}

/// Copies the next value of `reader` to `writer` with the indexes that it has there; `maps` holds what was copied to the
/// same stream before. A reference to a list, map or object
/// that the writer's stream does not hold is copied in its place. At most `budget` bytes are written.
pub(crate) fn copy_value(
    reader: &mut Reader<'_, '_>,
    writer: &mut Writer<'_>,
    maps: &mut RewriteMaps,
    budget: usize,
) -> Result<(), DecodeError> {
    let depth = reader.depth();
    let start = writer.len();
    // Whether `End` is written: per open container, innermost last.
    let mut marks: SmallVec<[bool; 32]> = SmallVec::new();
    loop {
        match reader.read()? {
            Token::Null => writer.null(),
            Token::Bool(value) => writer.bool(value),
            Token::Int(value) => writer.int(value),
            Token::Long(value) => writer.long(value),
            Token::Double(value) => writer.double(value),
            Token::Date(millis) => writer.date(millis),
            Token::Str(text) => writer.str(text),
            Token::Binary(binary) => match binary.as_slice() {
                Some(bytes) => writer.binary(bytes),
                None => writer.slice(binary.raw, Counts::default()),
            },
            Token::ListStart {
                reference,
                type_index,
                len,
            } => {
                let type_name = type_index.and_then(|of| reader.type_name(of));
                let copy = match len {
                    Some(len) => writer.begin_list_as(type_name, index(len)),
                    None => writer.begin_variable_list(type_name),
                };
                maps.map_reference(reference, copy);
                marks.push(len.is_none());
            }
            Token::MapStart {
                reference,
                type_index,
            } => {
                let type_name = type_index.and_then(|of| reader.type_name(of));
                maps.map_reference(reference, writer.begin_map_as(type_name));
                marks.push(true);
            }
            Token::ObjectStart { reference, class } => {
                let copy = copy_class(reader, writer, &mut maps.classes, class);
                maps.map_reference(reference, writer.begin_object(copy));
                marks.push(false);
            }
            Token::Ref(reference) => match known(&maps.references, reference) {
                Some(copy) => writer.reference(copy),
                None => {
                    reader.enter(reference)?;
                    continue;
                }
            },
            Token::End => {
                if marks.pop() == Some(true) {
                    writer.end();
                }
            }
        }
        if writer.len().saturating_sub(start) > budget {
            return Err(DecodeError::limit(Limit::DecodedBytes, reader.offset()));
        }
        if reader.depth() == depth {
            return Ok(());
        }
    }
}

fn copy_class(reader: &Reader<'_, '_>, writer: &mut Writer<'_>, classes: &mut Vec<u32>, class: u32) -> u32 {
    if let Some(copy) = known(classes, class) {
        return copy;
    }
    let Some(definition) = reader.class(class) else {
        return NONE;
    };
    let copy = writer.begin_class(definition.field_count(), |writer| writer.str(definition.name()));
    definition.fields().for_each(|field| writer.str(field));
    set(classes, class, copy);
    copy
}

fn known(map: &[u32], from: u32) -> Option<u32> {
    map.get(index(from)).copied().filter(|to| *to != NONE)
}

fn set(map: &mut Vec<u32>, from: u32, to: u32) {
    let from = index(from);
    if from >= map.len() {
        map.resize(from.saturating_add(1), NONE);
    }
    if let Some(slot) = map.get_mut(from) {
        *slot = to;
    }
}
