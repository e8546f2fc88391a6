//! What of monitoring is as nobody said otherwise.

use std::time::Duration;

use crate::health::{CheckOptions, Checker, Scope, Status};
use crate::telemetry::metrics::{Registry, RegistryOptions};
use crate::telemetry::{PipelineOptions, Sampler};

#[test]
fn monitoring_as_nobody_says_otherwise() {
    let check = CheckOptions::default();
    assert_eq!((check.interval, check.timeout), (Duration::from_secs(30), Duration::from_secs(5)));
    let report = Checker::new("1.0.0", &Registry::new()).last(Scope::All);
    assert_eq!(
        (report.status, report.checks.is_some_and(|checks| !checks.is_empty())),
        (Status::Unknown, false)
    );

    let registry = RegistryOptions::default();
    assert_eq!((registry.labels.len(), registry.prefix.as_str()), (0, ""));
    assert_eq!(PipelineOptions::default().metrics_interval, Duration::from_secs(10));

    let Sampler::ParentBased(root) = Sampler::default() else { panic!("{:?}", Sampler::default()) };
    assert!(matches!(*root, Sampler::AlwaysOn), "{root:?}");
}
