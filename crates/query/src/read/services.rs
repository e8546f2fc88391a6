use std::collections::BTreeSet;

use datafusion::logical_expr::{LogicalPlanBuilder, col};
use model::{Table, Tenant};

use super::columns::{Columns, planning, scan, within};
use crate::{Answer, Engine, QueryError, TimeRange};

/// The most names of an answer: more are no list for a person.
pub(super) const NAMES_MAX: usize = 10_000;

impl Engine {
    /// Names of the services with logs or spans in a range, sorted.
    ///
    /// # Errors
    /// [`QueryError`] as for [`Engine::sql`].
    pub async fn services(
        &self,
        tenant: &Tenant,
        range: TimeRange,
    ) -> Result<Answer<Vec<String>>, QueryError> {
        self.reading(|| self.read_services(tenant, range)).await
    }

    async fn read_services(
        &self,
        tenant: &Tenant,
        range: TimeRange,
    ) -> Result<Answer<Vec<String>>, QueryError> {
        let session = self.ask(tenant, "services").await?;
        let snapshots = session.snapshots(&[Table::Logs, Table::Spans])?;
        let (state, tables) = (session.state(&snapshots), session.tables(&snapshots));
        let names = |table, time| {
            scan(&tables, table)?
                .filter(within(time, range))
                .and_then(|plan| plan.project([col("service_name")]))
                .map_err(planning)
        };
        let plan = names(Table::Logs, "time")?
            .union(names(Table::Spans, "start_time")?.build().map_err(planning)?)
            .and_then(LogicalPlanBuilder::distinct)
            .and_then(LogicalPlanBuilder::build)
            .map_err(planning)?;
        let mut services = BTreeSet::new();
        for batch in session.rows(&state, plan, NAMES_MAX).await? {
            services.extend((0..batch.num_rows()).map(|row| Columns(&batch).string("service_name", row)));
        }
        let rows = services.len();
        Ok(session.answer(services.into_iter().collect(), rows))
    }
}
