#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fsrvp_fuzz::spnego_and_ntlm(data));
