//! The key-values that travel with a call.
//!
//! They are read from the wire they came on only when asked for: from the Hessian map of a Dubbo2 body, or from HTTP
//! headers. What the bridge sets or removes lies over that. Nothing is allocated for an attachment that is not read.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;

use crate::hessian2::arguments::{append, copy_value};
use crate::hessian2::wire::Cursor;
use crate::hessian2::{
    Counts, DecodeError, Limits, Reader, Scratch, Skimmed, Skimmer, Str, TableUse, Token, Writer,
};
use crate::invocation::Text;
use crate::value::json::java_double;

/// Attachments of a call or a reply.
#[derive(Clone, Debug, Default)]
pub struct Attachments {
    source: Source,
    /// What was set (`Some`) or removed (`None`) since; one entry a name.
    changes: Vec<(Text, Option<Text>)>,
}

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    Empty,
    Hessian(HessianMap),
    Headers(Arc<HeaderMap>),
}

/// A Hessian map as one stream of its own.
#[derive(Clone, Debug)]
struct HessianMap {
    bytes: Bytes,
    skimmed: Skimmed,
}

/// One attachment's value.
#[derive(Clone, Debug, PartialEq)]
pub enum AttachmentValue<'a> {
    /// Text: what nearly all attachments are. A lone surrogate has become U+FFFD.
    Text(Cow<'a, str>),
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// An int (`timeout` of Dubbo 3.0.6 to 3.1.6, `_TO`).
    Int(i32),
    /// A long.
    Long(i64),
    /// A double.
    Double(f64),
    /// Anything else, as one Hessian value; `None` when its bytes mean nothing outside their stream.
    Other(Option<&'a [u8]>),
}

impl<'a> AttachmentValue<'a> {
    /// Text, or a scalar as Java's text, as every Dubbo peer can take it. `None` for null and for anything else.
    pub fn to_text(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            Self::Int(value) => Some(Cow::Owned(value.to_string())),
            Self::Long(value) => Some(Cow::Owned(value.to_string())),
            Self::Double(value) => Some(Cow::Owned(java_double(*value))),
            Self::Null | Self::Other(_) => None,
        }
    }
}

impl Attachments {
    /// No attachments.
    pub fn new() -> Self {
        Self::default()
    }

    /// The attachments of the one Hessian map (or null) at the start of `bytes`, a stream of its own.
    pub fn from_hessian(bytes: Bytes, scratch: &mut Scratch, limits: &Limits) -> Result<Self, DecodeError> {
        let skimmed = Skimmer::new(&bytes, scratch, limits).skim()?;
        Ok(Self::from_skimmed(bytes.slice(..skimmed.end), skimmed))
    }

    /// The attachments of a map whose bytes mean the same in a stream of their own.
    pub(crate) fn from_skimmed(bytes: Bytes, skimmed: Skimmed) -> Self {
        let skimmed = Skimmed {
            start: 0,
            end: bytes.len(),
            before: Counts::default(),
            after: skimmed.after.minus(skimmed.before),
            uses: skimmed.uses,
        };
        let source = match bytes.first() {
            Some(0x48 | 0x4d) => Source::Hessian(HessianMap { bytes, skimmed }),
            _ => Source::Empty,
        };
        Self {
            source,
            changes: Vec::new(),
        }
    }

    /// The attachments that came as HTTP headers or trailers, all of them; the caller removes what is none.
    pub fn from_headers(headers: impl Into<Arc<HeaderMap>>) -> Self {
        Self {
            source: Source::Headers(headers.into()),
            changes: Vec::new(),
        }
    }

