use serde_json::Value;

use crate::rows::integer;

/// The ledger as `/api/v1/ledger` tells it.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Whether the server says that it balances.
    pub balanced: bool,
    /// One entry per tenant and signal.
    pub entries: Vec<Entry>,
}

/// What became of a tenant's records of one signal.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Tenant.
    pub tenant: String,
    /// `logs`, `spans` or `metrics`.
    pub signal: String,
    /// Records that came in.
    pub received: i64,
    /// Records that are kept.
    pub stored: i64,
    /// Records refused, over all reasons.
    pub rejected: i64,
    /// Records dropped, over all rules.
    pub dropped: i64,
    /// Records known already.
    pub deduplicated: i64,
    /// Records whose time to be kept is over.
    pub expired: i64,
}

impl Ledger {
    /// Reads the answer.
    ///
    /// # Panics
    /// When it has another form.
    #[track_caller]
    pub fn from_json(answer: &Value) -> Self {
        let Some(entries) = answer["entries"].as_array() else { panic!("no entries in {answer}") };
        Self {
            balanced: answer["balanced"].as_bool().expect("a ledger says whether it balances"),
            entries: entries.iter().map(Entry::from_json).collect(),
        }
    }

    /// What does not add up, in words; empty when everything does.
    pub fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = self
            .entries
            .iter()
            .filter(|entry| entry.received != entry.accounted())
            .map(|entry| format!("received is not the sum of the rest: {entry:?}"))
            .collect();
        if !self.balanced {
            faults.push("the server says that it does not balance".to_owned());
        }
        faults
    }

    /// The entry of a tenant's signal.
    pub fn entry(&self, tenant: &str, signal: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tenant == tenant && entry.signal == signal)
    }
}

impl Entry {
    fn from_json(entry: &Value) -> Self {
        let sum = |field: &str| {
            let parts = entry[field].as_object().map(|parts| parts.values().map(integer).sum());
            parts.unwrap_or_default()
        };
        let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        Self {
            tenant: text("tenant"),
            signal: text("signal"),
            received: integer(&entry["received"]),
            stored: integer(&entry["stored"]),
            rejected: sum("rejected"),
            dropped: sum("dropped"),
            deduplicated: integer(&entry["deduplicated"]),
            expired: integer(&entry["expired"]),
        }
    }

    /// Records whose fate is known.
    pub fn accounted(&self) -> i64 {
        self.stored + self.rejected + self.dropped + self.deduplicated + self.expired
    }
}
