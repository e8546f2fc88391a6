#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| wire_fuzz::json(text));
