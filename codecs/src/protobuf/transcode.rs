//! Running the plans: Hessian bytes to protobuf bytes and back, in one walk.
//!
//! No object is built in between. What was lost by a rule that allows it is counted in [`Lossy`].

mod dynamic;
mod number;
mod scalar;
mod time;
mod to_hessian;
mod to_protobuf;
mod write_scalar;

use bytes::Bytes;
use smallvec::SmallVec;

use super::binding::MethodBinding;
use super::error::{Fallible, MappingError, Policy, Rule, Side, fault};
use super::plan::{ArgumentsPlan, ResultPlan, Types};
use crate::hessian2::{self, Limits, Reader, Writer};

use to_hessian::{Slot, ToHessian};
use to_protobuf::{ClassMaps, ToProtobuf};

/// Reusable memory of the conversions. Owned by a worker, lent to each call.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The tables of Hessian streams.
    pub hessian: hessian2::Scratch,
    /// What was lost since the worker last looked.
    pub lossy: Lossy,
    maps: ClassMaps,
    slots: Vec<Slot>,
}

/// How often each rule was applied.
#[derive(Debug, Clone)]
pub struct Lossy {
    counts: Vec<u64>,
}

impl Default for Lossy {
    fn default() -> Self {
        Self {
            counts: vec![0; Rule::ALL.len()],
        }
    }
}

impl Lossy {
    /// How often a rule was applied.
    pub fn count(&self, rule: Rule) -> u64 {
        self.counts.get(rule.index()).copied().unwrap_or(0)
    }

    /// The rules that were applied, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Rule, u64)> + '_ {
        Rule::ALL
            .iter()
            .copied()
            .zip(self.counts.iter().copied())
            .filter(|(_, count)| *count > 0)
    }

    /// Sets all counts back to 0.
    pub fn clear(&mut self) {
        self.counts.fill(0);
    }

    /// Counts the rule if `policy` lets it through.
    #[cold]
    fn apply(&mut self, rule: Rule, policy: Policy, detail: &str) -> Fallible<Policy> {
        if policy == Policy::Error {
            return Err(fault(rule, detail));
        }
        if let Some(count) = self.counts.get_mut(rule.index()) {
            *count = count.saturating_add(1);
        }
        Ok(policy)
    }
}

/// A converted result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertedResult {
    /// Its bytes.
    pub bytes: Bytes,
    /// The result is a null that the message cannot express: say so in the trailer `dubbo-null-result: 1`
    /// (mapping section 7).
    pub null: bool,
}

