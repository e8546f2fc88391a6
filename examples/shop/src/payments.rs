//! The payment service, asked over HTTP.

use fresnel_sdk::instrument::http::HttpClient;
use fresnel_sdk::resilience::{Breaker, CallError, Faults, Timeout};

use crate::failure::Failure;
use crate::seen::Seen;

/// Where faults can be put in.
pub(crate) const CHARGE: &str = "payments.charge";

pub(crate) struct Payments {
    url: String,
    http: reqwest::Client,
    client: HttpClient,
    breaker: Breaker,
    timeout: Timeout,
    faults: Faults,
}

impl Payments {
    pub(crate) fn new(base: &str, seen: &Seen) -> Self {
        Self {
            url: format!("{base}/payments/charge"),
            http: reqwest::Client::new(),
            client: seen.client.clone(),
            breaker: seen.breaker.clone(),
            timeout: seen.timeout.clone(),
            faults: seen.faults.clone(),
        }
    }

    pub(crate) async fn charge(&self, cents: u32) -> Result<(), Failure> {
        let call = async {
            let request = self.http.post(&self.url).json(&cents).build().map_err(CallError::Inner)?;
            let answer = self.client.send(&self.http, request).await.map_err(CallError::Inner)?; // SDK
            answer.error_for_status().map(drop).map_err(CallError::Inner)
        };
        let guarded = self.breaker.run(self.timeout.run(self.faults.run(CHARGE, Box::pin(call)))); // SDK
        guarded.await.map_err(Failure::Payment)
    }
}
