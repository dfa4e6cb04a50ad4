//! Random streams, written byte by byte: every form that the wire knows, those that no writer of ours uses included, and
//! damage to them.

use proptest::prelude::*;
use proptest::sample::Index;

/// One value, before its numbers of classes, types and references are known.
#[derive(Clone, Debug)]
enum Node {
    /// Bytes that are a value whatever stands before them.
    Scalar(Vec<u8>),
    List {
        form: ListForm,
        items: Vec<Node>,
    },
    Map {
        type_name: Option<TypeName>,
        entries: Vec<(Node, Node)>,
    },
    /// `long`: the class number behind `4f`, even where one byte would do.
    Object {
        class: ClassUse,
        long: bool,
        fields: Vec<Node>,
    },
    /// Of what has begun, open or not; a number that has not begun when `beyond`.
    Ref {
        pick: Index,
        beyond: bool,
    },
    /// Class definitions that nothing uses, before a value.
    Defined(Vec<Vec<u8>>, Box<Node>),
}

#[derive(Clone, Debug)]
enum ListForm {
    /// The length in the tag where it fits, else behind `56` or `58`.
    Counted(Option<TypeName>),
    /// The length as an int of this many bytes behind `56` or `58`, however short it is.
    Announced(Option<TypeName>, u8),
    /// Ends with `5a`.
    Variable(Option<TypeName>),
}

#[derive(Clone, Debug)]
enum TypeName {
    Literal(Vec<u8>),
    /// One of those before; literal when there is none. A number that is not defined when `beyond`.
    Number {
        pick: Index,
        beyond: bool,
    },
}

#[derive(Clone, Debug)]
enum ClassUse {
    /// Defined here, with as many fields as follow.
    New(Vec<u8>),
    /// One of those before, whose field count decides how many of the fields are written.
    Known(Index),
    /// A number that is not defined.
    Beyond,
}

/// An int of a length's or index's place, in 1, 2, 3 or 5 bytes.
fn put_int(n: u32, form: u8, out: &mut Vec<u8>) {
    let [_, b2, b1, b0] = n.to_be_bytes();
    match form % 4 {
        0 if n < 0x30 => out.push(0x90 + b0),
        1 if n < 0x800 => out.extend([0xc8 + b1, b0]),
        2 if n < 0x4_0000 => out.extend([0xd4 + b2, b1, b0]),
        _ => {
            out.push(0x49);
            out.extend(n.to_be_bytes());
        }
    }
}

#[derive(Default)]
struct Stream {
    out: Vec<u8>,
    types: u32,
    references: u32,
    /// Fields of each class.
    classes: Vec<usize>,
}

impl Stream {
    fn type_name(&mut self, name: &TypeName) {
        match name {
            TypeName::Number { beyond: true, .. } => put_int(self.types, 0, &mut self.out),
            TypeName::Number { pick, .. } if self.types > 0 => {
                let number = u32::try_from(pick.index(self.types as usize)).unwrap();
                put_int(number, 0, &mut self.out);
            }
            TypeName::Literal(name) => {
                self.out.extend(name);
                self.types += 1;
            }
            TypeName::Number { .. } => {
                self.out.extend(b"\x01t");
                self.types += 1;
            }
        }
    }

    fn define(&mut self, name: &[u8], fields: usize) {
        self.out.push(0x43);
        self.out.extend(name);
        put_int(u32::try_from(fields).unwrap(), 0, &mut self.out);
        for field in 0..fields {
            self.out.extend([0x01, b'a' + u8::try_from(field % 26).unwrap()]);
        }
        self.classes.push(fields);
    }

    fn value(&mut self, node: &Node) {
        match node {
            Node::Scalar(bytes) => self.out.extend(bytes),
            Node::Defined(names, node) => {
                names.iter().for_each(|name| self.define(name, name.len() % 3));
                self.value(node);
            }
            Node::Ref { pick, beyond } => {
                self.out.push(0x51);
                let number = match (self.references, beyond) {
                    (begun, true) | (begun @ 0, _) => begun,
                    (begun, _) => u32::try_from(pick.index(begun as usize)).unwrap(),
                };
                put_int(number, u8::try_from(number % 4).unwrap(), &mut self.out);
            }
            Node::List { form, items } => self.list(form, items),
            Node::Map { type_name, entries } => {
                self.out.push(if type_name.is_some() { 0x4d } else { 0x48 });
                type_name.iter().for_each(|name| self.type_name(name));
                self.references += 1;
                for (key, value) in entries {
                    self.value(key);
                    self.value(value);
                }
                self.out.push(0x5a);
            }
            Node::Object { class, long, fields } => {
                let class = match class {
                    ClassUse::Known(pick) if !self.classes.is_empty() => pick.index(self.classes.len()),
                    ClassUse::New(name) => {
                        self.define(name, fields.len());
                        self.classes.len() - 1
                    }
                    ClassUse::Beyond => self.classes.len(),
                    ClassUse::Known(_) => {
                        self.define(b"\x01K", fields.len());
                        self.classes.len() - 1
                    }
                };
                match u8::try_from(class) {
                    Ok(number @ 0..=15) if !long => self.out.push(0x60 + number),
                    _ => {
                        self.out.push(0x4f);
                        put_int(u32::try_from(class).unwrap(), 3, &mut self.out);
                    }
                }
                self.references += 1;
                for field in 0..self.classes.get(class).copied().unwrap_or_default() {
                    match fields.get(field) {
                        Some(field) => self.value(field),
                        None => self.out.push(0x4e),
                    }
                }
            }
        }
    }

