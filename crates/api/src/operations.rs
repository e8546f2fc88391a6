use std::future::Future;
use std::pin::Pin;

use crate::dto;
use crate::tenant::Sight;

/// What the API tells about the server itself.
pub trait Operations: Send + Sync + 'static {
    /// `/api/v1/status`
    fn status<'a>(&'a self, sight: &'a Sight) -> Pin<Box<dyn Future<Output = dto::Status> + Send + 'a>>;
    /// `/api/v1/ledger`
    fn ledger(&self, sight: &Sight) -> dto::Ledger;
    /// `/healthz`; answers from what is known, without doing the checks anew.
    fn health(&self, sight: &Sight) -> dto::Health;
    /// Whether requests of senders and readers are served: `/readyz`.
    fn ready(&self) -> bool;
    /// `/metrics`, in Prometheus' text format.
    fn metrics(&self, sight: &Sight) -> String;
}
