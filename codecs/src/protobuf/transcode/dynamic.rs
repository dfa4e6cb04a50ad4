//! Values without a plan: `java.lang.Object` and its protobuf forms.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::error::{Fallible, Rule, fault};
use super::super::plan::{Conv, F, J};
use super::super::wire::{self, Fields, Wire, put_bytes, put_tag, put_varint, unzigzag, zigzag};
use super::scalar::{exact_double, split_millis, unexpected};
use super::time::instant_text;
use super::to_hessian::ToHessian;
use super::to_protobuf::{ToProtobuf, cut_proxy, short_name};
use crate::hessian2::{Token, TypeIndex};
use crate::triple::status::details::TYPE_URL_PREFIX;

/// The kinds of `gw.v1.JavaValue`.
mod kind {
    pub(super) const NULL: u32 = 1;
    pub(super) const BOOL: u32 = 2;
    pub(super) const INT: u32 = 3;
    pub(super) const LONG: u32 = 4;
    pub(super) const DOUBLE: u32 = 5;
    pub(super) const STRING: u32 = 6;
    pub(super) const BYTES: u32 = 7;
    pub(super) const DATE: u32 = 8;
    pub(super) const LIST: u32 = 9;
    pub(super) const MAP: u32 = 10;
    pub(super) const OBJECT: u32 = 11;
    pub(super) const ENUM: u32 = 12;
    pub(super) const DECIMAL: u32 = 13;
    pub(super) const BIG_INTEGER: u32 = 14;
}

/// Java classes of objects that are one number.
const BIG_DECIMAL: &str = "java.math.BigDecimal";
const BIG_INTEGER: &str = "java.math.BigInteger";

