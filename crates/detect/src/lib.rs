//! What is abnormal: rules in Prometheus' files, evaluated over series that somebody else stores.
//!
//! Enters: the text of a rule file, the time of an evaluation, and [`Series`] that answers
//! expressions and takes samples. Leaves: samples of recording rules and of alerts, and the state of
//! each alert. Must hold: no I/O and no clock (`now` is an argument), so that every evaluation can be
//! repeated; whatever is wrong with a file is said at once, with line and column; everything a file
//! or a template can ask for is bounded.
//!
//! - [`rules`]: rule files, as of Prometheus 3.
//! - [`group`]: the evaluation of a group of rules and the state of its alerts.
//! - [`template`]: the texts of labels and annotations.
//! - [`trial`]: unit tests of rules, in the format of `promtool test rules`.
//!
//! Times are milliseconds since 1970, as everywhere in Prometheus.

pub mod group;
pub mod rules;
pub mod template;
pub mod trial;
mod yaml;

pub use group::{Group, Series};
pub use template::Template;
pub use yaml::Problem;
