//! The payment service, asked over HTTP.

use crate::failure::Failure;

pub(crate) struct Payments {
    url: String,
    http: fresnel_sdk::start::Client, // SDK
}

impl Payments {
    pub(crate) fn new(base: &str) -> Self {
        let http = fresnel_sdk::service().http_client("payments.charge"); // SDK
        Self { url: format!("{base}/payments/charge"), http }
    }

    pub(crate) async fn charge(&self, cents: u32) -> Result<(), Failure> {
        let request = self.http.post(&self.url).json(&cents);
        let answer = self.http.send(request).await.map_err(|error| Failure::Payment(error.into()))?; // SDK
        answer.error_for_status().map(drop).map_err(|error| Failure::Payment(error.into()))
    }
}