    /// The attachment of this name. Names are case-sensitive, but for those that came as HTTP headers.
    ///
    /// Of a name that came twice the last one counts, as in Java.
    pub fn get(&self, name: &str) -> Option<AttachmentValue<'_>> {
        if let Some((_, change)) = self.change(name) {
            return change
                .as_ref()
                .map(|text| AttachmentValue::Text(Cow::Borrowed(text.as_str())));
        }
        match &self.source {
            Source::Empty => None,
            Source::Headers(headers) => headers
                .get_all(name)
                .iter()
                .next_back()
                .map(|value| AttachmentValue::Text(String::from_utf8_lossy(value.as_bytes()))),
            Source::Hessian(map) => {
                let last = map.entries().filter(|entry| entry.is_named(name)).last()?;
                Some(last.value())
            }
        }
    }

    /// The attachment of this name as text; see [`AttachmentValue::to_text`].
    pub fn get_text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name)?.to_text()
    }

    /// Whether there is an attachment of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Sets an attachment.
    pub fn set(&mut self, name: impl Into<Text>, value: impl Into<Text>) {
        self.put(name.into(), Some(value.into()));
    }

    /// Removes an attachment.
    pub fn remove(&mut self, name: &str) {
        let in_source = match &self.source {
            Source::Empty => false,
            Source::Headers(headers) => headers.contains_key(name),
            Source::Hessian(map) => map.entries().any(|entry| entry.is_named(name)),
        };
        if in_source {
            self.put(name.into(), None);
        } else {
            let ignore_case = self.headers().is_some();
            self.changes
                .retain(|(known, _)| !is_same(known, name, ignore_case));
        }
    }

    fn put(&mut self, name: Text, value: Option<Text>) {
        let ignore_case = self.headers().is_some();
        let known = self
            .changes
            .iter_mut()
            .find(|(known, _)| is_same(known, &name, ignore_case));
        match known {
            Some((_, known)) => *known = value,
            None => self.changes.push((name, value)),
        }
    }

    fn change(&self, name: &str) -> Option<&(Text, Option<Text>)> {
        let ignore_case = self.headers().is_some();
        self.changes
            .iter()
            .find(|(known, _)| is_same(known, name, ignore_case))
    }

    /// All attachments: those received, in their order and as changed since, then those added.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, AttachmentValue<'_>)> {
        let (map, headers) = match &self.source {
            Source::Empty => (None, None),
            Source::Hessian(map) => (Some(map.entries()), None),
            Source::Headers(headers) => (None, Some(headers.iter())),
        };
        let map = map.into_iter().flatten().filter(|entry| !self.is_changed(entry));
        let map = map.map(|entry| (entry.name(), entry.value()));
        let headers = headers.into_iter().flatten();
        let headers = headers.filter(|(name, _)| self.change(name.as_str()).is_none());
        let headers = headers.map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (Cow::Borrowed(name.as_str()), AttachmentValue::Text(value))
        });
        map.chain(headers).chain(self.added())
    }

    fn added(&self) -> impl Iterator<Item = (Cow<'_, str>, AttachmentValue<'_>)> {
        self.changes.iter().filter_map(|(name, value)| {
            let value = value.as_ref()?;
            let value = AttachmentValue::Text(Cow::Borrowed(value.as_str()));
            Some((Cow::Borrowed(name.as_str()), value))
        })
    }

    fn is_changed(&self, entry: &Entry<'_>) -> bool {
        // No allocation: names are compared where they lie.
        self.changes.iter().any(|(name, _)| entry.is_named(name.as_str()))
    }

    /// Whether they are still exactly what was received.
    pub fn is_untouched(&self) -> bool {
        self.changes.is_empty()
    }

    /// The Hessian map exactly as received, when nothing was changed since: to be handed on in place of a new one.
    pub fn untouched_hessian(&self) -> Option<&Bytes> {
        match &self.source {
            Source::Hessian(map) if self.changes.is_empty() => Some(&map.bytes),
            _ => None,
        }
    }

    /// The HTTP headers they came as.
    pub fn headers(&self) -> Option<&HeaderMap> {
        match &self.source {
            Source::Headers(headers) => Some(headers),
            _ => None,
        }
    }

    /// What was set since they were received, under the names it was set with.
    pub fn changed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.changes
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.as_ref()?.as_str())))
    }

    /// Whether an attachment was set or removed since they were received.
    pub fn is_changed_name(&self, name: &str) -> bool {
        self.change(name).is_some()
    }

    /// Whether a received value reads the tables of its stream, so that writing it depends on what stands before.
    pub fn uses_tables(&self) -> bool {
        match &self.source {
            Source::Hessian(map) => map.skimmed.uses.any(),
            _ => false,
        }
    }

    /// Writes them as one untyped Hessian map; as the very bytes received when nothing was changed since and those mean
    /// the same here.
    pub fn write_hessian(
        &self,
        writer: &mut Writer<'_>,
        scratch: &mut Scratch,
        limits: &Limits,
    ) -> Result<(), DecodeError> {
        match &self.source {
            Source::Hessian(map) if self.changes.is_empty() => append(
                &map.bytes,
                &map.skimmed,
                writer,
                scratch,
                limits,
                limits.decoded_bytes,
            ),
            Source::Hessian(map) if map.skimmed.uses.any() => self.rewrite_map(map, writer, scratch, limits),
            source => {
                writer.begin_map(None);
                if let Source::Hessian(map) = source {
                    for entry in map.entries().filter(|entry| !self.is_changed(entry)) {
                        writer.slice(entry.bytes, entry.adds);
                    }
                }
                if let Source::Headers(headers) = source {
                    for (name, value) in headers.iter() {
                        if self.change(name.as_str()).is_none() {
                            writer.string(name.as_str());
                            writer.string(&String::from_utf8_lossy(value.as_bytes()));
                        }
                    }
                }
                self.write_added(writer);
                writer.end();
                Ok(())
            }
        }
    }

    fn write_added(&self, writer: &mut Writer<'_>) {
        for (name, value) in &self.changes {
            if let Some(value) = value {
                writer.string(name.as_str());
                writer.string(value.as_str());
            }
        }
    }

    /// The slow path: values that share objects, and changes over them.
    fn rewrite_map(
        &self,
        map: &HessianMap,
        writer: &mut Writer<'_>,
        scratch: &mut Scratch,
        limits: &Limits,
    ) -> Result<(), DecodeError> {
        let mut reader = Reader::over(&map.bytes, &mut scratch.tables, limits);
        scratch.rewrite.clear();
        let most = writer.len().saturating_add(limits.decoded_bytes);
        if let Token::MapStart { reference, .. } = reader.read()? {
            scratch.rewrite.map_reference(reference, writer.begin_map(None));
            loop {
                let mark = reader.mark();
                let key = reader.read()?;
                if key == Token::End {
                    break;
                }
                if let Token::Str(name) = key
                    && self.changes.iter().any(|(known, _)| name.is(known.as_str()))
                {
                    reader.skip()?;
                    continue;
                }
                if reader.rewind(&mark) {
                    for _ in 0..2 {
                        let budget = most.saturating_sub(writer.len());
                        copy_value(&mut reader, writer, &mut scratch.rewrite, budget)?;
                    }
                }
            }
        } else {
            writer.begin_map(None);
        }
        self.write_added(writer);
        writer.end();
        Ok(())
    }
}

