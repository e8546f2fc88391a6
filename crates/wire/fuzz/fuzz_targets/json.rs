#![no_main]

use model::Signal;

libfuzzer_sys::fuzz_target!(|json: &[u8]| {
    for signal in Signal::ALL {
        if let Ok(body) = wire::otlp::json::transcode(signal, json) {
            wire_fuzz::check(signal, &body);
        }
    }
});
