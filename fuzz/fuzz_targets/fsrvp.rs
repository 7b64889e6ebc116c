#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fsrvp_fuzz::fsrvp(data));
