use std::future::Future;
use std::pin::Pin;

use futures::stream::BoxStream;
use model::{Table, Tenant};

use crate::dto;
use crate::tenant::Sight;

/// What `/api/v1/admin/compact` is to merge; of each, nothing means all.
#[derive(Clone, Debug, Default)]
pub struct CompactWanted {
    /// Of these tables.
    pub tables: Vec<Table>,
    /// Of these tenants.
    pub tenants: Vec<Tenant>,
    /// Of these UTC days, as [`model::day_of`] numbers them.
    pub days: Vec<i32>,
}

/// What the API tells about the server itself, and what it lets be done to it.
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
    /// `/api/v1/admin/compact`: merges while the lines are read, the last one is
    /// [`dto::CompactLine::Done`]. Nothing while another one goes on.
    fn compact(&self, wanted: CompactWanted) -> Option<BoxStream<'static, dto::CompactLine>>;
}
