use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use model::Tenant;

use crate::session::{Session, Stream};
use crate::{QueryError, Summary};

/// A statement to run.
#[derive(Clone, Debug)]
pub struct SqlRequest {
    /// Whose records.
    pub tenant: Tenant,
    /// The statement.
    pub text: String,
    /// How long it may take; `query.timeout` when `None`, at most `query.timeout_max`.
    pub timeout: Option<Duration>,
    /// The part of the memory budget it may use, at most `query.memory_share`.
    pub memory_share: Option<f64>,
    /// An id of the client's choice; a new one when `None`.
    pub id: Option<String>,
}

impl SqlRequest {
    /// A statement with the configured limits.
    pub fn new(tenant: Tenant, text: impl Into<String>) -> Self {
        Self { tenant, text: text.into(), timeout: None, memory_share: None, id: None }
    }
}

/// A statement that runs. Dropping it cancels.
pub struct Running {
    session: Session,
    stream: Stream,
    /// Something of it has been answered: it cannot begin anew.
    begun: bool,
}

impl Running {
    pub(crate) fn new(session: Session, stream: Stream) -> Self {
        Self { session, stream, begun: false }
    }

    /// Columns of every batch.
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.stream.schema)
    }

    /// Its id, for a cancel.
    pub fn id(&self) -> &str {
        &self.session.control().id
    }

    /// The next batch; `None` at the end. After an error there is no more.
    ///
    /// A segment that turns out to be damaged is set aside; unless something has been answered
    /// already, the statement begins anew without it, and the summary says what is missing.
    pub async fn next(&mut self) -> Option<Result<RecordBatch, QueryError>> {
        let mut batch = self.stream.next().await;
        if let Some(Err(error)) = &batch
            && self.session.engine.examine(error).await
            && !self.begun
        {
            self.begun = true;
            match self.again().await {
                Ok(()) => batch = self.stream.next().await,
                Err(error) => return Some(Err(error)),
            }
        }
        self.begun = true;
        if let Some(Ok(batch)) = &batch {
            let rows = &self.session.control().rows;
            rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        }
        batch
    }

    /// Begins anew, on what there is now.
    async fn again(&mut self) -> Result<(), QueryError> {
        self.session.forget();
        let dialect = &self.session.engine.dialect;
        let statement = dialect.parse(&self.session.control().text)?;
        let tables = dialect.tables_of(&statement)?;
        self.stream = self.session.run(statement, &tables).await?;
        Ok(())
    }

    /// What it took so far, and whether it is complete.
    pub fn summary(&self) -> Summary {
        self.session.summary()
    }

    /// Ends it and says what it took; rows that were not taken are given up.
    pub fn finish(self) -> Summary {
        self.session.summary()
    }

    /// The batches as a stream, for those who need no summary.
    pub fn into_stream(self) -> Pin<Box<dyn futures::Stream<Item = Result<RecordBatch, QueryError>> + Send>> {
        Box::pin(futures::stream::unfold(self, async |mut running| {
            running.next().await.map(|batch| (batch, running))
        }))
    }
}
