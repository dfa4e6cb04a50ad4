//! How often a conversion asks for memory, once the worker's scratch is warm.
#![allow(unsafe_code, reason = "the counting allocator: the one place that may")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use codecs::hessian2::Limits;
use codecs::protobuf::{Bindings, Scratch};
use codecs::value::Value;

struct Counting;

thread_local! {
    static COUNT: Cell<u32> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more.
    let _ = COUNT.try_with(|count| count.set(count.get().wrapping_add(1)));
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, handed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, handed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PROTO: &str = "syntax = \"proto3\"; package bench; service S { rpc Echo(Users) returns (Users); }
message Users { repeated User users = 1; }
message User { int64 id = 1; string name = 2; string email = 3; int32 age = 4; double score = 5; bool active = 6;
  repeated string tags = 7; map<string, int32> marks = 8; }";

const BINDING: &str = "descriptors: [users.proto]
services: [{java: bench.S, proto: bench.S}]
messages: [{proto: bench.User, java: bench.User}]";

fn users(count: i32) -> Vec<u8> {
    let users: Box<[Value]> = (0..count)
        .map(|n| {
            Value::object(
                "bench.User",
                [
                    ("active", Value::Bool(true)),
                    ("score", Value::Double(0.25)),
                    ("age", Value::Int(30)),
                    ("email", Value::from("user@example.com")),
                    ("name", Value::from("user")),
                    ("id", Value::Long(i64::from(n))),
                    (
                        "tags",
                        Value::List([Value::from("a"), Value::from("beta")].into()),
                    ),
                    (
                        "marks",
                        Value::Map(
                            ["maths", "art", "a subject"]
                                .map(|name| (Value::from(name), Value::Int(n)))
                                .into(),
                        ),
                    ),
                ],
            )
        })
        .collect();
    let mut out = Vec::new();
    Value::List(users).encode(&mut out);
    out
}

fn counted<T>(run: impl FnOnce() -> T) -> (T, u32) {
    let before = COUNT.with(Cell::get);
    let result = run();
    (result, COUNT.with(Cell::get) - before)
}

#[test]
fn a_conversion_asks_for_memory_at_most_twice() {
    let bindings = Bindings::load("users.yaml", BINDING, &mut |_| Ok(PROTO.as_bytes().to_vec())).unwrap();
    let method = bindings.services()[0].methods[0].clone();
    let mut scratch = Scratch::default();
    for size in [1, 100] {
        let stream = users(size);
        let warm = method
            .arguments_to_protobuf(&stream, &mut scratch, &Limits::DEFAULT)
            .unwrap();
        let _ = method
            .arguments_to_hessian(&warm, &mut scratch, &Limits::DEFAULT)
            .unwrap();
        let (message, there) = counted(|| {
            method
                .arguments_to_protobuf(&stream, &mut scratch, &Limits::DEFAULT)
                .unwrap()
        });
        let (back, and_back) = counted(|| {
            method
                .arguments_to_hessian(&message, &mut scratch, &Limits::DEFAULT)
                .unwrap()
        });
        assert_eq!(message, warm);
        assert!(there <= 2, "{size} users to protobuf: {there} allocations");
        assert!(and_back <= 2, "{size} users to Hessian: {and_back} allocations");
        assert!(!back.is_empty());
    }
}
