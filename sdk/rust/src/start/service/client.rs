use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::Service;
use crate::instrument::http::HttpClient;
use crate::resilience::tower::HttpJudge;
use crate::resilience::{Breaker, BreakerOptions, CallError, Context, Timeout};

/// Calls of one other service with `reqwest`: each is a client span with metrics, takes the trace, the
/// baggage and the deadline along, is cut off after ten seconds, not made while its breaker is open, which
/// is probed after five, and fails on purpose where [`Service::faults`] says so at the point of its name. What fails is told,
/// counted, and escalated where somebody must hear of it: an open breaker, who is not let in. Clones are
/// the same.
///
/// It is a [`reqwest::Client`], too, to build requests with.
///
/// ```
/// # async fn with() -> Result<(), Box<dyn std::error::Error>> {
/// let payments = fresnel_sdk::service().http_client("payments.charge");
/// let request = payments.post("http://payments.internal/charge").body("450");
/// let answer = payments.send(request).await?.error_for_status()?;
/// # let _ = answer;
/// # Ok(())
/// # }
/// ```
///
/// It does not try again: what may be sent twice goes into a [`Retry`](crate::resilience::Retry).
#[derive(Clone)]
pub struct Client {
    name: Arc<str>,
    service: Service,
    http: reqwest::Client,
    seen: HttpClient,
    timeout: Timeout,
    breaker: Breaker<HttpJudge>,
}

/// As long a call may take that nobody has said more about.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A probe costs little, and people wait for what is back.
const RESET_TIMEOUT: Duration = Duration::from_secs(5);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("breaker", &self.breaker).finish_non_exhaustive()
    }
}

impl Deref for Client {
    type Target = reqwest::Client;

    fn deref(&self) -> &reqwest::Client {
        &self.http
    }
}

impl Client {
    pub(super) fn new(service: &Service, name: Arc<str>) -> Self {
        let registry = service.registry();
        // Their counters begin at nothing: an increase is seen only from something that was there.
        service.errors();
        service.faults();
        let options = BreakerOptions { reset_timeout: RESET_TIMEOUT, ..BreakerOptions::default() };
        let breaker = Breaker::new(name.clone(), options, registry);
        Self {
            http: reqwest::Client::new(),
            seen: HttpClient::new(service.tracer(), registry),
            timeout: Timeout::new(name.clone(), TIMEOUT, registry),
            breaker: breaker.judged_by(HttpJudge::default()),
            service: service.clone(),
            name,
        }
    }

    /// By a client that was built elsewhere, with its certificates or proxy.
    #[must_use]
    pub fn over(self, http: reqwest::Client) -> Self {
        Self { http, ..self }
    }

    /// Cut off after so long; ten seconds unless said.
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        Self { timeout: Timeout::new(self.name.clone(), limit, self.service.registry()), ..self }
    }

    /// With another breaker than the default one.
    #[must_use]
    pub fn breaker(self, options: BreakerOptions) -> Self {
        let breaker = Breaker::new(self.name.clone(), options, self.service.registry());
        Self { breaker: breaker.judged_by(HttpJudge::default()), ..self }
    }

    /// Sends a request. The call is over with the head of its answer, which may be of any status; to the
    /// breaker those of the server's fault are failures.
    ///
    /// # Errors
    /// Those of `reqwest`; a [`Rejected`](crate::resilience::Rejected) when it was not made, cut off, or
    /// failed on purpose.
    pub async fn send(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, CallError<reqwest::Error>> {
        let call = async {
            let request = request.build().map_err(CallError::Inner)?;
            self.seen.send(&self.http, request).await.map_err(CallError::Inner)
        };
        let call = self.timeout.run(self.service.faults().run(&self.name, Box::pin(call)));
        let result = self.breaker.run(call).await;
        if let Err(error) = &result {
            self.service.errors().handle(error, &Context::new(&*self.name, "send"));
        }
        result
    }
}
