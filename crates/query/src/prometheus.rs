//! PromQL over the store, and what Prometheus' API asks besides.
//!
//! Enters: a query with its times, or selectors. Leaves: PromQL's values, labels, metadata and
//! exemplars. Must hold: no SQL and no plan of DataFusion: series and samples are read as columns;
//! everything that computes runs on the threads for queries, none of it on a worker of theirs that
//! others wait for; one snapshot, one deadline and one share of memory a query.
//!
//! Times are milliseconds, as everywhere in Prometheus; nanoseconds only where rows are read.

mod evaluate;
mod exemplars;
mod exposed;
mod histogram;
mod known;
mod labels;
mod memory;
mod metadata;
mod names;
mod pieces;
mod points;
mod promoted;
mod prune;
mod rows;
mod samples;
mod select;
mod series;
mod target_info;
mod tiers;
mod workers;

pub(crate) use known::KnownFile;
pub(crate) use metadata::METADATA;
pub(crate) use samples::Directory;

pub use evaluate::{PrometheusQuery, When};
pub use exemplars::{Exemplar, SeriesExemplars};
pub use labels::{LabelsOf, PrometheusSelection};
pub use metadata::{MetricMetadata, SeriesStatistics};
