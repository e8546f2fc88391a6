use std::error::Error;
use std::future::Future;

use super::span::Span;
use super::tracer::Tracer;
use crate::telemetry::otlp::{SpanKind, Status};

/// Who makes a journey through a product. Ids are pseudonyms: no names, no addresses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traveller<'a> {
    /// `user.id`; `anonymous` without one.
    pub user_id: Option<&'a str>,
    /// `session.id`; `unknown` without one.
    pub session_id: Option<&'a str>,
}

impl Tracer {
    /// Begins a step of a user's journey: a client span `user_journey.<journey>` with
    /// `user.journey`, `user.id` and `session.id`.
    pub fn journey(&self, journey: &str, traveller: Traveller<'_>) -> Span {
        self.span(format!("user_journey.{journey}"))
            .kind(SpanKind::Client)
            .attribute("user.journey", journey)
            .attribute("user.id", traveller.user_id.unwrap_or("anonymous"))
            .attribute("session.id", traveller.session_id.unwrap_or("unknown"))
            .start()
    }

    /// Runs a step of a user's journey. What it ends with is recorded and given back.
    ///
    /// # Errors
    /// Those of the step.
    pub async fn trace_user_journey<T, E: Error>(
        &self,
        journey: &str,
        traveller: Traveller<'_>,
        step: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut span = self.journey(journey, traveller);
        let result = span.instrument(step).await;
        match &result {
            Ok(_) => span.status(Status::Ok),
            Err(error) => span.fail(error),
        }
        result
    }
}
