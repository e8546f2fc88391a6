//! The store as rules want to see it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use detect::Series;
use model::{Signal, Tenant};
use promql::{Sample, Value};
use query::{Engine, PrometheusQuery, When};
use receive::{Body, Encoding, Intake, Message, Refusal, RemoteWriteVersion};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::encode;

/// Samples that the intake is given at once.
const SAMPLES_A_REQUEST: usize = 10_000;

/// Asks the query engine and gives to the intake, from a thread that may wait.
pub struct StoreSeries {
    pub engine: Engine,
    pub intake: Intake,
    pub tenant: Tenant,
    pub runtime: Handle,
    /// Ends what is asked.
    pub stop: CancellationToken,
    /// How long the intake is asked again when it is overloaded.
    pub patience: Duration,
}

impl Series for StoreSeries {
    fn query(&self, expr: &str, time_ms: i64) -> Result<Value, String> {
        let query = PrometheusQuery {
            tenant: self.tenant.clone(),
            text: expr.to_owned(),
            when: When::Instant { time_ms },
            timeout: None,
            lookback_ms: None,
            resolution_max_ms: None,
        };
        let asked = self.stop.run_until_cancelled(self.engine.prometheus_query(query));
        let Some(answer) = self.runtime.block_on(asked) else { return Err("the server stops".to_owned()) };
        let answer = answer.map_err(|error| crate::sink::chain(&error))?;
        // An alert must not end, or begin, because a file could not be read.
        if !answer.summary.complete {
            return Err(format!("the answer is not complete: {}", answer.summary.warnings.join("; ")));
        }
        Ok(answer.value.value)
    }

    fn append(&mut self, samples: Vec<Sample>) -> Result<(), String> {
        samples.chunks(SAMPLES_A_REQUEST).try_for_each(|samples| self.store(samples))
    }
}

impl StoreSeries {
    /// Gives until it is taken, or refused for good.
    fn store(&self, samples: &[Sample]) -> Result<(), String> {
        let message = Bytes::from(encode::write_request(samples));
        let began = Instant::now();
        loop {
            let refusal = match self.runtime.block_on(self.give(message.clone())) {
                Ok(outcome) if outcome.rejected > 0 => return Err(outcome.message),
                Ok(_) => return Ok(()),
                Err(refusal) => refusal,
            };
            let again = refusal.retry_after().filter(|after| began.elapsed() + *after < self.patience);
            let Some(after) = again else { return Err(refusal.to_string()) };
            let stopped = self.stop.run_until_cancelled(tokio::time::sleep(after));
            if self.runtime.block_on(stopped).is_none() {
                return Err(refusal.to_string());
            }
        }
    }

    async fn give(&self, message: Bytes) -> Result<receive::Outcome, Refusal> {
        let reservation = self.intake.admit(message.len() as u64)?;
        let body = Body {
            message: Message::RemoteWrite(RemoteWriteVersion::V1),
            encoding: Encoding::Identity,
            bytes: message,
            reservation,
        };
        self.intake.take(self.tenant.clone(), Signal::Metrics, body).await
    }
}
