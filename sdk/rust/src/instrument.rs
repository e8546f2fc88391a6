//! Spans and metrics of what services do all the time, by the names of OpenTelemetry's semantic
//! conventions: answer requests, make them, ask databases and caches, work on queues.
//!
//! What enters: a [`Tracer`](crate::telemetry::trace::Tracer) and a
//! [`Registry`](crate::telemetry::metrics::Registry). What leaves: spans and metrics, and headers that
//! let a trace go on elsewhere. What must hold: an operation is recorded once however it ends, also
//! when it is dropped; labels are of few different values (the template of a route and not its path,
//! never an id); nothing of a request's content is recorded.
//!
//! | part | feature |
//! |---|---|
//! | [`Database`], [`Cache`], [`Queue`] | none |
//! | `http`: layers for HTTP and gRPC, of servers (axum, tonic, whatever speaks tower) and of clients | `tower`, with `axum` for route templates |
//! | `http::HttpClient::send` | `reqwest` |
//! | `Redis`: a connection whose commands are seen | `redis` |

mod cache;
mod database;
#[cfg(feature = "tower")]
pub mod http;
mod queue;
#[cfg(feature = "redis")]
mod redis;
mod statement;
mod summary;

#[cfg(test)]
mod tests;

/// The examples of the guides are tests, too.
#[cfg(all(doctest, feature = "axum", feature = "reqwest"))]
mod guides;

pub use self::cache::{Cache, CacheResult};
pub use self::database::{Database, Query};
pub use self::queue::{Message, Queue};
#[cfg(feature = "redis")]
pub use self::redis::Redis;
pub use self::statement::{sanitized, sanitized_for};

use std::time::Instant;

/// Labels that are known one after the other, without an allocation.
struct LabelList<'a, const N: usize> {
    labels: [(&'static str, &'a str); N],
    count: usize,
}

impl<'a, const N: usize> LabelList<'a, N> {
    const fn new() -> Self {
        Self { labels: [("", ""); N], count: 0 }
    }

    /// Adds a label; none without a value.
    fn with(mut self, name: &'static str, value: Option<&'a str>) -> Self {
        if let (Some(value), Some(place)) = (value, self.labels.get_mut(self.count)) {
            *place = (name, value);
            self.count += 1;
        }
        self
    }

    fn as_slice(&self) -> &[(&'static str, &'a str)] {
        &self.labels[..self.count]
    }
}

/// Digits of a port, without an allocation.
#[derive(Default)]
struct PortText([u8; 5]);

impl PortText {
    fn write(&mut self, port: u16) -> &str {
        let (mut rest, mut first) = (port, self.0.len());
        while first == self.0.len() || rest > 0 {
            first -= 1;
            self.0[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        std::str::from_utf8(&self.0[first..]).unwrap_or_default()
    }
}

/// Seconds since then.
fn seconds_since(started: Instant) -> f64 {
    started.elapsed().as_secs_f64()
}

/// The error of a call that was dropped before it was done.
const CANCELLED: &str = "cancelled";

/// The path of a type, as the conventions tell exceptions; of a generic one without what it is made
/// of, so that there are few different ones.
fn type_name<T: ?Sized>() -> &'static str {
    let name = std::any::type_name::<T>();
    name.split('<').next().unwrap_or(name)
}