/// Header names come in lower case, whatever case they are asked for in.
fn is_same(known: &str, name: &str, ignore_case: bool) -> bool {
    if ignore_case {
        known.eq_ignore_ascii_case(name)
    } else {
        known == name
    }
}

impl HessianMap {
    fn entries(&self) -> Entries<'_> {
        let mut cursor = Cursor::new(&self.bytes);
        let mut counts = Counts::default();
        // The map was skimmed when it was received: what follows cannot fail.
        if let Ok(0x4d) = cursor.u8()
            && let Ok(tag) = cursor.u8()
            && let Ok(Some(_)) = cursor.string_after(tag, &UNLIMITED)
        {
            counts.types = 1;
        }
        counts.references = 1;
        Entries {
            cursor,
            counts,
            scratch: Scratch::new(),
        }
    }
}

/// For bytes that have passed the caller's limits.
const UNLIMITED: Limits = Limits {
    depth: u32::MAX,
    nodes: u32::MAX,
    decoded_bytes: usize::MAX,
    classes: u32::MAX,
    class_fields: u32::MAX,
    fields: u32::MAX,
    string_len: u32::MAX,
    types: u32::MAX,
    references: u32::MAX,
};

/// The entries of a map that was skimmed before.
struct Entries<'a> {
    cursor: Cursor<'a>,
    counts: Counts,
    /// Used, and allocating, only for values that are no scalars.
    scratch: Scratch,
}