    fn list(&mut self, form: &ListForm, items: &[Node]) {
        let len = u32::try_from(items.len()).unwrap();
        let (ListForm::Counted(type_name)
        | ListForm::Announced(type_name, _)
        | ListForm::Variable(type_name)) = form;
        let typed = type_name.is_some();
        match form {
            ListForm::Counted(_) if len <= 7 => {
                let short = u8::try_from(len).unwrap();
                self.out.push(if typed { 0x70 } else { 0x78 } + short);
            }
            ListForm::Variable(_) => self.out.push(if typed { 0x55 } else { 0x57 }),
            _ => self.out.push(if typed { 0x56 } else { 0x58 }),
        }
        type_name.iter().for_each(|name| self.type_name(name));
        match form {
            ListForm::Announced(_, form) => put_int(len, *form, &mut self.out),
            ListForm::Counted(_) if len > 7 => put_int(len, 0, &mut self.out),
            _ => {}
        }
        self.references += 1;
        items.iter().for_each(|item| self.value(item));
        if let ListForm::Variable(_) = form {
            self.out.push(0x5a);
        }
    }
}

/// A string in one of its heads, in up to three pieces.
fn string() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        40 => Just((3u16, b"abc".to_vec())),
        20 => Just((0, Vec::new())),
        10 => Just((2, "é中".as_bytes().to_vec())),
        // Two surrogates of three bytes each, and a lone one.
        10 => Just((2, b"\xed\xa0\xbd\xed\xb8\x80".to_vec())),
        10 => Just((1, b"\xed\xa0\xbd".to_vec())),
        10 => Just((33, vec![b'x'; 33])),
        // Too few bytes, four-byte UTF-8, and a form that is longer than needed.
        1 => Just((2, b"z".to_vec())),
        1 => Just((2, "😀".as_bytes().to_vec())),
        1 => Just((1, b"\xc0\x80".to_vec())),
    ];
    (prop::collection::vec(piece.clone(), 0..3), piece, 0u8..3).prop_map(|(more, (units, text), head)| {
        let mut out = Vec::new();
        for (units, text) in more {
            out.push(0x52);
            out.extend(units.to_be_bytes());
            out.extend(text);
        }
        match (head, u8::try_from(units)) {
            (0, Ok(short @ 0..=31)) => out.push(short),
            (1, _) => out.extend([0x30 + u8::try_from(units >> 8).unwrap(), units.to_be_bytes()[1]]),
            _ => {
                out.push(0x53);
                out.extend(units.to_be_bytes());
            }
        }
        out.extend(text);
        out
    })
}

fn binary() -> impl Strategy<Value = Vec<u8>> {
    (prop::collection::vec(0u16..20, 0..3), 0u16..20, 0u8..3).prop_map(|(more, len, head)| {
        let mut out = Vec::new();
        for len in more {
            out.push(0x41);
            out.extend(len.to_be_bytes());
            out.resize(out.len() + usize::from(len), 0x5a);
        }
        match (head, u8::try_from(len)) {
            (0, Ok(short @ 0..=15)) => out.push(0x20 + short),
            (1, _) => out.extend([0x34, len.to_be_bytes()[1]]),
            _ => {
                out.push(0x42);
                out.extend(len.to_be_bytes());
            }
        }
        out.resize(out.len() + usize::from(len), 0x4e);
        out
    })
}

