#![allow(clippy::unwrap_used)]

use std::time;

use super::{ByteSize, Duration, Secret, reveal};

#[test]
fn durations_read_and_print() {
    let check = |text: &str, nanoseconds: u64, printed: &str| {
        let duration: Duration = text.parse().unwrap();
        assert_eq!(duration.get(), time::Duration::from_nanos(nanoseconds), "{text}");
        assert_eq!(duration.to_string(), printed);
        assert_eq!(duration.to_string().parse::<Duration>().unwrap(), duration);
    };
    check("30s", 30_000_000_000, "30s");
    check("100ms", 100_000_000, "100ms");
    check("5m", 300_000_000_000, "5m");
    check("1h30m", 5_400_000_000_000, "1h30m");
    check(" 1h 30m ", 5_400_000_000_000, "1h30m");
    check("90 s", 90_000_000_000, "1m30s");
    check("2d", 172_800_000_000_000, "2d");
    check("0", 0, "0s");
    check("1us2ns", 1_002, "1us2ns");
    for text in
        ["", "5", "s", "5 parsecs", "-5s", "1.5s", "5s5", "99999999999999999999d", "18446744073709551615d"]
    {
        assert!(text.parse::<Duration>().is_err(), "{text}");
    }
}

#[test]
fn sizes_read_and_print() {
    let check = |text: &str, bytes: u64, printed: &str| {
        let size: ByteSize = text.parse().unwrap();
        assert_eq!(size.bytes(), bytes, "{text}");
        assert_eq!(size.to_string(), printed);
        assert_eq!(size.to_string().parse::<ByteSize>().unwrap(), size);
    };
    check("512 MiB", 512 << 20, "512 MiB");
    check("64MB", 64_000_000, "64 MB");
    check("1GiB", 1 << 30, "1 GiB");
    check("1000", 1_000, "1 kB");
    check("0", 0, "0 B");
    check("1.5 KiB", 1_536, "1536 B");
    check("3KB", 3_000, "3 kB");
    check("7B", 7, "7 B");
    for text in ["", "MiB", "5 parsecs", "-1", "5mb", "1.2.3", "18446744073709551616", "17000000 TiB"] {
        assert!(text.parse::<ByteSize>().is_err(), "{text}");
    }
}

#[test]
fn sizes_are_read_from_integers() {
    assert_eq!(serde_json::from_str::<ByteSize>("4096").unwrap(), ByteSize::kib(4));
    assert!(serde_json::from_str::<ByteSize>("-1").is_err());
}

#[test]
fn a_secret_is_printed_nowhere() {
    let secret = Secret::new("hunter2".to_owned());
    assert_eq!(format!("{secret} {secret:?} {secret:#?}"), "*** *** ***");
    assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
    assert_eq!(reveal(|| serde_json::to_string(&secret).unwrap()), "\"hunter2\"");
    assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
    let error = serde_json::from_str::<Secret<u16>>("\"hunter2\"").unwrap_err();
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn a_secret_is_compared_whole() {
    let secret = Secret::new("hunter2".to_owned());
    assert!(secret.matches("hunter2"));
    for other in ["", "hunter", "hunter22", "Hunter2"] {
        assert!(!secret.matches(other), "{other}");
    }
}
