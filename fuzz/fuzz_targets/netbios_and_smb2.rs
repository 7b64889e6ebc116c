#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fsrvp_fuzz::netbios_and_smb2(data));
