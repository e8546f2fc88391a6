use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use model::Tenant;
use promql::{Interrupted, Options, Outcome, ParseOptions, Steps};

use super::select::{Store, TABLES};
use super::tiers::counted;
use crate::registry::Control;
use crate::session::Session;
use crate::{Answer, Engine, QueryError, Snapshot, SqlRequest};

/// Bytes of a time and a value.
const SAMPLE_BYTES: u64 = 16;

/// A query in PromQL.
#[derive(Clone, Debug)]
pub struct PrometheusQuery {
    /// Whose series.
    pub tenant: Tenant,
    /// The query.
    pub text: String,
    /// At which time or times.
    pub when: When,
    /// How long it may take; `query.timeout` when `None`, at most `query.timeout_max`.
    pub timeout: Option<Duration>,
    /// How far an instant selector looks back, milliseconds; as configured when `None`.
    pub lookback_ms: Option<i64>,
    /// The coarsest resolution of downsampled samples that may be read, milliseconds; 0 for none. When
    /// `None` it goes by step and range, and by what is there.
    pub resolution_max_ms: Option<u64>,
}

/// When a query is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Once.
    Instant {
        /// Milliseconds since 1970.
        time_ms: i64,
    },
    /// At every step.
    Range(Steps),
}

impl Engine {
    /// Evaluates a query.
    ///
    /// # Errors
    /// [`QueryError::Argument`] for what is no query of this kind, [`QueryError::Execution`] for one
    /// that cannot be answered with these series or within `query.prometheus.samples`, others as for
    /// [`Engine::sql`].
    pub async fn prometheus_query(&self, query: PrometheusQuery) -> Result<Answer<Outcome>, QueryError> {
        let mut options = self.prometheus_options(query.lookback_ms);
        let request = SqlRequest {
            timeout: query.timeout,
            ..SqlRequest::new(query.tenant.clone(), query.text.clone())
        };
        let session = self.begin(request).await?;
        // What the evaluator holds, the answer among it, is counted in samples.
        let fitting = usize::try_from(session.control().pool.limit() / SAMPLE_BYTES).unwrap_or(usize::MAX);
        options.limits.samples_max = options.limits.samples_max.min(fitting);
        compute(session, move |session, snapshots| {
            let outcome = evaluate(session, snapshots, &query, &options)?;
            let rows = usize::try_from(outcome.statistics.series).unwrap_or(usize::MAX);
            Ok(session.answer(outcome, rows))
        })
        .await
    }

    fn prometheus_options(&self, lookback_ms: Option<i64>) -> Options {
        let config = self.0.prometheus();
        let lookback = i64::try_from(config.lookback.get().as_millis()).unwrap_or(i64::MAX);
        Options {
            lookback_ms: lookback_ms.unwrap_or(lookback),
            delayed_name_removal: config.delayed_name_removal,
            start_timestamps: config.start_timestamps,
            experimental: config.experimental,
            parallelism: self.0.executor.metrics().num_workers(),
            limits: promql::Limits { samples_max: config.samples, series_max: config.series },
            ..Options::default()
        }
    }
}

/// Computes on a thread of its own beside the workers of the executor, over snapshots of the
/// tables that PromQL reads. When nobody waits for the answer any more, the work is told to end.
pub(super) async fn compute<T: Send + 'static>(
    session: Session,
    work: impl FnOnce(&Session, &[Arc<Snapshot>]) -> Result<T, QueryError> + Send + 'static,
) -> Result<T, QueryError> {
    struct Unwanted(Arc<Control>);
    impl Drop for Unwanted {
        fn drop(&mut self) {
            self.0.cancel();
        }
    }
    let control = Arc::clone(session.control());
    let unwanted = Unwanted(Arc::clone(&control));
    let executor = session.engine.executor.clone();
    let task = executor.spawn_blocking(move || {
        let result = session.snapshots(&TABLES).and_then(|snapshots| work(&session, &snapshots));
        // Its end is the end of the query, for which the asker has to have the answer first.
        (session, result)
    });
    let ended = control.within(async {
        let ended = task.await;
        ended.map_err(|error| QueryError::Internal { message: format!("a bug: {error}") })
    });
    let (session, result) = ended.await?;
    if result.is_err() {
        control.failed.store(true, Ordering::Relaxed);
    }
    drop((session, unwanted));
    result
}

fn evaluate(
    session: &Session,
    snapshots: &[Arc<Snapshot>],
    query: &PrometheusQuery,
    options: &Options,
) -> Result<Outcome, QueryError> {
    let mut expr = promql::parse(&query.text, &ParseOptions::from(options))
        .map_err(|error| QueryError::Argument { message: error.to_string() })?;
    let store = Store::new(session, snapshots, options, query.resolution_max_ms)?;
    if store.has_downsampled() {
        counted(&mut expr);
    }
    let check = || match session.control().has_to_stop() {
        None => Ok(()),
        Some(QueryError::DeadlineExceeded { .. }) => Err(Interrupted::TimedOut),
        Some(_) => Err(Interrupted::Canceled),
    };
    let outcome = match query.when {
        When::Instant { time_ms } => promql::query_instant(&expr, time_ms, options, &store, &check),
        When::Range(steps) => promql::query_range(&expr, steps, options, &store, &check),
    };
    outcome.map_err(|error| store.failure().unwrap_or_else(|| translate(&error, session.control())))
}

fn translate(error: &promql::QueryError, control: &Control) -> QueryError {
    use promql::QueryError as Of;
    let message = error.to_string();
    match error {
        Of::Canceled => QueryError::Cancelled,
        Of::TimedOut => QueryError::DeadlineExceeded { timeout: control.timeout },
        Of::Invalid(_) => QueryError::Argument { message },
        Of::Storage(_) => QueryError::Internal { message },
        Of::TooManySamples | Of::TooManySeries { .. } | Of::Execution(_) => QueryError::Execution { message },
    }
}
