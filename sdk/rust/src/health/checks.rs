//! Built-in checks: of the process, of its disk, of what it talks to.
//!
//! ```
//! use fresnel_sdk::health::checks::{Cpu, Disk, Memory, Tcp, within};
//! use fresnel_sdk::health::{CheckOptions, Checker};
//! use fresnel_sdk::telemetry::metrics::Registry;
//! use std::time::Duration;
//!
//! # async fn select_1() -> Result<(), std::io::Error> { Ok(()) }
//! let checker = Checker::new("1.4.2", &Registry::new());
//! let optional = CheckOptions { critical: false, ..CheckOptions::default() };
//! checker.register("memory", CheckOptions::default(), Memory::default())?;
//! checker.register("cpu", optional, Cpu::default())?;
//! checker.register("disk", CheckOptions::default(), Disk::new("/var/lib/shop"))?;
//! checker.register("mail", optional, Tcp::new("mail.internal", 25))?;
//! // A database: its own pool, its own query, and how long that may take before it is degraded.
//! let database = within(Duration::from_millis(100), || async { select_1().await });
//! checker.register("database", CheckOptions::default(), database)?;
//! # Ok::<(), fresnel_sdk::health::RegisterError>(())
//! ```

mod configured;
mod cpu;
mod disk;
mod http;
mod memory;
mod redis;
mod tcp;

use std::time::Duration;

use futures::future::BoxFuture;

pub use self::configured::{
    CheckConfig, ConfigError, DatabaseTarget, HttpTarget, MakeCustom, MakeDatabase, Makers, RedisTarget,
    Target, TcpTarget,
};
pub use self::cpu::Cpu;
pub use self::disk::Disk;
pub use self::http::{Http, UrlError};
pub use self::memory::Memory;
pub use self::redis::Redis;
pub use self::tcp::Tcp;
use super::{Check, Finding, Status};
use crate::clock;

/// A check that finds what the other one does, and that it is degraded when finding that took
/// longer than this: being slow is not being down.
pub const fn within<C: Check>(limit: Duration, check: C) -> Within<C> {
    Within { limit, check }
}

/// What [`within`] gives.
#[derive(Clone, Debug)]
pub struct Within<C> {
    limit: Duration,
    check: C,
}

impl<C: Check> Check for Within<C> {
    fn check(&self) -> BoxFuture<'_, Finding> {
        Box::pin(async {
            let start = clock::now();
            let mut finding = self.check.check().await;
            let took = clock::now() - start;
            let millis = took.as_secs_f64() * 1_000.0;
            if finding.status == Status::Healthy && took > self.limit {
                finding.status = Status::Degraded;
                finding.message = Some(format!("it took {millis:.1} ms, more than {:?}", self.limit));
            }
            finding.detail("response_time_ms", millis)
        })
    }
}

/// A share of one for people: `0.934` is `93.4 %`.
fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