impl<'a> ToProtobuf<'a, '_> {
    /// The content of a message for a value of any kind. `token` is not null unless the message can say so.
    pub(super) fn dynamic(&mut self, conv: &Conv, token: Token<'a>) -> Fallible<()> {
        self.within_limit()?;
        let keep_class = conv.keep_class;
        match conv.proto {
            F::JavaValue => self.java_value(token),
            F::Value => self.json_value(keep_class, token),
            F::Struct => self.json_struct(keep_class, token),
            F::ListValue => match token {
                Token::ListStart { .. } => self.json_list(keep_class),
                other => Err(unexpected(J::Collection, &other)),
            },
            _ => self.any(&conv.any_types, token),
        }
    }

    /// An unbound Java field as an entry of the map that collects them.
    pub(super) fn collected(&mut self, number: u32, name: &str, token: Token<'a>) -> Fallible<()> {
        let entry = wire::begin(number, &mut self.out);
        put_bytes(1, name.as_bytes(), &mut self.out);
        let value = wire::begin(2, &mut self.out);
        self.java_value(token)?;
        wire::end(value, &mut self.out);
        wire::end(entry, &mut self.out);
        Ok(())
    }

    fn java_value(&mut self, token: Token<'a>) -> Fallible<()> {
        match token {
            Token::Null => self.tagged_varint(kind::NULL, 0),
            Token::Bool(value) => self.tagged_varint(kind::BOOL, u64::from(value)),
            Token::Int(value) => self.tagged_varint(kind::INT, zigzag(i64::from(value)) & 0xffff_ffff),
            Token::Long(value) => self.tagged_varint(kind::LONG, zigzag(value)),
            Token::Double(value) => {
                put_tag(kind::DOUBLE, wire::FIXED64, &mut self.out);
                self.out.extend_from_slice(&value.to_bits().to_le_bytes());
            }
            Token::Str(text) => {
                let text = self.utf8(text)?;
                put_bytes(kind::STRING, text.as_bytes(), &mut self.out);
            }
            Token::Binary(bytes) => put_bytes(kind::BYTES, &bytes.to_cow(), &mut self.out),
            Token::Date(millis) => {
                let (seconds, nanos) = split_millis(millis);
                let start = wire::begin(kind::DATE, &mut self.out);
                if seconds != 0 {
                    self.tagged_varint(1, seconds.cast_unsigned());
                }
                if nanos != 0 {
                    self.tagged_varint(2, u64::from(nanos));
                }
                wire::end(start, &mut self.out);
            }
            Token::ListStart { type_index, .. } => {
                let start = wire::begin(kind::LIST, &mut self.out);
                self.type_name(type_index)?;
                loop {
                    let token = self.read_value()?;
                    if token == Token::End {
                        break;
                    }
                    self.nested_value(2, token)?;
                }
                wire::end(start, &mut self.out);
            }
            Token::MapStart { type_index, .. } => {
                let start = wire::begin(kind::MAP, &mut self.out);
                self.type_name(type_index)?;
                loop {
                    let key = self.read_value()?;
                    if key == Token::End {
                        break;
                    }
                    let entry = wire::begin(2, &mut self.out);
                    self.nested_value(1, key)?;
                    let value = self.read_value()?;
                    self.nested_value(2, value)?;
                    wire::end(entry, &mut self.out);
                }
                wire::end(start, &mut self.out);
            }
            Token::ObjectStart { class, .. } => self.java_object(class, token)?,
            other => return Err(unexpected(J::Any, &other)),
        }
        Ok(())
    }

    fn nested_value(&mut self, number: u32, token: Token<'a>) -> Fallible<()> {
        let start = wire::begin(number, &mut self.out);
        self.java_value(token)?;
        wire::end(start, &mut self.out);
        Ok(())
    }

    fn java_object(&mut self, class: u32, token: Token<'a>) -> Fallible<()> {
        let name = self.reader.class(class).map(|class| short_name(class.name()));
        let name = name.transpose()?.unwrap_or_default();
        match &*name {
            BIG_DECIMAL => {
                let text = self.text(J::BigDecimal, token)?;
                put_bytes(kind::DECIMAL, text.as_bytes(), &mut self.out);
                return Ok(());
            }
            BIG_INTEGER => {
                let text = self.text(J::BigInteger, token)?;
                put_bytes(kind::BIG_INTEGER, text.as_bytes(), &mut self.out);
                return Ok(());
            }
            _ => {}
        }
        if self.types.enums.iter().any(|plan| plan.class == name) {
            let constant = self.handle_of(token)?.text;
            let start = wire::begin(kind::ENUM, &mut self.out);
            put_bytes(1, name.as_bytes(), &mut self.out);
            put_bytes(2, constant.unwrap_or_default().as_bytes(), &mut self.out);
            wire::end(start, &mut self.out);
            return Ok(());
        }
        let start = wire::begin(kind::OBJECT, &mut self.out);
        put_bytes(1, name.as_bytes(), &mut self.out);
        for position in 0usize.. {
            let field = self.reader.class(class).and_then(|class| class.field(position));
            let token = self.read_value()?;
            let (Some(field), false) = (field, token == Token::End) else {
                break;
            };
            let entry = wire::begin(2, &mut self.out);
            put_bytes(1, short_name(field)?.as_bytes(), &mut self.out);
            self.nested_value(2, token)?;
            wire::end(entry, &mut self.out);
        }
        wire::end(start, &mut self.out);
        Ok(())
    }

    fn type_name(&mut self, of: Option<TypeIndex>) -> Fallible<()> {
        if let Some(name) = of.and_then(|of| self.reader.type_name(of)) {
            short_name(name)?;
            let name = self.utf8(name)?;
            put_bytes(1, name.as_bytes(), &mut self.out);
        }
        Ok(())
    }

    fn tagged_varint(&mut self, number: u32, value: u64) {
        put_tag(number, wire::VARINT, &mut self.out);
        put_varint(value, &mut self.out);
    }

    fn json_number(&mut self, value: f64) {
        put_tag(2, wire::FIXED64, &mut self.out);
        self.out.extend_from_slice(&value.to_bits().to_le_bytes());
    }

    fn json_value(&mut self, keep_class: bool, token: Token<'a>) -> Fallible<()> {
        match token {
            Token::Null => self.tagged_varint(1, 0),
            Token::Bool(value) => self.tagged_varint(4, u64::from(value)),
            Token::Int(value) => {
                self.lose(Rule::StructNumber, "an int becomes a double")?;
                self.json_number(f64::from(value));
            }
            Token::Long(value) => {
                let double = exact_double(value)
                    .filter(|_| value.unsigned_abs() <= 1 << 53)
                    .ok_or_else(|| fault(Rule::StructNumber, "a long does not fit a double"))?;
                self.lose(Rule::StructNumber, "a long becomes a double")?;
                self.json_number(double);
            }
            Token::Double(value) => self.json_number(value),
            Token::Str(text) => {
                let text = self.utf8(text)?;
                put_bytes(3, text.as_bytes(), &mut self.out);
            }
            Token::Binary(bytes) => {
                self.lose(Rule::JsonForm, "binary becomes text")?;
                put_bytes(3, STANDARD.encode(bytes.to_cow()).as_bytes(), &mut self.out);
            }
            Token::Date(millis) => {
                self.lose(Rule::JsonForm, "a date becomes text")?;
                let (seconds, nanos) = split_millis(millis);
                put_bytes(3, instant_text(seconds, nanos, true).as_bytes(), &mut self.out);
            }
            Token::ListStart { .. } => {
                let start = wire::begin(6, &mut self.out);
                self.json_list(keep_class)?;
                wire::end(start, &mut self.out);
            }
            Token::MapStart { .. } => {
                let start = wire::begin(5, &mut self.out);
                self.json_struct(keep_class, token)?;
                wire::end(start, &mut self.out);
            }
            Token::ObjectStart { class, .. } => {
                let name = self.reader.class(class).map(|class| short_name(class.name()));
                let name = name.transpose()?.unwrap_or_default();
                let is_enum = self.types.enums.iter().any(|plan| plan.class == name);
                self.lose(Rule::JsonForm, "an object becomes text or a map")?;
                let text = match &*name {
                    BIG_DECIMAL => self.text(J::BigDecimal, token)?,
                    BIG_INTEGER => self.text(J::BigInteger, token)?,
                    _ if is_enum => self.handle_of(token)?.text.unwrap_or_default(),
                    _ => {
                        let start = wire::begin(5, &mut self.out);
                        self.json_struct(keep_class, token)?;
                        wire::end(start, &mut self.out);
                        return Ok(());
                    }
                };
                put_bytes(3, text.as_bytes(), &mut self.out);
            }
            other => return Err(unexpected(J::Any, &other)),
        }
        Ok(())
    }

    fn json_list(&mut self, keep_class: bool) -> Fallible<()> {
        loop {
            let token = self.read_value()?;
            if token == Token::End {
                return Ok(());
            }
            let start = wire::begin(1, &mut self.out);
            self.json_value(keep_class, token)?;
            wire::end(start, &mut self.out);
        }
    }

    fn json_struct(&mut self, keep_class: bool, token: Token<'a>) -> Fallible<()> {
        match token {
            Token::MapStart { .. } => loop {
                let key = match self.read_value()? {
                    Token::End => return Ok(()),
                    Token::Str(key) => self.utf8(key)?,
                    other => return Err(unexpected(J::String, &other)),
                };
                self.json_entry(keep_class, &key)?;
            },
            Token::ObjectStart { class, .. } => {
                if keep_class && let Some(class) = self.reader.class(class) {
                    let name = short_name(class.name())?;
                    let entry = wire::begin(1, &mut self.out);
                    put_bytes(1, b"@class", &mut self.out);
                    let value = wire::begin(2, &mut self.out);
                    put_bytes(3, name.as_bytes(), &mut self.out);
                    wire::end(value, &mut self.out);
                    wire::end(entry, &mut self.out);
                }
                let count = self.reader.class(class).map_or(0, |class| class.field_count());
                for position in 0..count {
                    let name = self.reader.class(class).and_then(|class| class.field(position));
                    let name = name.map(short_name).transpose()?.unwrap_or_default();
                    self.json_entry(keep_class, &name)?;
                }
                self.reader.read()?;
                Ok(())
            }
            other => Err(unexpected(J::Map, &other)),
        }
    }

    fn json_entry(&mut self, keep_class: bool, key: &str) -> Fallible<()> {
        let token = self.read_value()?;
        let entry = wire::begin(1, &mut self.out);
        put_bytes(1, key.as_bytes(), &mut self.out);
        let value = wire::begin(2, &mut self.out);
        self.json_value(keep_class, token)?;
        wire::end(value, &mut self.out);
        wire::end(entry, &mut self.out);
        Ok(())
    }

    /// `google.protobuf.Any`: an object of a bound class, or a scalar in its wrapper.
    fn any(&mut self, allowed: &[String], token: Token<'a>) -> Fallible<()> {
        let (name, conv) = match token {
            Token::Bool(_) => ("google.protobuf.BoolValue", Conv::new(J::Bool, F::Bool)),
            Token::Int(_) => ("google.protobuf.Int32Value", Conv::new(J::Int, F::Int32)),
            Token::Long(_) => ("google.protobuf.Int64Value", Conv::new(J::Long, F::Int64)),
            Token::Double(_) => ("google.protobuf.DoubleValue", Conv::new(J::Double, F::Double)),
            Token::Str(_) => ("google.protobuf.StringValue", Conv::new(J::String, F::String)),
            Token::Binary(_) => ("google.protobuf.BytesValue", Conv::new(J::Bytes, F::Bytes)),
            Token::Date(_) => ("google.protobuf.Timestamp", Conv::new(J::Date, F::Timestamp)),
            Token::ObjectStart { .. } | Token::MapStart { .. } => {
                let class = match token {
                    Token::ObjectStart { class, .. } => self.reader.class(class).map(|class| class.name()),
                    _ => self.class_of_map(&token)?,
                };
                let class = class.map(short_name).transpose()?;
                let id = class.and_then(|class| self.types.by_class.get(cut_proxy(&class)).copied());
                let Some(id) = id else {
                    return Err(fault(Rule::UnknownClass, "object's class is bound to no message"));
                };
                let types = self.types;
                (
                    types.message(id).name.as_str(),
                    Conv::new(J::Object, F::Message(id)),
                )
            }
            other => return Err(unexpected(J::Object, &other)),
        };
        check_allowed(allowed, name)?;
        put_bytes(1, format!("{TYPE_URL_PREFIX}{name}").as_bytes(), &mut self.out);
        let start = wire::begin(2, &mut self.out);
        match conv.proto {
            F::Message(_) | F::Timestamp => self.any_content(&conv, &token)?,
            _ => self.any_scalar(&conv, &token)?,
        }
        wire::end(start, &mut self.out);
        Ok(())
    }
}

