//! The configuration that tests use, in one place: the keys are a contract with users.

/// Bounds so small that a test can cross them.
pub(crate) const SMALL_LIMITS: &str = r#"
[receive.limit]
body = "64 KiB"
body_decoded = "1 MiB"
attributes = 8
value = "16 KiB"
"#;

/// Two senders with keys, each of a tenant of its own.
pub(crate) const KEYS: &str = r#"
[receive.key.shop]
secret = "shop-secret-of-at-least-16"
tenant = "shop"

[receive.key.bank]
secret = "bank-secret-of-at-least-16"
tenant = "bank"
"#;

/// A key that is told of all tenants, besides [`KEYS`].
pub(crate) const OPERATOR: &str = r#"
[receive.key.operator]
secret = "operator-secret-of-at-least-16"
admin = true
"#;

/// The secret of the operator.
pub(crate) const OPERATOR_SECRET: &str = "operator-secret-of-at-least-16";
/// The secret of the sender `shop`.
pub(crate) const SHOP_SECRET: &str = "shop-secret-of-at-least-16";
/// The secret of the sender `bank`.
pub(crate) const BANK_SECRET: &str = "bank-secret-of-at-least-16";

/// Room for two tenants besides `default`.
pub(crate) const FEW_TENANTS: &str = "[receive.limit]\ntenants = 3\n";

/// Files every second, so that a test sees some.
pub(crate) const SEAL_AT_ONCE: &str = r#"
[store.seal]
age = "1s"
"#;

/// A page elsewhere that may send and ask.
pub(crate) const ALLOWED_ORIGIN: &str = "https://shop.example";
/// Allows [`ALLOWED_ORIGIN`].
pub(crate) const ALLOW_ORIGIN: &str = r#"
[api]
origins = ["https://shop.example"]
"#;

/// The least that a server can be given.
pub(crate) const SMALLEST_MEMORY: &str = "128 MiB";

/// A body may be larger than what the smallest memory budget lets in.
pub(crate) const LARGE_BODIES: &str = "[receive.limit]\nbody = \"128 MiB\"\nbody_decoded = \"128 MiB\"\n";

/// Without the host's and the server's own telemetry: what comes in is what the test sends.
pub(crate) const QUIET: &str = "[receive.host]\nenabled = false\n[telemetry]\nenabled = false\n";
