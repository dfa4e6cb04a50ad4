//! Running the plans: Hessian bytes to protobuf bytes and back, in one walk.
//!
//! No object is built in between. What was lost by a rule that allows it is counted in [`Lossy`].

mod classes;
mod dynamic;
mod elements;
mod in_order;
mod number;
mod scalar;
pub(super) mod time;
mod to_hessian;
mod to_protobuf;
mod write_scalar;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use smallvec::SmallVec;

use super::binding::MethodBinding;
use super::error::{Fallible, MappingError, Policy, Rule, Side, fault};
use super::plan::{ArgumentsPlan, ResultPlan, Types};
use super::wire::append;
use crate::hessian2::{self, Limits, Reader, Writer};

use classes::{ClassMaps, THROWABLE};
use elements::Entry;
use to_hessian::{Others, Slot, ToHessian};
use to_protobuf::{Segment, ToProtobuf};

/// Reusable memory of the conversions. Owned by a worker, lent to each call.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The tables of Hessian streams.
    pub hessian: hessian2::Scratch,
    /// What was lost.
    pub lossy: Lossy,
    maps: ClassMaps,
    segments: Vec<Segment>,
    slots: Vec<Slot>,
    entries: Vec<Entry>,
    open: Vec<(u32, u32)>,
    out: Vec<u8>,
}

impl Scratch {
    /// Memory whose losses are counted where others see them.
    pub fn counting(lossy: Lossy) -> Self {
        Self {
            lossy,
            ..Self::default()
        }
    }
}

/// How often each rule was applied. A clone shows the same counts: one worker writes them, telemetry reads them.
#[derive(Debug, Clone)]
pub struct Lossy {
    counts: Arc<[AtomicU64]>,
}