fn scalar() -> impl Strategy<Value = Vec<u8>> {
    // Every tag of a scalar, with content that could be tags.
    let fixed = |tags: Vec<u8>, len: usize| {
        (
            prop::sample::select(tags),
            prop::collection::vec(any::<u8>(), len),
        )
            .prop_map(|(tag, rest)| [&[tag][..], &rest].concat())
    };
    prop_oneof![
        4 => fixed([0x4e, 0x54, 0x46, 0x5b, 0x5c].into_iter().chain(0x80..=0xbf).chain(0xd8..=0xef).collect(), 0),
        1 => fixed((0xc0..=0xcf).chain(0xf0..=0xff).chain([0x5d]).collect(), 1),
        1 => fixed((0xd0..=0xd7).chain(0x38..=0x3f).chain([0x5e]).collect(), 2),
        1 => fixed(vec![0x49, 0x59, 0x5f, 0x4b], 4),
        1 => fixed(vec![0x4c, 0x44, 0x4a], 8),
        3 => string(),
        1 => binary(),
    ]
}

fn type_name() -> impl Strategy<Value = TypeName> {
    prop_oneof![
        string().prop_map(TypeName::Literal),
        Just(TypeName::Literal(b"\x04[int".to_vec())),
        (any::<Index>(), prop::bool::weighted(0.03))
            .prop_map(|(pick, beyond)| TypeName::Number { pick, beyond }),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let reference =
        (any::<Index>(), prop::bool::weighted(0.05)).prop_map(|(pick, beyond)| Node::Ref { pick, beyond });
    let leaf = prop_oneof![4 => scalar().prop_map(Node::Scalar), 1 => reference];
    leaf.boxed().prop_recursive(5, 80, 8, |inner| {
        let items = prop::collection::vec(inner.clone(), 0..9).boxed();
        let name = || prop::option::of(type_name()).boxed();
        let form = prop_oneof![
            2 => name().prop_map(ListForm::Counted),
            1 => (name(), any::<u8>()).prop_map(|(name, form)| ListForm::Announced(name, form)),
            1 => name().prop_map(ListForm::Variable),
        ]
        .boxed();
        let class = prop_oneof![
            20 => string().prop_map(ClassUse::New),
            20 => any::<Index>().prop_map(ClassUse::Known),
            1 => Just(ClassUse::Beyond),
        ]
        .boxed();
        let entries = prop::collection::vec((inner.clone(), inner.clone()), 0..4).boxed();
        let unused = prop::collection::vec(string(), 1..3).boxed();
        prop_oneof![
            3 => (form, items.clone()).prop_map(|(form, items)| Node::List { form, items }).boxed(),
            2 => (name(), entries).prop_map(|(type_name, entries)| Node::Map { type_name, entries }).boxed(),
            3 => (class, prop::bool::weighted(0.3), items)
                .prop_map(|(class, long, fields)| Node::Object { class, long, fields }).boxed(),
            1 => (unused, inner).prop_map(|(names, node)| Node::Defined(names, Box::new(node))).boxed(),
        ]
    })
}

/// Values one after another in one stream; most are in order.
pub(crate) fn stream() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(node(), 1..4).prop_map(|nodes| {
        let mut stream = Stream::default();
        nodes.iter().for_each(|node| stream.value(node));
        stream.out
    })
}

/// What can happen to bytes.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    Set(Index, u8),
    /// One bit turned over.
    Flip(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    /// A part once more, somewhere else.
    Repeat(Index, Index, usize),
    Truncate(Index),
}

impl Damage {
    pub(crate) fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Set(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Self::Flip(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << (bit % 8);
            }
            Self::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
            Self::Remove(at) => {
                bytes.remove(at.index(bytes.len()));
            }
            Self::Repeat(from, to, len) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let part = bytes[from..(from + len).min(bytes.len())].to_vec();
                bytes.splice(to..to, part);
            }
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len())),
        }
    }
}

/// A byte that starts something.
fn tag() -> impl Strategy<Value = u8> {
    prop_oneof![
        1 => any::<u8>(),
        2 => prop::sample::select(vec![
            0x00u8, 0x01, 0x41, 0x42, 0x43, 0x48, 0x49, 0x4d, 0x4e, 0x4f, 0x51, 0x52, 0x53, 0x55, 0x56, 0x57, 0x58,
            0x5a, 0x60, 0x61, 0x6f, 0x70, 0x71, 0x77, 0x78, 0x79, 0x7f, 0x8f, 0x90, 0x91, 0x92, 0x9f,
        ]),
    ]
}

pub(crate) fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let at = || any::<Index>();
    let one = prop_oneof![
        3 => (at(), tag()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        2 => (at(), any::<u8>()).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        2 => (at(), tag()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        2 => at().prop_map(Damage::Remove),
        1 => (at(), at(), 1usize..12).prop_map(|(from, to, len)| Damage::Repeat(from, to, len)),
        1 => at().prop_map(Damage::Truncate),
    ];
    prop::collection::vec(one, 0..4)
}
