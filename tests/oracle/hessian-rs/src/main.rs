//! `hessian_rs` 0.0.4-rc3 as a judge of our Hessian 2 codec, on what both can hold: null, boolean, int, long, date, text of the
//! basic plane below 32,768 units, lists, maps with text keys.
//!
//! Skipped, because `hessian_rs` gets them wrong: doubles (digits are lost, whole numbers outside of 16 bits become no bytes
//! at all), binary (short ones become longs), text beyond the basic plane or longer, objects (they come back as maps in random
//! order), references (there is no table).

use std::process::ExitCode;

use codecs::hessian2::{Limits, Scratch};
use codecs::value::Value;
use hessian_rs::Value as Theirs;

/// A random number generator of a few lines: this program depends on nothing else.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn text(random: &mut Random) -> String {
    let len = if random.below(50) == 0 { 30_000 } else { 40 };
    let start = [0x20u32, 0xc0, 0x4e00][random.below(3) as usize];
    (0..random.below(len))
        .filter_map(|_| char::from_u32(start + random.below(90) as u32))
        .collect()
}

fn value(random: &mut Random, depth: u32) -> Value {
    let kinds = if depth == 0 { 6 } else { 9 };
    match random.below(kinds) {
        0 => Value::Null,
        1 => Value::Bool(random.below(2) == 0),
        2 => Value::Int((random.below(1 << 32) as u32 as i32) >> random.below(32)),
        3 => Value::Long((random.below(u64::MAX) as i64) >> random.below(64)),
        4 => Value::Date(random.below(1 << 42) as i64),
        5 => Value::from(&*text(random)),
        6 => Value::typed_list(
            "[int",
            (0..random.below(12))
                .map(|n| Value::Int(n as i32))
                .collect::<Vec<_>>(),
        ),
        7 => Value::List((0..random.below(12)).map(|_| value(random, depth - 1)).collect()),
        _ => Value::Map(
            (0..random.below(6))
                .map(|n| (Value::from(&*format!("k{n}")), value(random, depth - 1)))
                .collect(),
        ),
    }
}

fn same(ours: &Value, theirs: &Theirs) -> bool {
    match ours {
        Value::Null => theirs.is_null(),
        Value::Bool(value) => theirs.as_bool() == Some(*value),
        Value::Int(value) => theirs.as_int() == Some(*value),
        Value::Long(value) => theirs.as_long() == Some(*value),
        Value::Date(millis) => theirs.as_date() == Some(*millis),
        Value::String(text) => theirs.as_str() == text.as_str(),
        Value::List(items) => same_list(items, theirs),
        Value::TypedList(list) => same_list(&list.items, theirs),
        Value::Map(entries) => {
            let Some(map) = theirs.as_map() else { return false };
            map.value().len() == entries.len()
                && entries
                    .iter()
                    .all(|(key, value)| map.value().iter().any(|(k, v)| same(key, k) && same(value, v)))
        }
        _ => false,
    }
}

fn same_list(items: &[Value], theirs: &Theirs) -> bool {
    theirs.as_list().is_some_and(|list| {
        list.value().len() == items.len()
            && items
                .iter()
                .zip(list.value())
                .all(|(ours, theirs)| same(ours, theirs))
    })
}

fn main() -> ExitCode {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut read, mut written, mut differences) = (0, 0, 0);
    for _ in 0..20_000 {
        let value = value(&mut random, 4);
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        let theirs = match hessian_rs::from_slice(&bytes) {
            Ok(theirs) => theirs,
            Err(error) => {
                differences += 1;
                eprintln!("hessian_rs cannot read {value:?}: {error}");
                continue;
            }
        };
        read += 1;
        if !same(&value, &theirs) {
            differences += 1;
            eprintln!("hessian_rs reads {value:?} as {theirs:?}");
        }
        let Ok(again) = hessian_rs::to_vec(&theirs) else {
            continue;
        };
        written += 1;
        match Value::decode(&again, &mut Scratch::new(), &Limits::DEFAULT) {
            Ok((ours, end)) if end == again.len() && same(&ours, &theirs) => {}
            other => {
                differences += 1;
                eprintln!("we read {theirs:?} as {other:?}");
            }
        }
    }
    println!(
        "hessian_rs: {read} of 20000 values of ours read, {written} of theirs read by us, {differences} differences"
    );
    if differences == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