impl Default for Lossy {
    fn default() -> Self {
        Self {
            counts: Rule::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl Lossy {
    /// How often a rule was applied.
    pub fn count(&self, rule: Rule) -> u64 {
        self.counts
            .get(rule.index())
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// The rules that were applied, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Rule, u64)> + '_ {
        Rule::ALL
            .iter()
            .map(|rule| (*rule, self.count(*rule)))
            .filter(|(_, count)| *count > 0)
    }

    /// Sets all counts back to 0.
    pub fn clear(&mut self) {
        for count in self.counts.iter() {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// Counts the rule if `policy` lets it through.
    #[cold]
    fn apply(&mut self, rule: Rule, policy: Policy, detail: &str) -> Fallible<Policy> {
        if policy == Policy::Error {
            return Err(fault(rule, detail));
        }
        if let Some(count) = self.counts.get(rule.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(policy)
    }
}

/// A converted result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertedResult {
    /// Its bytes.
    pub bytes: Bytes,
    /// The result is a null that the message cannot express: say so in the trailer `dubbo-null-result: 1`.
    pub null: bool,
}

/// What a worker keeps of the buffer that conversions write into.
const MOST_KEPT: usize = 1 << 20;

/// From how many bytes on a message is written into a buffer of its own.
const LARGE: usize = 8 << 10;

/// What such a buffer begins with at most: a stream that is refused at its first bytes must not have cost its length.
const MOST_AT_ONCE: usize = 256 << 10;

impl MethodBinding {
    /// The request message of arguments that lie one after another in one stream, as in a Dubbo2 body.
    ///
    /// # Errors
    /// What the binding's rules refuse; a stream that is no Hessian 2, or passes a limit.
    pub fn arguments_to_protobuf(
        &self,
        stream: &[u8],
        scratch: &mut Scratch,
        limits: &Limits,
    ) -> Result<Bytes, MappingError> {
        self.convert(Side::Arguments, stream.len(), scratch, |scratch, out| {
            walk(&self.types, stream, scratch, limits, out, |walk| {
                match &self.arguments {
                    ArgumentsPlan::Whole(conv) => walk.whole(conv).map(drop),
                    ArgumentsPlan::Spread(fields) => fields.iter().try_for_each(|field| walk.argument(field)),
                    ArgumentsPlan::None => Err(streaming()),
                }
            })
        })
        .map(|(bytes, ())| bytes)
    }

    /// The request message of arguments that are a stream each, as in a wrapper.
    ///
    /// # Errors
    /// As [`arguments_to_protobuf`](Self::arguments_to_protobuf), and when their number is another than the method's.
    pub fn streams_to_protobuf(
        &self,
        streams: &[Bytes],
        scratch: &mut Scratch,
        limits: &Limits,
    ) -> Result<Bytes, MappingError> {
        self.convert(
            Side::Arguments,
            streams.iter().map(Bytes::len).sum(),
            scratch,
            |scratch, out| match &self.arguments {
                ArgumentsPlan::Whole(conv) => match streams {
                    [stream] => walk(&self.types, stream, scratch, limits, out, |walk| {
                        walk.whole(conv).map(drop)
                    }),
                    _ => Err(arity(streams.len(), 1)),
                },
                ArgumentsPlan::Spread(fields) if fields.len() == streams.len() => {
                    fields.iter().zip(streams).try_for_each(|(field, stream)| {
                        walk(&self.types, stream, scratch, limits, out, |walk| {
                            walk.argument(field)
                        })
                    })
                }
                ArgumentsPlan::Spread(fields) => Err(arity(streams.len(), fields.len())),
                ArgumentsPlan::None => Err(streaming()),
            },
        )
        .map(|(bytes, ())| bytes)
    }

    /// The request message of a generic call's arguments (`$invoke`): the stream holds the method's name, its parameter
    /// types, and a list of arguments in which objects may be maps with a `class` entry.
    ///
    /// # Errors
    /// As [`arguments_to_protobuf`](Self::arguments_to_protobuf).
    pub fn generic_to_protobuf(
        &self,
        stream: &[u8],
        scratch: &mut Scratch,
        limits: &Limits,
    ) -> Result<Bytes, MappingError> {
        self.convert(Side::Arguments, stream.len(), scratch, |scratch, out| {
            walk(&self.types, stream, scratch, limits, out, |walk| {
                walk.generic(&self.arguments)
            })
        })
        .map(|(bytes, ())| bytes)
    }

    /// The arguments of a request message, one after another in one stream.
    ///
    /// # Errors
    /// What the binding's rules refuse; bytes that are no such message.
    pub fn arguments_to_hessian(
        &self,
        message: &[u8],
        scratch: &mut Scratch,
        limits: &Limits,
    ) -> Result<Bytes, MappingError> {
        self.convert(Side::Arguments, message.len(), scratch, |scratch, out| {
            let mut walk = ToHessian::new(Writer::new(out), &self.types, scratch, limits);
            match &self.arguments {
                ArgumentsPlan::Whole(conv) => walk.whole(conv, message),
                ArgumentsPlan::Spread(fields) => walk.fields(message, fields, Others::Unknown),
                ArgumentsPlan::None => Err(streaming()),
            }
        })
        .map(|(bytes, ())| bytes)
    }

    /// The arguments of a request message, a stream each.
    ///
    /// # Errors
    /// As [`arguments_to_hessian`](Self::arguments_to_hessian).
    pub fn arguments_to_streams(
        &self,
        message: &[u8],
        scratch: &mut Scratch,
        limits: &Limits,
    ) -> Result<SmallVec<[Bytes; 4]>, MappingError> {
        let ArgumentsPlan::Spread(fields) = &self.arguments else {
            let whole = self.arguments_to_hessian(message, scratch, limits)?;
            return Ok(smallvec::smallvec![whole]);
        };
        fields
            .iter()
            .enumerate()
            .map(|(position, field)| {
                let one = self.convert(Side::Arguments, message.len(), scratch, |scratch, out| {
                    let mut walk = ToHessian::new(Writer::new(out), &self.types, scratch, limits);
                    if position == 0 {
                        walk.count_unknown(message, fields)?;
                    }
                    walk.fields(message, std::slice::from_ref(field), Others::Elsewhere)
                });
                one.map(|(bytes, ())| bytes)
            })
            .collect()
    }

    /// The reply message of a result, which is the one value of its stream.
    ///
    /// # Errors
    /// What the binding's rules refuse; a stream that is no Hessian 2, or passes a limit.
    pub fn result_to_protobuf(
        &self,
        stream: &[u8],
        scratch: &mut Scratch,
        limits: &Limits,
    ) -> Result<ConvertedResult, MappingError> {
        let (bytes, null) = self.convert(Side::Result, stream.len(), scratch, |scratch, out| {
            let null = walk(&self.types, stream, scratch, limits, out, |walk| {
                match &self.result {
                    ResultPlan::Whole(conv) => walk.whole(conv),
                    ResultPlan::Single(field) => walk.argument(field).map(|()| false),
                    ResultPlan::Void => Ok(false),
                    ResultPlan::None => Err(streaming()),
                }
            })?;
            if null && self.null_result != super::NullResult::Empty {
                return Err(fault(Rule::NullResult, "the method returned null"));
            }
            Ok(null)
        })?;
        Ok(ConvertedResult { bytes, null })
    }

    /// The result in a reply message as a stream of its one value. `null`: the reply had the trailer
    /// `dubbo-null-result: 1`.
    ///
    /// # Errors
    /// What the binding's rules refuse; bytes that are no such message.
    pub fn result_to_hessian(
        &self,
        message: &[u8],
        null: bool,
        scratch: &mut Scratch,
        limits: &Limits,
    ) -> Result<Bytes, MappingError> {
        self.result(message, null, false, scratch, limits)
    }

    /// The result in a reply message for a generic caller: objects are maps with a `class` entry, enums their names.
    ///
    /// # Errors
    /// As [`result_to_hessian`](Self::result_to_hessian).
    pub fn result_to_generic(
        &self,
        message: &[u8],
        null: bool,
        scratch: &mut Scratch,
        limits: &Limits,
    ) -> Result<Bytes, MappingError> {
        self.result(message, null, true, scratch, limits)
    }

    fn result(
        &self,
        message: &[u8],
        null: bool,
        generic: bool,
        scratch: &mut Scratch,
        limits: &Limits,
    ) -> Result<Bytes, MappingError> {
        if null || matches!(self.result, ResultPlan::Void) {
            return Ok(Bytes::from_static(b"N"));
        }
        self.convert(Side::Result, message.len(), scratch, |scratch, out| {
            let mut walk = ToHessian::new(Writer::new(out), &self.types, scratch, limits);
            walk.generic = generic;
            match &self.result {
                ResultPlan::Whole(conv) => walk.whole(conv, message),
                ResultPlan::Single(field) => {
                    let fields = std::slice::from_ref(&**field);
                    walk.fields(message, fields, Others::Unknown)
                }
                ResultPlan::Void | ResultPlan::None => Err(streaming()),
            }
        })
        .map(|(bytes, ())| bytes)
    }

    /// Runs a conversion of `len` bytes into the worker's buffer, and gives what it wrote in a buffer of its size: the one
    /// allocation. What is large is written where it stays instead, so that it is copied once.
    fn convert<T>(
        &self,
        side: Side,
        len: usize,
        scratch: &mut Scratch,
        run: impl FnOnce(&mut Scratch, &mut Vec<u8>) -> Fallible<T>,
    ) -> Result<(Bytes, T), MappingError> {
        if len > LARGE {
            let mut out = Vec::with_capacity(len.saturating_add(len >> 4).min(MOST_AT_ONCE));
            let done = run(scratch, &mut out).map(|more| (out, more));
            return match done {
                // Much larger than what it holds: it would be held for as long as the message is.
                Ok((out, more)) if out.capacity() >> 1 > out.len() => Ok((copied(&out), more)),
                Ok((out, more)) => Ok((Bytes::from(out), more)),
                Err(fault) => Err((*fault).into_error(&self.name, side)),
            };
        }
        let mut out = std::mem::take(&mut scratch.out);
        out.clear();
        let done = run(scratch, &mut out);
        let done = done.map(|more| (copied(&out), more));
        if out.capacity() <= MOST_KEPT {
            scratch.out = out;
        }
        done.map_err(|fault| (*fault).into_error(&self.name, side))
    }
}

/// The bytes in a buffer of their size.
fn copied(bytes: &[u8]) -> Bytes {
    let mut copy = Vec::with_capacity(bytes.len());
    append(bytes, &mut copy);
    Bytes::from(copy)
}

/// One walk over a Hessian stream that appends to `out`.
fn walk<'a, 's, T>(
    types: &'s Types,
    stream: &'a [u8],
    scratch: &'s mut Scratch,
    limits: &Limits,
    out: &mut Vec<u8>,
    run: impl FnOnce(&mut ToProtobuf<'a, 's>) -> Fallible<T>,
) -> Fallible<T> {
    let mut walk = ToProtobuf::new(stream, types, scratch, limits, std::mem::take(out));
    let done = run(&mut walk);
    *out = walk.out;
    done
}

#[cold]
fn arity(found: usize, wanted: usize) -> Box<super::error::Fault> {
    fault(Rule::Arity, format!("{found} arguments for {wanted} parameters"))
}

#[cold]
fn streaming() -> Box<super::error::Fault> {
    fault(Rule::Kind, "the rpc streams: it is not translated")
}

/// A message's own fields out of an object that is the one value of a stream: for exceptions bound to a message.
pub(crate) fn object_to_protobuf(
    types: &Types,
    message: u32,
    stream: &[u8],
    scratch: &mut Scratch,
    limits: &Limits,
) -> Fallible<Vec<u8>> {
    let mut walk = ToProtobuf::new(stream, types, scratch, limits, Vec::new());
    let token = walk.read_value()?;
    walk.object(message, &token)?;
    Ok(walk.out)
}

/// A Throwable of a class whose own fields are in a message.
pub(crate) fn throwable_of_message(
    types: &Types,
    message: u32,
    class: &str,
    text: &str,
    bytes: &[u8],
    scratch: &mut Scratch,
    limits: &Limits,
) -> Fallible<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len().saturating_add(256));
    let plan = types.message(message);
    let own: Vec<_> = plan
        .fields
        .iter()
        .filter(|field| !THROWABLE.contains(&field.java.as_str()))
        .cloned()
        .collect();
    let mut writer = Writer::new(&mut out);
    let names: Vec<&str> = THROWABLE
        .into_iter()
        .chain(own.iter().map(|field| field.java.as_str()))
        .collect();
    let class = writer.define_class(class, names);
    writer.begin_object(class);
    writer.string(text);
    writer.null();
    // An empty list, never null: old JDKs fail on it.
    writer.begin_list(Some("[java.lang.StackTraceElement"), 0);
    writer.null();
    ToHessian::new(writer, types, scratch, limits).fields(bytes, &own, Others::Elsewhere)?;
    Ok(out)
}

/// The reader and writer types that the two halves share.
type In<'a, 's> = Reader<'a, 's>;
