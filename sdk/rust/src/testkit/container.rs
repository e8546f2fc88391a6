use std::sync::Arc;

use super::auth::TestIssuer;
use super::flags::TestFlags;
use super::metrics::RecordingMetrics;
use super::recording::Recording;
use super::time::ManualTime;
use super::tracer::RecordingTracer;
use crate::events::{Events, EventsOptions, MemoryStore};
use crate::flags::Flags;
use crate::modules::Services;
use crate::security::jwt::Validator;
use crate::telemetry::metrics::Registry;
use crate::telemetry::trace::Tracer;
use crate::time_of_day::TimeOfDay;

/// All doubles, and the services that the code under test takes by type: [`Flags`], [`Registry`],
/// [`Tracer`], [`Events`], [`Validator`], [`TestIssuer`] and `dyn TimeOfDay`.
///
/// ```
/// use std::sync::Arc;
/// use fresnel_sdk::events::{Events, NewEvent, Page, Query};
/// use fresnel_sdk::testkit::TestContainer;
///
/// trait Mailer: Send + Sync {}
/// struct NoMail;
/// impl Mailer for NoMail {}
///
/// let kit = TestContainer::new().with::<dyn Mailer>(Arc::new(NoMail));
/// let services = kit.services();
/// assert!(services.get::<dyn Mailer>().is_ok());
/// services.get::<Events>()?.emit(NewEvent::new("A"))?.wait(std::time::Duration::from_secs(5))?;
/// assert_eq!(kit.events.read(&Query::everything(), &Page::default())?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TestContainer {
    /// Logs and spans, of what runs in [`Recording::during`].
    pub recording: Recording,
    /// Spans of the tracer.
    pub tracer: RecordingTracer,
    /// Metrics.
    pub metrics: RecordingMetrics,
    /// The clock of the events and of the tokens.
    pub time: ManualTime,
    /// Flags.
    pub flags: TestFlags,
    /// Events, in memory.
    pub events: Arc<Events>,
    /// Tokens.
    pub issuer: Arc<TestIssuer>,
    services: Services,
}

impl Default for TestContainer {
    fn default() -> Self {
        Self::new()
    }
}

impl TestContainer {
    /// With all of them.
    pub fn new() -> Self {
        let time = ManualTime::default();
        let (flags, metrics) = (TestFlags::new(), RecordingMetrics::default());
        let (recording, tracer) = (Recording::default(), RecordingTracer::default());
        let options = EventsOptions {
            time: Box::new(time.clone()),
            // A test waits for one event at a time.
            flush_interval: std::time::Duration::ZERO,
            ..EventsOptions::default()
        };
        let events = Arc::new(Events::new(MemoryStore::default(), options));
        let issuer = Arc::new(TestIssuer::new(time.clone()));
        let services = Services::default()
            .with::<Flags>(Arc::new(flags.flags().clone()))
            .with::<Registry>(Arc::new(metrics.registry().clone()))
            .with::<Tracer>(Arc::new(tracer.tracer().clone()))
            .with::<Events>(events.clone())
            .with::<Validator>(Arc::new(issuer.validator()))
            .with::<TestIssuer>(issuer.clone())
            .with::<dyn TimeOfDay>(Arc::new(time.clone()));
        Self { recording, tracer, metrics, time, flags, events, issuer, services }
    }

    /// With a service of one's own, or another one in the place of a double.
    #[must_use]
    pub fn with<T: ?Sized + Send + Sync + 'static>(mut self, service: Arc<T>) -> Self {
        self.services.insert(service);
        self
    }

    /// The services, for the code under test or for [`Modules::new`](crate::modules::Modules::new).
    pub fn services(&self) -> Services {
        self.services.clone()
    }
}
