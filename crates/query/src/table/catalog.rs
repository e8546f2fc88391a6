use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProviderList, SchemaProvider, TableProvider,
};
use datafusion::common::Result;
use model::{Table, Tenant};
use object_store::ObjectStore;

use super::adapt::Adapt;
use super::metrics;
use super::provider::TableOf;
use crate::Snapshot;
use crate::answer::Scan;
use crate::cache::{Footers, Segments};
use crate::pool::QueryPool;
use crate::sql::{CATALOG, SCHEMA};

/// The view over samples, histograms and series.
pub(crate) const METRICS: &str = "metrics";

/// The tables a query may name: those of one tenant, at one moment.
pub(crate) struct Tables {
    pub(crate) tenant: Tenant,
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) footers: Arc<Footers>,
    pub(crate) scan: Arc<Scan>,
    pub(crate) memory: Arc<QueryPool>,
    /// Of the tables that the query names.
    pub(crate) snapshots: HashMap<Table, Arc<Snapshot>>,
}

impl Tables {
    /// The tables that must be read for a name in a statement.
    pub(crate) fn behind(name: &str) -> Vec<Table> {
        match name {
            // Points before their series: whatever point is seen, its series is seen too.
            METRICS => vec![Table::Samples, Table::Histograms, Table::Series],
            name => Table::parse(name).into_iter().collect(),
        }
    }

    /// As the catalog of a session.
    pub(crate) fn into_catalogs(self) -> Arc<dyn CatalogProviderList> {
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(CATALOG.to_owned(), Arc::new(OneSchema(Arc::new(self))));
        Arc::new(catalogs)
    }

    pub(crate) fn provider(&self, table: Table) -> TableOf {
        TableOf {
            adapt: Adapt { table, tenant: self.tenant.clone() },
            segments: Segments {
                table,
                objects: Arc::clone(&self.objects),
                footers: Arc::clone(&self.footers),
                scan: Arc::clone(&self.scan),
                memory: Arc::clone(&self.memory),
            },
            snapshot: self.snapshots.get(&table).cloned(),
        }
    }
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tables of {}", self.tenant)
    }
}

#[derive(Debug)]
struct OneSchema(Arc<Tables>);

impl CatalogProvider for OneSchema {
    fn schema_names(&self) -> Vec<String> {
        vec![SCHEMA.to_owned()]
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        (name == SCHEMA).then(|| Arc::clone(&self.0) as Arc<dyn SchemaProvider>)
    }
}

#[async_trait]
impl SchemaProvider for Tables {
    fn table_names(&self) -> Vec<String> {
        Table::ALL.iter().map(|table| table.as_str()).chain([METRICS]).map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if name == METRICS {
            return metrics::view(self).map(Some);
        }
        Ok(Table::parse(name).map(|table| Arc::new(self.provider(table)) as Arc<dyn TableProvider>))
    }

    fn table_exist(&self, name: &str) -> bool {
        name == METRICS || Table::parse(name).is_some()
    }
}