/// Arguments or results beyond this have their buffer grow.
const FIRST_BUFFER: usize = 256;

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
        let out = Vec::with_capacity(stream.len().saturating_add(FIRST_BUFFER / 4));
        let mut walk = ToProtobuf::new(stream, &self.types, scratch, limits, out);
        let done = match &self.arguments {
            ArgumentsPlan::Whole(conv) => walk.whole(conv).map(|_| ()),
            ArgumentsPlan::Spread(fields) => fields.iter().try_for_each(|field| walk.argument(field)),
            ArgumentsPlan::None => Err(streaming()),
        };
        self.finish(Side::Arguments, done.map(|()| walk.out.into()))
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
        let fields = match &self.arguments {
            ArgumentsPlan::Whole(_) => 1,
            ArgumentsPlan::Spread(fields) => fields.len(),
            ArgumentsPlan::None => return self.finish(Side::Arguments, Err(streaming())),
        };
        if fields != streams.len() {
            let text = format!("{} arguments for {fields} parameters", streams.len());
            return self.finish(Side::Arguments, Err(fault(Rule::Arity, text)));
        }
        let length = streams.iter().map(Bytes::len).fold(0usize, usize::saturating_add);
        let mut out = Vec::with_capacity(length.saturating_add(FIRST_BUFFER / 4));
        for (position, stream) in streams.iter().enumerate() {
            let mut walk = ToProtobuf::new(stream, &self.types, scratch, limits, std::mem::take(&mut out));
            let done = match &self.arguments {
                ArgumentsPlan::Whole(conv) => walk.whole(conv).map(|_| ()),
                ArgumentsPlan::Spread(fields) => match fields.get(position) {
                    Some(field) => walk.argument(field),
                    None => Ok(()),
                },
                ArgumentsPlan::None => Ok(()),
            };
            out = walk.out;
            if let Err(error) = done {
                return self.finish(Side::Arguments, Err(error));
            }
        }
        Ok(out.into())
    }

    /// The request message of a generic call's arguments (`$invoke`): the stream holds the method's name, its parameter
    /// types, and a list of arguments in which objects may be maps with a `class` entry (mapping section 12).
    ///
    /// # Errors
    /// As [`arguments_to_protobuf`](Self::arguments_to_protobuf).
    pub fn generic_to_protobuf(
        &self,
        stream: &[u8],
        scratch: &mut Scratch,
        limits: &Limits,
    ) -> Result<Bytes, MappingError> {
        let out = Vec::with_capacity(stream.len());
        let mut walk = ToProtobuf::new(stream, &self.types, scratch, limits, out);
        let done = walk.generic(&self.arguments);
        self.finish(Side::Arguments, done.map(|()| walk.out.into()))
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
        let mut out = Vec::with_capacity(message.len().saturating_add(FIRST_BUFFER));
        let mut walk = ToHessian::new(Writer::new(&mut out), &self.types, scratch, limits);
        let done = match &self.arguments {
            ArgumentsPlan::Whole(conv) => walk.whole(conv, message),
            ArgumentsPlan::Spread(fields) => walk.fields(message, fields),
            ArgumentsPlan::None => Err(streaming()),
        };
        self.finish(Side::Arguments, done.map(|()| out.into()))
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
        let mut streams = SmallVec::new();
        match &self.arguments {
            ArgumentsPlan::Spread(fields) => {
                for field in fields {
                    let mut out = Vec::with_capacity(message.len().saturating_add(FIRST_BUFFER / 4));
                    let mut walk = ToHessian::new(Writer::new(&mut out), &self.types, scratch, limits);
                    let done = walk.fields(message, std::slice::from_ref(field));
                    streams.push(self.finish(Side::Arguments, done.map(|()| out.into()))?);
                }
            }
            ArgumentsPlan::Whole(_) | ArgumentsPlan::None => {
                streams.push(self.arguments_to_hessian(message, scratch, limits)?);
            }
        }
        Ok(streams)
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
        let out = Vec::with_capacity(stream.len().saturating_add(FIRST_BUFFER / 4));
        let mut walk = ToProtobuf::new(stream, &self.types, scratch, limits, out);
        let done = match &self.result {
            ResultPlan::Whole(conv) => walk.whole(conv),
            ResultPlan::Single(field) => walk.argument(field).map(|()| false),
            ResultPlan::Void => Ok(false),
            ResultPlan::None => Err(streaming()),
        };
        let null = self.finish(Side::Result, done)?;
        if null && self.null_result != super::NullResult::Empty {
            let error = fault(Rule::NullResult, "the method returned null");
            return self.finish(Side::Result, Err(error));
        }
        Ok(ConvertedResult {
            bytes: walk_out(walk),
            null,
        })
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
        if null || matches!(self.result, ResultPlan::Void) {
            return Ok(Bytes::from_static(b"N"));
        }
        let mut out = Vec::with_capacity(message.len().saturating_add(FIRST_BUFFER));
        let mut walk = ToHessian::new(Writer::new(&mut out), &self.types, scratch, limits);
        let done = match &self.result {
            ResultPlan::Whole(conv) => walk.whole(conv, message),
            ResultPlan::Single(field) => walk.fields(message, std::slice::from_ref(&**field)),
            ResultPlan::Void | ResultPlan::None => Err(streaming()),
        };
        self.finish(Side::Result, done.map(|()| out.into()))
    }

    /// The result in a reply message for a generic caller: objects are maps with a `class` entry, enums their names
    /// (mapping section 12).
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
        if null || matches!(self.result, ResultPlan::Void) {
            return Ok(Bytes::from_static(b"N"));
        }
        let mut out = Vec::with_capacity(message.len().saturating_add(FIRST_BUFFER));
        let mut walk = ToHessian::new(Writer::new(&mut out), &self.types, scratch, limits);
        walk.generic = true;
        let done = match &self.result {
            ResultPlan::Whole(conv) => walk.whole(conv, message),
            ResultPlan::Single(field) => walk.fields(message, std::slice::from_ref(&**field)),
            ResultPlan::Void | ResultPlan::None => Err(streaming()),
        };
        self.finish(Side::Result, done.map(|()| out.into()))
    }

    fn finish<T>(&self, side: Side, done: Fallible<T>) -> Result<T, MappingError> {
        done.map_err(|fault| (*fault).into_error(&self.name, side))
    }
}

fn walk_out(walk: ToProtobuf<'_, '_>) -> Bytes {
    walk.out.into()
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
    walk.object(message, token)?;
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
    let mut out = Vec::with_capacity(bytes.len().saturating_add(FIRST_BUFFER));
    let plan = types.message(message);
    let standard = ["detailMessage", "cause", "stackTrace", "suppressedExceptions"];
    let own: Vec<_> = plan
        .fields
        .iter()
        .filter(|field| !standard.contains(&field.java.as_str()))
        .cloned()
        .collect();
    let mut writer = Writer::new(&mut out);
    let names: Vec<&str> = standard
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
    ToHessian::new(writer, types, scratch, limits).fields(bytes, &own)?;
    Ok(out)
}

/// The reader and writer types that the two halves share.
type In<'a, 's> = Reader<'a, 's>;
