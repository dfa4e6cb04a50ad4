//! Random trees that a peer with its own classes can hold.

use std::sync::Arc;

use codecs::hessian2::JavaText;
use codecs::value::{Class, Object, Value};
use fastrand::Rng;

use crate::canonical::Losses;

pub struct Generator<'l> {
    random: Rng,
    losses: &'l Losses,
    /// Containers begun so far, which is what references count.
    begun: u32,
    /// Containers that are complete.
    done: Vec<u32>,
    node: Arc<Class>,
}

impl<'l> Generator<'l> {
    pub fn new(seed: u64, losses: &'l Losses) -> Self {
        Self {
            random: Rng::with_seed(seed),
            losses,
            begun: 0,
            done: Vec::new(),
            node: Arc::new(Class {
                name: "oracle.Node".into(),
                fields: ["a", "b", "name"].map(JavaText::from).into(),
            }),
        }
    }

    pub fn value(&mut self) -> Value {
        self.any(5)
    }

    fn any(&mut self, depth: usize) -> Value {
        if depth == 0 || self.random.u32(0..100) < 45 {
            return self.scalar();
        }
        if !self.losses.sharing && self.begun > 0 && self.random.u32(0..8) == 0 {
            // Complete ones, and now and then one that is still open: a cycle.
            let cycle = self.random.u32(0..3) == 0 || self.done.is_empty();
            let number = if cycle {
                self.random.u32(0..self.begun)
            } else {
                *self.random.choice(&self.done).unwrap()
            };
            return Value::Ref(number);
        }
        self.container(depth - 1)
    }

    fn container(&mut self, depth: usize) -> Value {
        let number = self.begun;
        self.begun += 1;
        let value = match self.random.u32(0..12) {
            0..=3 => Value::List(self.items(depth)),
            4 => self.array(),
            5 => Value::typed_list("[object", self.items(depth)),
            6 => Value::typed_list("java.util.LinkedList", self.items(depth)),
            7 => {
                let entries = self.entries(depth);
                Value::Map(entries)
            }
            8 => Value::typed_map("java.util.LinkedHashMap", self.entries(depth)),
            9 => self.special(),
            10 => {
                let mut items: Vec<i32> = (0..self.random.i32(0..9)).map(|_| self.random.i32(..)).collect();
                items.sort_unstable();
                items.dedup();
                let items: Vec<Value> = items.into_iter().map(Value::Int).collect();
                Value::typed_list("java.util.HashSet", items)
            }
            _ => {
                let (a, b) = (self.any(depth), self.any(depth));
                let name = Value::String(self.text());
                Value::Object(Object {
                    class: Arc::clone(&self.node),
                    fields: [a, b, name].into(),
                })
            }
        };
        // What is referred to must be a list, map or bean for every peer: enums and numbers are values to Java.
        self.done.push(number);
        value
    }

    fn items(&mut self, depth: usize) -> Box<[Value]> {
        let most = if self.random.u32(0..20) == 0 { 40 } else { 7 };
        (0..self.random.usize(0..most)).map(|_| self.any(depth)).collect()
    }

    fn entries(&mut self, depth: usize) -> Box<[(Value, Value)]> {
        let text = self.random.bool();
        (0..self.random.i32(0..8))
            .map(|n| {
                let key = match text {
                    true => Value::from(&*format!("key {n} {}", self.random.u16(..))),
                    false => Value::Long(i64::from(n) << self.random.u32(0..40)),
                };
                let mut value = self.any(depth);
                if self.losses.null_in_maps && matches!(value, Value::Null) {
                    value = Value::Bool(true);
                }
                (key, value)
            })
            // A shifted zero is zero: keys must differ.
            .enumerate()
            .map(|(n, (key, value))| match key {
                Value::Long(key) => (Value::Long(key * 8 + n as i64), value),
                key => (key, value),
            })
            .collect()
    }

    fn array(&mut self) -> Value {
        let len = self.random.usize(0..12);
        // dubbo-go reads an empty array as nil.
        let len = if self.losses.list_types { len.max(1) } else { len };
        let random = &mut self.random;
        match random.u32(0..4) {
            0 => Value::typed_list(
                "[int",
                (0..len).map(|_| Value::Int(random.i32(..))).collect::<Vec<_>>(),
            ),
            1 => Value::typed_list(
                "[long",
                (0..len).map(|_| Value::Long(random.i64(..))).collect::<Vec<_>>(),
            ),
            2 => Value::typed_list(
                "[double",
                (0..len).map(|_| Value::Double(random.f64())).collect::<Vec<_>>(),
            ),
            _ => Value::typed_list(
                "[string",
                (0..len).map(|_| Value::String(self.text())).collect::<Vec<_>>(),
            ),
        }
    }

    fn special(&mut self) -> Value {
        let text = |text: String| Value::from(&*text);
        match self.random.u32(0..3) {
            0 => Value::object(
                "java.math.BigDecimal",
                [(
                    "value",
                    text(format!("{}.{:02}", self.random.i64(..), self.random.u8(0..100))),
                )],
            ),
            1 if !self.losses.list_types => {
                Value::object("oracle.Color", [("name", Value::from("BLUE_GREY"))])
            }
            _ if !self.losses.list_types && !self.losses.behind_uuids => {
                let (high, low) = (self.random.u64(..), self.random.u64(..));
                let uuid = format!(
                    "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                    high >> 32,
                    high >> 16 & 0xffff,
                    high & 0xffff,
                    low >> 48,
                    low & 0xffff_ffff_ffff
                );
                Value::object("java.util.UUID", [("value", text(uuid))])
            }
            _ => Value::object("java.math.BigDecimal", [("value", text("12.30".into()))]),
        }
    }

    fn scalar(&mut self) -> Value {
        let random = &mut self.random;
        match random.u32(0..10) {
            0 => Value::Null,
            1 => Value::Bool(random.bool()),
            2 => Value::Int(random.i32(..) >> random.u32(0..32)),
            3 => Value::Long(random.i64(..) >> random.u32(0..64)),
            4 => Value::Double(match random.u32(0..4) {
                0 => f64::from(random.i32(-40_000..40_000)),
                1 if !self.losses.thousandths => f64::from(random.i32(..)) * 0.001,
                2 => f64::from_bits(random.u64(..) & 0x7fef_ffff_ffff_ffff),
                _ => random.f64(),
            }),
            5 => Value::Date(match random.bool() {
                true => i64::from(random.i32(..)) * 60_000,
                false => random.i64(1..1 << 42),
            }),
            6 => {
                let len = if random.u32(0..40) == 0 { 70_000 } else { 30 };
                let len = random.usize(1..len);
                Value::Binary((0..len).map(|_| random.u8(..)).collect())
            }
            _ => Value::String(self.text()),
        }
    }

    fn text(&mut self) -> JavaText {
        let random = &mut self.random;
        let most = if random.u32(0..40) == 0 { 70_000 } else { 40 };
        let len = random.usize(0..most);
        match random.u32(0..6) {
            0 if !self.losses.lone_surrogates => JavaText::from_utf16((0..len).map(|_| random.u16(..))),
            1 => JavaText::from(
                (0..len)
                    .map(|_| random.char('\u{1f600}'..='\u{1f640}'))
                    .collect::<String>(),
            ),
            2 => JavaText::from(
                (0..len)
                    .map(|_| random.char('\u{4e00}'..='\u{9fa5}'))
                    .collect::<String>(),
            ),
            _ => JavaText::from((0..len).map(|_| random.char(' '..='~')).collect::<String>()),
        }
    }
}
