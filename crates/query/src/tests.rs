#![allow(clippy::unwrap_used)]

mod batches;
mod data;
mod golden;
mod limits;
mod place;
mod prometheus;
mod pruning;
mod readers;
mod statements;
mod undecodable;
mod units;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use model::{Budget, Tenant};

use crate::{Config, Engine, QueryError, Running, Source, SqlRequest, Summary};

/// An engine over `source` on the test's own threads.
fn engine(source: impl Source) -> Engine {
    engine_with(source, Budget::new(1 << 30), Config::default())
}

fn engine_with(source: impl Source, budget: Budget, config: Config) -> Engine {
    Engine::new(Arc::new(source), budget, config, tokio::runtime::Handle::current()).unwrap()
}

fn tenant() -> Tenant {
    Tenant::parse("acme").unwrap()
}

async fn start(engine: &Engine, text: &str) -> Result<Running, QueryError> {
    engine.sql(SqlRequest::new(tenant(), text)).await
}

/// All rows as text, and the summary.
async fn ask(engine: &Engine, text: &str) -> Result<(Vec<Vec<String>>, Summary), QueryError> {
    let mut running = start(engine, text).await?;
    let mut rows = Vec::new();
    while let Some(batch) = running.next().await {
        rows.extend(texts(&batch?));
    }
    Ok((rows, running.finish()))
}

/// The first column of the first row.
async fn value(engine: &Engine, text: &str) -> String {
    ask(engine, text).await.unwrap_or_else(|error| panic!("{text}: {error}")).0[0][0].clone()
}

fn texts(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<_> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
    let row = |row| columns.iter().map(|column| column.value(row).to_string()).collect();
    (0..batch.num_rows()).map(row).collect()
}
