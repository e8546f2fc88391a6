#![allow(clippy::unwrap_used)]

mod audit;
mod bus;
mod file;
mod redaction;
mod store;
mod subscribers;

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use super::{Event, Metadata};

/// Time to spare: nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(20);

/// An event as the bus would hand it to a store.
fn event(kind: &str, tags: &[(&str, &str)], time_unix_nano: u64) -> Event {
    let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Event {
        position: 0,
        id: Uuid::now_v7(),
        kind: kind.to_owned(),
        time_unix_nano,
        tags: tags.collect::<BTreeMap<_, _>>(),
        metadata: Metadata::default(),
        data: serde_json::Value::Null,
    }
}

fn positions(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.position).collect()
}
