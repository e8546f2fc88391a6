//! Errors and messages that a person is to look at, with what led to them.
//!
//! What enters: errors, messages, what was done before ([`add_breadcrumb`]) and for whom
//! ([`set_user`]). What leaves: log records by OpenTelemetry's conventions for exceptions, on the way
//! of all log records: the same levels (as the logger `errors`), outputs, redaction, ids and pipeline.
//!
//! What must hold: an error that is tracked is given back as it was; arguments of functions, addresses
//! and names of users are recorded only where the program says so; a hook that panics loses its
//! report, which is told, and nothing else.
//!
//! The guide is `docs/sdk/errors.md`.
//!
//! ```
//! use fresnel_sdk::errors::{self, User};
//! use fresnel_sdk::logging::NO_VALUES;
//!
//! errors::with_scope(|| {
//!     errors::set_user(User::new("u-17").tier("gold"));
//!     errors::add_breadcrumb("cart opened", "navigation", [("items", 3)]);
//!     let price = errors::with_error_tracking("read_price", [("shop", "eu")], || "x".parse::<u16>());
//!     let error = price.expect_err("it is the same error, and was recorded");
//!     assert_eq!(error.to_string(), "invalid digit found in string");
//!     errors::capture_error(&error, [("attempt", 2)]);
//!     errors::capture_message(fresnel_sdk::logging::Severity::Warn, "prices are old", NO_VALUES);
//! });
//! ```

mod capture;
mod layer;
mod report;
mod scope;
mod track;

#[cfg(test)]
mod tests;

/// Examples of the guide, compiled.
#[cfg(all(doctest, feature = "axum", feature = "tower"))]
mod guides {
    #[doc = include_str!("../../../docs/sdk/errors.md")]
    mod errors {}
}

pub(crate) use self::capture::capture_panic;
pub use self::capture::{capture_error, capture_message};
pub use self::layer::ErrorLayer;
pub use self::report::{BREADCRUMB_BYTES_MAX, BREADCRUMBS_MAX, Breadcrumb, Report, User};
pub(crate) use self::scope::Scope;
pub use self::scope::{add_breadcrumb, scope, set_user, with_scope};
pub use self::track::{with_error_tracking, with_error_tracking_async};
