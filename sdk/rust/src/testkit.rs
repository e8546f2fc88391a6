//! Doubles for tests: a recording of logs and spans, a tracer and metrics that can be asked for, a clock that is
//! moved by hand, flags that are set, an issuer of tokens, and a container that has all of them.
//!
//! For tests only: enable the feature `testkit` in `[dev-dependencies]`. The users of [`TestIssuer`]
//! and their passwords are known to everybody.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use fresnel_sdk::testkit::TestContainer;
//! use tracing::Level;
//!
//! /// What is tested: takes what it needs by type.
//! struct Greeter(Arc<fresnel_sdk::flags::Flags>);
//! impl Greeter {
//!     fn greet(&self) -> &'static str {
//!         tracing::info!(politely = true, "greet");
//!         if self.0.bool("formal", false, &Default::default()) { "Good morning" } else { "Hi" }
//!     }
//! }
//!
//! let kit = TestContainer::new();
//! kit.flags.set("formal", true);
//! let services = kit.services();
//! let greeter = Greeter(services.get()?);
//! kit.recording.during(|| assert_eq!(greeter.greet(), "Good morning"));
//! kit.recording.expect(Level::INFO, "greet");
//! kit.time.advance(Duration::from_secs(60));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod auth;
mod container;
mod flags;
mod metrics;
mod recording;
mod time;
mod tracer;

#[cfg(test)]
mod tests;

/// The examples of the guide are tests, too.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/sdk/testkit.md")]
mod guide {}

pub use self::auth::{LoginError, TestIssuer, TestUser, TokenSet};
pub use self::container::TestContainer;
pub use self::flags::{Exposure, TestFlags};
pub use self::metrics::RecordingMetrics;
pub use self::recording::{RecordedEvent, RecordedSpan, Recording};
pub use self::time::ManualTime;
pub use self::tracer::{RecordingTracer, TracedSpan};

/// Runs a test with neither logs nor spans, whatever is installed in the process: what records
/// nothing costs nothing.
///
/// ```
/// fresnel_sdk::testkit::without_telemetry(|| tracing::error!("nobody hears this"));
/// ```
pub fn without_telemetry<T>(test: impl FnOnce() -> T) -> T {
    tracing::dispatcher::with_default(&tracing::Dispatch::none(), test)
}
