#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    wire_fuzz::check_exposition(body);
});
