use super::client::{HttpClient, Target};

impl HttpClient {
    /// Sends a request of `reqwest`, in a span of its own and with the context in its headers. The
    /// request is over with the head of its answer: its body is read by whoever gets it.
    ///
    /// With the feature `resilience` hosts that are told the context are also told by `grpc-timeout` what
    /// is left of the task's `Deadline`, unless the request says something else itself.
    ///
    /// # Errors
    /// Those of `reqwest`.
    pub async fn send(
        &self,
        client: &reqwest::Client,
        mut request: reqwest::Request,
    ) -> reqwest::Result<reqwest::Response> {
        let (method, url) = (request.method().clone(), request.url().clone());
        let target = Target {
            method: &method,
            scheme: url.scheme(),
            host: url.host_str().unwrap_or_default(),
            port: url.port(),
            path: url.path(),
        };
        let mut exchange = self.begin(&target, request.headers_mut());
        #[cfg(feature = "resilience")]
        if self.tells(target.host) {
            tell_deadline(request.headers_mut());
        }
        match exchange.span.instrument(client.execute(request)).await {
            Ok(answer) => {
                exchange.answered(answer.status(), answer.headers());
                exchange.response_bytes = answer.content_length().unwrap_or(0);
                exchange.complete = true;
                Ok(answer)
            }
            Err(error) => {
                let kind = if error.is_timeout() {
                    "timeout"
                } else if error.is_connect() {
                    "connect"
                } else {
                    "request"
                };
                // The text of reqwest's error has the address, and so what may be secret in it.
                exchange.failed(kind, format!("the request failed: {kind}"));
                Err(error)
            }
        }
    }
}

#[cfg(feature = "resilience")]
fn tell_deadline(headers: &mut http::HeaderMap) {
    use crate::resilience::{DEADLINE_HEADER, Deadline};

    let value = Deadline::current().and_then(|it| http::HeaderValue::try_from(it.header_value()).ok());
    if let Some(value) = value {
        headers.entry(DEADLINE_HEADER).or_insert(value);
    }
}
