//! libFuzzer searches for an input that breaks a property of `keisan_fuzz::request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| keisan_fuzz::request::check_request(input));
