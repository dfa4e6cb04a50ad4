#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::plan_to_protobuf(data));
