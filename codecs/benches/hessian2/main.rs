//! The Hessian 2 codec: skim, tokens, tree, encoding.
//!
//! `cargo bench -p codecs --bench hessian2` measures with criterion. With `LANDBRIDGE_COMPARE=DIR` it writes the messages
//! to DIR and prints one JSON line a figure, in the form of the programs in `compare/`, which measure the same messages.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a measuring program"
)]

mod messages;
mod plans;

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use codecs::hessian2::{Limits, Reader, Scratch, Skimmer, Token, TypeNames};
use codecs::protobuf;
use codecs::value::Value;
use criterion::{Criterion, Throughput};

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn skim(bytes: &[u8], scratch: &mut Scratch) -> usize {
    Skimmer::new(bytes, scratch, &Limits::DEFAULT).skim().unwrap().end
}

/// Reads every token and uses what it holds; what a plan does less its output.
fn tokens(bytes: &[u8], scratch: &mut Scratch) -> usize {
    let mut reader = Reader::new(bytes, scratch, &Limits::DEFAULT);
    let mut sum = 0usize;
    loop {
        sum = sum.wrapping_add(match reader.read() {
            Ok(Token::Null | Token::End) => 1,
            Ok(Token::Bool(value)) => usize::from(value),
            Ok(Token::Int(value)) => value as usize,
            Ok(Token::Long(value) | Token::Date(value)) => value as usize,
            Ok(Token::Double(value)) => value.to_bits() as usize,
            Ok(Token::Str(text)) => text.utf16_len() ^ text.as_piece().map_or(0, <[u8]>::len),
            Ok(Token::Binary(binary)) => binary.len(),
            Ok(Token::ListStart { reference, .. } | Token::MapStart { reference, .. }) => reference as usize,
            Ok(Token::ObjectStart { class, .. }) => class as usize,
            Ok(Token::Ref(reference)) => reference as usize,
            Err(error) => panic!("{error}"),
        });
        if reader.depth() == 0 {
            return black_box(sum);
        }
    }
}

fn tree(bytes: &[u8], scratch: &mut Scratch) -> Value {
    Value::decode(bytes, scratch, &Limits::DEFAULT).unwrap().0
}

fn encode(value: &Value, out: &mut Vec<u8>) -> usize {
    out.clear();
    value.encode_as(out, TypeNames::Indexed);
    out.len()
}

fn main() {
    match std::env::var_os("LANDBRIDGE_COMPARE") {
        Some(dir) => compare(Path::new(&dir)),
        None => {
            let mut criterion = Criterion::default().configure_from_args();
            bench(&mut criterion);
            criterion.final_summary();
        }
    }
}

fn bench(criterion: &mut Criterion) {
    for message in messages::all() {
        let bytes = &message.bytes[..];
        let mut scratch = Scratch::new();
        let mut group = criterion.benchmark_group(message.name);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function("skim", |b| b.iter(|| skim(black_box(bytes), &mut scratch)));
        group.bench_function("tokens", |b| b.iter(|| tokens(black_box(bytes), &mut scratch)));
        group.bench_function("tree", |b| b.iter(|| tree(black_box(bytes), &mut scratch)));
        let value = tree(bytes, &mut scratch);
        let mut out = Vec::new();
        group.bench_function("encode", |b| b.iter(|| encode(black_box(&value), &mut out)));
        group.finish();
    }
}

fn compare(dir: &Path) {
    let bindings = plans::load();
    for (number, message) in messages::all().into_iter().enumerate() {
        let bytes = &message.bytes[..];
        std::fs::write(dir.join(format!("{number}.bin")), bytes).unwrap();
        let mut scratch = Scratch::new();
        let value = tree(bytes, &mut scratch);
        let mut out = Vec::new();
        let print = |what: &str, nanos: f64| {
            let (name, len) = (message.name, bytes.len());
            println!(
                r#"{{"codec":"landbridge","what":"{what}","message":"{name}","bytes":{len},"nanos":{nanos:.1}}}"#
            );
        };
        print("skim", measure(|| skim(black_box(bytes), &mut scratch)));
        print("decode", measure(|| tokens(black_box(bytes), &mut scratch)));
        print("tree", measure(|| tree(black_box(bytes), &mut scratch)));
        let (method, mut scratch) = (
            plans::method(&bindings, message.name),
            protobuf::Scratch::default(),
        );
        let plan = measure(|| {
            method
                .arguments_to_protobuf(black_box(bytes), &mut scratch, &Limits::DEFAULT)
                .unwrap()
        });
        print("plan", plan);
        print("encode", measure(|| encode(black_box(&value), &mut out)));
    }
}

/// Nanoseconds a run: the median of nine batches of 50 ms, after 200 ms of warming up.
fn measure<T>(mut run: impl FnMut() -> T) -> f64 {
    let mut batch = |time: Duration| {
        let start = Instant::now();
        let mut runs = 0u32;
        while start.elapsed() < time {
            for _ in 0..8 {
                black_box(run());
            }
            runs += 8;
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(runs)
    };
    batch(Duration::from_millis(200));
    let mut figures: Vec<f64> = (0..9).map(|_| batch(Duration::from_millis(50))).collect();
    figures.sort_by(f64::total_cmp);
    figures[4]
}
