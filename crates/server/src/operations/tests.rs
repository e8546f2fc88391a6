#![allow(clippy::unwrap_used)]

use super::*;

fn health(detail: &str) -> dto::Health {
    let component = |name: &str| dto::Component {
        name: name.into(),
        status: Warn,
        detail: detail.into(),
        since_unix_ms: 0,
    };
    dto::Health { status: Warn, components: vec![component("store"), component("memory")] }
}

#[test]
fn health_is_looked_at_once_a_second() {
    let (checked, start) = (Checked::default(), Instant::now());
    let detail = |after_ms: u64, found: &str| {
        let health = checked.at(start + Duration::from_millis(after_ms), || health(found));
        health.components[0].detail.clone()
    };
    assert_eq!(detail(0, "first"), "first");
    assert_eq!(detail(999, "second"), "first");
    assert_eq!(detail(1_000, "third"), "third");
    assert_eq!(detail(1_500, "fourth"), "third");
}

#[test]
fn a_tenant_is_not_told_of_files_of_others() {
    let mut health = health("cannot read `logs/tenant=bank/day=2027-01-01/1.parquet`");
    health.components.iter_mut().for_each(veil);
    assert!(!health.components[0].detail.contains("bank"), "{:?}", health.components[0]);
    assert!(health.components[1].detail.contains("cannot read"), "of the server as a whole");
}
