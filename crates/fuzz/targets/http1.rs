//! libFuzzer searches for an input that breaks a property of `keisan_fuzz::http1`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| keisan_fuzz::http1::check_http1(input));
