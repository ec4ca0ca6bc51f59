//! libFuzzer searches for an input that breaks a property of `keisan_fuzz::policy`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| keisan_fuzz::policy::check_policy(input));
