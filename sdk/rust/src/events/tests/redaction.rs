use std::time::Duration;

use serde_json::json;

use super::PATIENCE;
use crate::events::{Events, EventsOptions, MemoryStore, NewEvent, Page, Pattern, Query, Redaction, Start};

#[test]
fn secrets_reach_neither_store_nor_subscriber() {
    let redactions = vec![
        Redaction::field("data.card").unwrap(),
        Redaction::field("data.people.*.phone").unwrap(),
        Redaction::field("data.list.0").unwrap(),
        Redaction::field("metadata.userId").unwrap(),
        Redaction::field("tags.secret").unwrap(),
        Redaction::pattern("data", r"\b\d{4}-(\d{4})\b", "****-$1").unwrap(),
    ];
    let events = Events::new(MemoryStore::default(), EventsOptions { redactions, ..Default::default() });
    let (sender, told) = std::sync::mpsc::sync_channel(1);
    let callback = move |event: &crate::events::Event| sender.send(event.clone()).unwrap();
    let _told = events.subscribe(Pattern::everything(), Start::Now, callback).unwrap();
    let mut event = NewEvent::new("A").tag("secret", "s3cr3t").tag("order", "1").data(json!({
        "card": {"number": "4111"},
        "people": [{"phone": "1", "name": "ann"}, {"phone": "2"}],
        "list": ["first", "second"],
        "note": {"deep": ["call 1234-5678 \"now\""]},
        "key": 7,
    }));
    event.metadata.user_id = Some("ann".into());
    event.metadata.request_id = Some("r".into());
    events.emit(event).unwrap().wait(PATIENCE).unwrap();
    let stored = events.read(&Query::everything(), &Page::default()).unwrap().remove(0);
    assert_eq!(
        stored.data,
        json!({
            "card": "[REDACTED]",
            "people": [{"phone": "[REDACTED]", "name": "ann"}, {"phone": "[REDACTED]"}],
            "list": ["[REDACTED]", "second"],
            "note": {"deep": ["call ****-5678 \"now\""]},
            "key": 7,
        })
    );
    assert_eq!(stored.metadata.user_id.as_deref(), Some("[REDACTED]"));
    assert_eq!(stored.metadata.request_id.as_deref(), Some("r"));
    assert_eq!((stored.tags["secret"].as_str(), stored.tags["order"].as_str()), ("[REDACTED]", "1"));
    assert_eq!(told.recv_timeout(Duration::from_secs(20)).unwrap(), stored);
}

#[test]
fn a_path_that_leads_nowhere_is_refused() {
    for wrong in ["", "card", "tags", "tags.a.b", "metadata", "data..x", "type"] {
        assert!(Redaction::field(wrong).is_err(), "{wrong}");
    }
    assert!(Redaction::pattern("data", "(", "").is_err());
}
