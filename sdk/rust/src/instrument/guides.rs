#[doc = include_str!("../../../../docs/sdk/tracing.md")]
mod tracing {}

#[doc = include_str!("../../../../docs/sdk/metrics.md")]
mod metrics {}