impl ToHessian<'_, '_> {
    /// The value in a message for a value of any kind.
    pub(super) fn dynamic(&mut self, conv: &Conv, bytes: &[u8]) -> Fallible<()> {
        match conv.proto {
            F::JavaValue => self.java_value(bytes),
            F::Value => self.json_value(bytes),
            F::Struct => self.json_struct(bytes),
            F::ListValue => self.json_list(bytes),
            _ => self.any(&conv.any_types, bytes),
        }
    }

    pub(super) fn java_value(&mut self, bytes: &[u8]) -> Fallible<()> {
        let mut last = None;
        let mut fields = Fields::new(bytes);
        while let Some(field) = fields.next_field()? {
            self.step(1)?;
            last = Some(field);
        }
        match last {
            None | Some((kind::NULL, _)) => self.writer.null(),
            Some((kind::BOOL, Wire::Varint(value))) => self.writer.bool(value != 0),
            Some((kind::INT, Wire::Varint(value))) => {
                let value = unzigzag(value & 0xffff_ffff);
                self.writer.int(i32::try_from(value).unwrap_or_default());
            }
            Some((kind::LONG, Wire::Varint(value))) => self.writer.long(unzigzag(value)),
            Some((kind::DOUBLE, Wire::Fixed64(bits))) => self.writer.double(f64::from_bits(bits)),
            Some((kind::STRING, Wire::Bytes(text))) => {
                let text = utf8(text)?;
                self.writer.string(text);
            }
            Some((kind::BYTES, Wire::Bytes(bytes))) => self.writer.binary(bytes),
            Some((kind::DATE, Wire::Bytes(bytes))) => {
                self.well_known(&Conv::new(J::Date, F::Timestamp), bytes)?;
            }
            Some((kind::DECIMAL, Wire::Bytes(text))) => {
                let text = utf8(text)?;
                self.text(&Conv::new(J::BigDecimal, F::String), text)?;
            }
            Some((kind::BIG_INTEGER, Wire::Bytes(text))) => {
                let text = utf8(text)?;
                self.text(&Conv::new(J::BigInteger, F::String), text)?;
            }
            Some((number @ (kind::LIST | kind::MAP | kind::OBJECT | kind::ENUM), Wire::Bytes(bytes))) => {
                self.deeper()?;
                match number {
                    kind::LIST => self.java_list(bytes)?,
                    kind::MAP => self.java_map(bytes)?,
                    kind::OBJECT => self.java_object(bytes)?,
                    _ => {
                        let (class, names) = self.named(bytes)?;
                        let name = match names.first() {
                            Some(name) => utf8(name)?.to_owned(),
                            None => String::new(),
                        };
                        self.begin_dynamic(class, &["name".to_owned()])?;
                        self.writer.string(&name);
                    }
                }
                self.shallower();
            }
            Some(_) => return Err(fault(Rule::Malformed, "JavaValue of an unknown kind")),
        }
        Ok(())
    }

