//! What is known of errors that cannot say it themselves: those of the standard library, and ours.

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::Duration;

use super::{Category, Classification, chain};
use crate::resilience::Rejected;

/// The first cause that is known.
enum Known<'a> {
    Rejected(&'a Rejected),
    Io(&'a io::Error),
}

fn first<'a>(error: &'a (dyn Error + 'static)) -> Option<Known<'a>> {
    chain(error).find_map(|link| {
        let rejected = link.downcast_ref().map(Known::Rejected);
        rejected.or_else(|| link.downcast_ref().map(Known::Io))
    })
}

pub(super) fn classification(error: &(dyn Error + 'static)) -> Classification {
    let category = match first(error) {
        Some(Known::Rejected(rejected)) => return of_rejected(rejected),
        Some(Known::Io(error)) => of_io(error.kind()),
        None => Category::Unknown,
    };
    Classification::of(category)
}

fn of_rejected(rejected: &Rejected) -> Classification {
    let category = match rejected {
        Rejected::TimedOut { .. } => Category::Timeout,
        // Nobody waits for the answer any more.
        Rejected::DeadlineExceeded => {
            return Classification { retryable: false, ..Classification::of(Category::Timeout) };
        }
        Rejected::RateLimited { .. } => Category::RateLimit,
        // Places come free again: nobody must be woken for that.
        Rejected::BulkheadFull { .. } | Rejected::Overloaded { .. } => {
            return Classification {
                category: Category::ResourceExhaustion,
                ..Classification::of(Category::RateLimit)
            };
        }
        Rejected::CircuitOpen { .. } | Rejected::NoEndpoint { .. } | Rejected::Injected { .. } => {
            Category::Network
        }
    };
    Classification::of(category)
}

fn of_io(kind: ErrorKind) -> Category {
    match kind {
        ErrorKind::TimedOut => Category::Timeout,
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::NotConnected
        | ErrorKind::BrokenPipe
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::UnexpectedEof
        // What came from the other side cannot be read: of protocols, and of TLS.
        | ErrorKind::InvalidData => Category::Network,
        ErrorKind::PermissionDenied => Category::Authorization,
        ErrorKind::InvalidInput => Category::Validation,
        ErrorKind::OutOfMemory | ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Category::ResourceExhaustion
        }
        _ => Category::Unknown,
    }
}

pub(super) fn name(error: &(dyn Error + 'static)) -> Cow<'static, str> {
    match first(error) {
        Some(Known::Rejected(_)) => "Rejected".into(),
        Some(Known::Io(_)) => "io::Error".into(),
        // OpenTelemetry's word for an error of which nothing is known.
        None => "_OTHER".into(),
    }
}

pub(super) fn code(error: &(dyn Error + 'static)) -> Option<Cow<'static, str>> {
    first(error).map(|known| match known {
        Known::Rejected(rejected) => rejected.code(),
        Known::Io(error) => format!("{:?}", error.kind()).into(),
    })
}

pub(super) fn retry_after(error: &(dyn Error + 'static)) -> Option<Duration> {
    match first(error)? {
        Known::Rejected(rejected) => rejected.retry_after(),
        Known::Io(_) => None,
    }
}

pub(super) fn executed(error: &(dyn Error + 'static)) -> bool {
    match first(error) {
        Some(Known::Rejected(rejected)) => rejected.executed(),
        Some(Known::Io(error)) => error.kind() != ErrorKind::ConnectionRefused,
        None => true,
    }
}
