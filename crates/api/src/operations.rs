use std::future::Future;
use std::pin::Pin;

use crate::dto;

/// What the API tells about the server itself.
pub trait Operations: Send + Sync + 'static {
    /// `/api/v1/status`
    fn status(&self) -> Pin<Box<dyn Future<Output = dto::Status> + Send + '_>>;
    /// `/api/v1/ledger`, of every tenant.
    fn ledger(&self) -> dto::Ledger;
    /// `/healthz`; answers from what is known, without doing the checks anew.
    fn health(&self) -> dto::Health;
    /// Whether requests of senders and readers are served: `/readyz`.
    fn ready(&self) -> bool;
    /// `/metrics`, in Prometheus' text format.
    fn metrics(&self) -> String;
}