    /// The text of field 1 and the contents of field 2.
    pub(super) fn named<'b>(&mut self, bytes: &'b [u8]) -> Fallible<(&'b str, Vec<&'b [u8]>)> {
        let (mut name, mut items) = ("", Vec::new());
        let mut fields = Fields::new(bytes);
        while let Some((number, wire)) = fields.next_field()? {
            self.step(1)?;
            match (number, wire) {
                (1, Wire::Bytes(text)) => name = utf8(text)?,
                (2, Wire::Bytes(item)) => items.push(item),
                _ => {}
            }
        }
        Ok((name, items))
    }

    fn java_list(&mut self, bytes: &[u8]) -> Fallible<()> {
        let (name, items) = self.named(bytes)?;
        self.writer
            .begin_list(Some(name).filter(|name| !name.is_empty()), items.len());
        for item in items {
            self.java_value(item)?;
        }
        Ok(())
    }

    fn java_map(&mut self, bytes: &[u8]) -> Fallible<()> {
        let (name, entries) = self.named(bytes)?;
        self.writer.begin_map(Some(name).filter(|name| !name.is_empty()));
        for entry in entries {
            let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
            let mut fields = Fields::new(entry);
            while let Some((number, wire)) = fields.next_field()? {
                match (number, wire) {
                    (1, Wire::Bytes(bytes)) => key = bytes,
                    (2, Wire::Bytes(bytes)) => value = bytes,
                    _ => {}
                }
            }
            self.java_value(key)?;
            self.java_value(value)?;
        }
        self.writer.end();
        Ok(())
    }

    fn java_object(&mut self, bytes: &[u8]) -> Fallible<()> {
        let (class, entries) = self.named(bytes)?;
        let (mut names, mut values): (Vec<String>, Vec<&[u8]>) = (Vec::new(), Vec::new());
        for entry in entries {
            let (name, value) = self.named(entry)?;
            names.push(name.to_owned());
            values.push(value.last().copied().unwrap_or_default());
        }
        self.begin_dynamic(class, &names)?;
        for (name, value) in names.iter().zip(values) {
            self.java_value(value).map_err(|fault| fault.within(name))?;
        }
        Ok(())
    }

    /// Begins an object of a class that no plan knows, defining it at its first use.
    pub(super) fn begin_dynamic(&mut self, class: &str, names: &[String]) -> Fallible<u32> {
        let mut key = Vec::with_capacity(class.len().saturating_add(names.len().saturating_mul(16)));
        for name in std::iter::once(class).chain(names.iter().map(String::as_str)) {
            key.extend_from_slice(&name.len().to_le_bytes());
            key.extend_from_slice(name.as_bytes());
        }
        let class = match self.classes.get(&key) {
            Some(class) => *class,
            None if self.classes.len() >= self.most_classes => {
                return Err(fault(Rule::Limit, "message has too many Java classes"));
            }
            None => {
                let class = self.writer.define_class(class, names.iter().map(String::as_str));
                self.classes.insert(key, class);
                class
            }
        };
        Ok(self.writer.begin_object(class))
    }

    fn json_value(&mut self, bytes: &[u8]) -> Fallible<()> {
        let mut last = None;
        let mut fields = Fields::new(bytes);
        while let Some(field) = fields.next_field()? {
            self.step(1)?;
            last = Some(field);
        }
        match last {
            None | Some((1, _)) => self.writer.null(),
            Some((2, Wire::Fixed64(bits))) => self.writer.double(f64::from_bits(bits)),
            Some((3, Wire::Bytes(text))) => {
                let text = utf8(text)?;
                self.writer.string(text);
            }
            Some((4, Wire::Varint(value))) => self.writer.bool(value != 0),
            Some((number @ (5 | 6), Wire::Bytes(inner))) => {
                self.deeper()?;
                if number == 5 {
                    self.json_struct(inner)?;
                } else {
                    self.json_list(inner)?;
                }
                self.shallower();
            }
            Some(_) => return Err(fault(Rule::Malformed, "Value of an unknown kind")),
        }
        Ok(())
    }

    fn json_list(&mut self, bytes: &[u8]) -> Fallible<()> {
        let mut items = Vec::new();
        let mut fields = Fields::new(bytes);
        while let Some((number, wire)) = fields.next_field()? {
            self.step(1)?;
            if let (1, Wire::Bytes(item)) = (number, wire) {
                items.push(item);
            }
        }
        self.writer.begin_list(None, items.len());
        items.into_iter().try_for_each(|item| self.json_value(item))
    }

    fn json_struct(&mut self, bytes: &[u8]) -> Fallible<()> {
        let mut entries: std::collections::BTreeMap<&str, &[u8]> = std::collections::BTreeMap::new();
        let mut fields = Fields::new(bytes);
        while let Some((number, wire)) = fields.next_field()? {
            if let (1, Wire::Bytes(entry)) = (number, wire) {
                let (key, value) = self.named(entry)?;
                entries.insert(key, value.last().copied().unwrap_or_default());
            }
        }
        self.writer.begin_map(None);
        for (key, value) in entries {
            self.writer.string(key);
            self.json_value(value).map_err(|fault| fault.within(key))?;
        }
        self.writer.end();
        Ok(())
    }

    fn any(&mut self, allowed: &[String], bytes: &[u8]) -> Fallible<()> {
        let (url, contents) = self.named(bytes)?;
        let content = contents.last().copied().unwrap_or_default();
        let name = url.rsplit_once('/').map_or(url, |(_, name)| name);
        if name.is_empty() && content.is_empty() {
            self.writer.null();
            return Ok(());
        }
        check_allowed(allowed, name)?;
        let conv = match name {
            "google.protobuf.BoolValue" => wrapped(J::Bool, F::Bool),
            "google.protobuf.Int32Value" => wrapped(J::Int, F::Int32),
            "google.protobuf.Int64Value" => wrapped(J::Long, F::Int64),
            "google.protobuf.UInt32Value" => wrapped(J::Long, F::Uint32),
            "google.protobuf.UInt64Value" => wrapped(J::Long, F::Uint64),
            "google.protobuf.Duration" => Conv::new(J::Duration, F::Duration),
            "google.protobuf.FloatValue" => wrapped(J::Float, F::Float),
            "google.protobuf.DoubleValue" => wrapped(J::Double, F::Double),
            "google.protobuf.StringValue" => wrapped(J::String, F::String),
            "google.protobuf.BytesValue" => wrapped(J::Bytes, F::Bytes),
            "google.protobuf.Timestamp" => Conv::new(J::Date, F::Timestamp),
            _ => {
                let id = self.types.by_proto.get(name).copied();
                let Some(id) = id else {
                    return Err(fault(Rule::UnknownClass, "Any of a message that is not bound"));
                };
                return self.object(id, content);
            }
        };
        self.content(&conv, content)
    }
}

/// An Any may hold only what its field allows, where it says so.
fn check_allowed(allowed: &[String], name: &str) -> Fallible<()> {
    if allowed.is_empty() || allowed.iter().any(|known| known == name) {
        return Ok(());
    }
    Err(fault(
        Rule::UnknownClass,
        "Any of a message that its any_types leave out",
    ))
}

fn wrapped(java: J, proto: F) -> Conv {
    Conv::new(java, F::Wrapped(Box::new(proto)))
}

fn utf8(bytes: &[u8]) -> Fallible<&str> {
    std::str::from_utf8(bytes).map_err(|_| fault(Rule::Malformed, "string field is not UTF-8"))
}