#[derive(Clone, Copy)]
struct Entry<'a> {
    /// Key and value.
    bytes: &'a [u8],
    key: Option<Str<'a>>,
    key_bytes: &'a [u8],
    value: &'a [u8],
    uses: TableUse,
    adds: Counts,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let start = self.cursor.at;
        if matches!(self.cursor.peek(), Ok(0x5a) | Err(_)) {
            return None;
        }
        let before = self.counts;
        let (key, key_uses) = self.value()?;
        let middle = self.cursor.at;
        let (_, uses) = self.value()?;
        let input = self.cursor.input;
        Some(Entry {
            bytes: input.get(start..self.cursor.at)?,
            key,
            key_bytes: input.get(start..middle)?,
            value: input.get(middle..self.cursor.at)?,
            uses: TableUse {
                classes: uses.classes || key_uses.classes,
                types: uses.types || key_uses.types,
                references: uses.references || key_uses.references,
            },
            adds: self.counts.minus(before),
        })
    }
}

impl<'a> Entries<'a> {
    fn value(&mut self) -> Option<(Option<Str<'a>>, TableUse)> {
        let mut ahead = self.cursor;
        let tag = ahead.u8().ok()?;
        if let Ok(Some(text)) = ahead.string_after(tag, &UNLIMITED) {
            self.cursor = ahead;
            return Some((Some(Str(text)), TableUse::default()));
        }
        let Cursor { input, at } = self.cursor;
        let mut skimmer = Skimmer::resume(input, at, &mut self.scratch.skim, self.counts, &UNLIMITED);
        let skimmed = skimmer.skim().ok()?;
        self.cursor.at = skimmed.end;
        self.counts = skimmed.after;
        Some((None, skimmed.uses))
    }
}

impl<'a> Entry<'a> {
    fn is_named(&self, name: &str) -> bool {
        match self.key {
            Some(key) => key.is(name),
            None => self.name() == name,
        }
    }

    /// The key; a scalar that is no string as text, as Java reads it, and anything else as the empty string.
    fn name(&self) -> Cow<'a, str> {
        match self.key {
            Some(key) => key.to_cow(),
            None => value_of(self.key_bytes, false).to_text().unwrap_or_default(),
        }
    }

    fn value(&self) -> AttachmentValue<'a> {
        value_of(self.value, !self.uses.any())
    }
}

fn value_of(bytes: &[u8], stands_alone: bool) -> AttachmentValue<'_> {
    let mut cursor = Cursor::new(bytes);
    let Ok(tag) = cursor.u8() else {
        return AttachmentValue::Null;
    };
    if let Ok(Some(text)) = cursor.string_after(tag, &UNLIMITED) {
        return AttachmentValue::Text(Str(text).to_cow());
    }
    if let Ok(Some(value)) = cursor.int_after(tag) {
        return AttachmentValue::Int(value);
    }
    if let Ok(Some(value)) = cursor.long_after(tag) {
        return AttachmentValue::Long(value);
    }
    if let Ok(Some(value)) = cursor.double_after(tag) {
        return AttachmentValue::Double(value);
    }
    match tag {
        0x4e => AttachmentValue::Null,
        0x54 => AttachmentValue::Bool(true),
        0x46 => AttachmentValue::Bool(false),
        _ => AttachmentValue::Other(stands_alone.then_some(bytes)),
    }
}
