#![allow(clippy::unwrap_used)]

mod environment;
mod guard;

pub(crate) use self::guard::start as started;
