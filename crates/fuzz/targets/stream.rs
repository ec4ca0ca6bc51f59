//! libFuzzer searches for an input that breaks a property of `keisan_fuzz::stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| keisan_fuzz::stream::check_stream(input));
