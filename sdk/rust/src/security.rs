//! What a service that faces the world must check and say: tokens, policies of the page, names and
//! addresses that strangers chose.
//!
//! Everything is a plain function or type; with the feature `tower` the same is a layer for axum and
//! whatever else speaks `tower`. `jwt` brings tokens, `html` the sanitizer of HTML.
//!
//! What must hold: a check that cannot be made is a refusal; what an attacker sends is bounded
//! before it is looked at; input is validated, output is encoded, and nothing is "cleaned" into SQL
//! (that is what bound parameters are for). No content that was refused is logged.

pub mod access;
pub mod csp;
mod encode;
mod file_name;
mod headers;
#[cfg(feature = "html")]
mod html;
mod json;
#[cfg(feature = "jwt")]
pub mod jwt;
#[cfg(feature = "tower")]
pub mod layer;
mod mail;
#[cfg(feature = "encryption")]
pub mod seal;
mod url;

#[cfg(test)]
mod tests;

pub use self::encode::{content_disposition, escape_html, escape_regex, json_for_script};
pub use self::file_name::{FILE_NAME_BYTES_MAX, file_name};
pub use self::headers::{FrameOptions, Hsts, ReferrerPolicy, SecurityHeaders};
#[cfg(feature = "html")]
pub use self::html::{HtmlError, HtmlSanitizer};
pub use self::json::{JsonError, JsonLimits};
pub use self::mail::is_email;
pub use self::url::{UrlError, UrlPolicy, is_local_redirect, is_public};
