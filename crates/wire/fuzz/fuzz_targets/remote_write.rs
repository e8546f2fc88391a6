#![no_main]

use wire::prometheus::Version;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    for version in Version::ALL {
        wire_fuzz::check_remote_write(version, body);
    }
});
