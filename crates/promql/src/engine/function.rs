//! The functions, one file a family.

pub(super) mod absent;
pub(super) mod date;
pub(super) mod extended;
pub(super) mod histogram;
pub(super) mod info;
pub(super) mod labels;
pub(super) mod map;
pub(super) mod math;
pub(super) mod natural;
pub(super) mod over_time;
pub(super) mod over_time_histogram;
pub(super) mod rate;
pub(super) mod rate_histogram;
pub(super) mod regression;
pub(super) mod resets;
pub(super) mod sliding;
pub(super) mod sort;
