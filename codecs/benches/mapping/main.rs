//! Plans: Hessian to protobuf and back, beside reading the tokens alone.
//!
//! `cargo bench -p codecs --bench mapping`.
#![allow(missing_docs, clippy::unwrap_used, reason = "a measuring program")]

#[path = "../hessian2/messages.rs"]
mod messages;
#[path = "../hessian2/plans.rs"]
mod plans;

use std::hint::black_box;

use codecs::hessian2::{self, Limits, Reader, Token};
use codecs::protobuf::Scratch;
use criterion::{Criterion, Throughput};

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Reads every token: what a plan does less its output.
fn tokens(bytes: &[u8], scratch: &mut hessian2::Scratch) -> usize {
    let mut reader = Reader::new(bytes, scratch, &Limits::DEFAULT);
    let mut sum = 0usize;
    loop {
        if let Token::Str(text) = reader.read().unwrap() {
            sum = sum.wrapping_add(text.utf16_len());
        }
        if reader.depth() == 0 {
            return sum;
        }
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let bindings = plans::load();
    for message in messages::all() {
        let method = plans::method(&bindings, message.name);
        let bytes = &message.bytes[..];
        let mut scratch = Scratch::default();
        let mut group = criterion.benchmark_group(format!("mapping {}", message.name));
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function("tokens", |b| {
            b.iter(|| tokens(black_box(bytes), &mut scratch.hessian))
        });
        group.bench_function("to protobuf", |b| {
            b.iter(|| {
                method
                    .arguments_to_protobuf(black_box(bytes), &mut scratch, &Limits::DEFAULT)
                    .unwrap()
            });
        });
        let proto = method
            .arguments_to_protobuf(bytes, &mut scratch, &Limits::DEFAULT)
            .unwrap();
        group.bench_function("to hessian", |b| {
            b.iter(|| {
                method
                    .arguments_to_hessian(black_box(&proto), &mut scratch, &Limits::DEFAULT)
                    .unwrap()
            });
        });
        group.finish();
    }
    criterion.final_summary();
}
