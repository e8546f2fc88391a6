use std::collections::BTreeMap;

use model::Tenant;
use parking_lot::Mutex;

use crate::error::Refusal;

/// Tenants that have something in the store, up to a limit. One is counted when something of it is
/// stored for the first time, and not because somebody names it.
#[derive(Debug)]
pub(crate) struct Tenants {
    max: usize,
    seats: Mutex<BTreeMap<Tenant, Seat>>,
}

#[derive(Debug, Default)]
struct Seat {
    /// Something is stored.
    kept: bool,
    /// Requests that are being stored.
    trying: usize,
}

/// A seat while a request is being stored. One that is neither kept nor given back stays taken:
/// what was begun may still be stored.
#[must_use = "a seat is kept or given back"]
pub(crate) struct Claim<'a> {
    tenants: &'a Tenants,
    tenant: Tenant,
}

impl Tenants {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, seats: Mutex::default() }
    }

    /// Counts a tenant that has records in the store already.
    pub(crate) fn know(&self, tenant: Tenant) {
        self.seats.lock().entry(tenant).or_default().kept = true;
    }

    /// Whether there is a seat, before any work is done for a request.
    pub(crate) fn check(&self, tenant: &Tenant) -> Result<(), Refusal> {
        let seats = self.seats.lock();
        if seats.contains_key(tenant) || seats.len() < self.max { Ok(()) } else { Err(one_too_many(tenant)) }
    }

    /// Takes a seat for a request that is about to be stored.
    pub(crate) fn claim(&self, tenant: &Tenant) -> Result<Claim<'_>, Refusal> {
        let mut seats = self.seats.lock();
        if !seats.contains_key(tenant) && seats.len() >= self.max {
            return Err(one_too_many(tenant));
        }
        seats.entry(tenant.clone()).or_default().trying += 1;
        Ok(Claim { tenants: self, tenant: tenant.clone() })
    }
}

impl Claim<'_> {
    /// Something is stored, or may be.
    pub(crate) fn keep(self) {
        if let Some(seat) = self.tenants.seats.lock().get_mut(&self.tenant) {
            seat.kept = true;
            seat.trying -= 1;
        }
    }

    /// Nothing was stored.
    pub(crate) fn give_back(self) {
        let mut seats = self.tenants.seats.lock();
        if let Some(seat) = seats.get_mut(&self.tenant) {
            seat.trying -= 1;
            if !seat.kept && seat.trying == 0 {
                seats.remove(&self.tenant);
            }
        }
    }
}

fn one_too_many(tenant: &Tenant) -> Refusal {
    Refusal::Tenant(format!("tenant `{tenant}` would be one more than receive.limit.tenants"))
}
