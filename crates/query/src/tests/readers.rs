//! Direct readers against an evaluation of the same question row by row.

mod logs;
mod metrics;
mod traces;

use model::Table;

use super::data::{Attributes, BEGIN, HOUR, SECOND, SERVICES};
use super::place::{Place, Placed, splits};
use super::{engine, tenant};
use crate::{Engine, Missing, TimeRange};

pub(super) use self::logs::logs_of;

pub(super) const ALL: TimeRange = TimeRange { from: BEGIN, to: BEGIN + 5 * HOUR };

fn engines() -> Vec<(&'static str, Engine)> {
    splits().into_iter().map(|(name, place)| (name, engine(Placed::shop(place)))).collect()
}

fn has(attributes: &Attributes, key: &str, value: &str) -> bool {
    attributes.iter().any(|(name, is)| name == key && is.as_deref() == Some(value))
}

#[tokio::test]
async fn services_are_those_of_logs_and_spans() {
    for (_, engine) in engines() {
        let found = engine.services(&tenant(), ALL).await.unwrap().value;
        assert_eq!(found, SERVICES);
        let none = TimeRange { from: BEGIN - HOUR, to: BEGIN - SECOND };
        assert!(engine.services(&tenant(), none).await.unwrap().value.is_empty());
    }
}

#[tokio::test]
async fn what_is_missing_is_said_by_readers_too() {
    let mut placed = Placed::shop(|_, _| Place::Segment(0));
    placed.missing = vec![Missing { times: (BEGIN, BEGIN + HOUR), warning: "gone".to_owned() }];
    placed.overwrite(Table::Spans, 0, vec![1; 100]);
    let engine = engine(placed);
    let answer = engine.logs(&tenant(), &logs::logs_of(ALL, 5)).await.unwrap();
    assert_eq!((answer.summary.complete, answer.summary.warnings), (false, vec!["gone".to_owned()]));
    let answer = engine.traces(&tenant(), &traces::traces_of(ALL, 5)).await.unwrap();
    assert!(answer.value.is_empty() && answer.summary.warnings.len() == 2, "{:?}", answer.summary);
}
