#![allow(clippy::unwrap_used)]

mod formats;
mod several;
