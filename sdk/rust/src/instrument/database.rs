use std::borrow::Cow;
use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use super::statement::without_values;
use super::summary::summary;
use super::{CANCELLED, LabelList, PortText, seconds_since, type_name};
use crate::telemetry::metrics::{Histogram, Registry};
use crate::telemetry::otlp::{SpanKind, Status};
use crate::telemetry::trace::{Span, Tracer};

/// Queries of one database: a client span and `db.client.operation.duration` each. For `sqlx`,
/// `redis` and whatever gives a future. Parameters are not recorded: of a statement what
/// [`sanitized`](super::sanitized) leaves, of an error its first line without what is in quotes or
/// parentheses, which is where databases put the values that they do not like.
///
/// ```
/// # use fresnel_sdk::telemetry::{metrics::Registry, trace::Tracer};
/// use fresnel_sdk::instrument::Database;
///
/// # async fn with(tracer: Tracer, registry: Registry) -> Result<(), std::io::Error> {
/// let database = Database::new(&tracer, &registry, "postgresql").namespace("shop");
/// let query = async { Ok::<_, std::io::Error>(7) }; // sqlx::query(…).fetch_all(&pool)
/// let rows = database.time_query("SELECT", "orders", query).await?;
/// # let _ = rows;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Database {
    tracer: Tracer,
    duration: Histogram,
    system: &'static str,
    namespace: Option<String>,
    server: Option<String>,
    port: Option<u16>,
    error_code: Option<Arc<ErrorCode>>,
}

/// What the database itself calls an error.
type ErrorCode = dyn Fn(&(dyn Error + 'static)) -> Option<String> + Send + Sync;

/// A query before it is run.
#[must_use = "it is measured when it is run"]
pub struct Query<'a> {
    database: &'a Database,
    operation: &'a str,
    collection: &'a str,
    text: Option<&'a str>,
    batch: Option<usize>,
}

/// The bounds of the semantic conventions, in seconds.
const BOUNDS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("system", &self.system).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Query({} {})", self.operation, self.collection)
    }
}

impl Database {
    /// Of a system by the conventions' name: `postgresql`, `mysql`, `sqlite`, `redis`.
    pub fn new(tracer: &Tracer, registry: &Registry, system: &'static str) -> Self {
        let name = "db.client.operation.duration";
        let duration = registry.histogram(name, "s", "Duration of database client operations.", BOUNDS);
        let tracer = tracer.clone();
        Self { tracer, duration, system, namespace: None, server: None, port: None, error_code: None }
    }

    /// The name of the database, `db.namespace`.
    #[must_use]
    pub fn namespace(self, name: impl Into<String>) -> Self {
        Self { namespace: Some(name.into()), ..self }
    }

    /// The host that it is on, `server.address`.
    #[must_use]
    pub fn server(self, address: impl Into<String>) -> Self {
        Self { server: Some(address.into()), ..self }
    }

    /// Its port, `server.port`, where it is not the one that everybody knows.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    /// Where the code is in an error of the client: SQLSTATE, the number of MySQL or SQLite, the first
    /// word of Redis. It is `db.response.status_code` and, as the conventions want it, `error.type`;
    /// without it, or where it gives none, that is the type of the error.
    ///
    /// ```
    /// # use fresnel_sdk::telemetry::{metrics::Registry, trace::Tracer};
    /// # let (tracer, registry) = (Tracer::disabled(), Registry::new());
    /// use fresnel_sdk::instrument::Database;
    ///
    /// // With sqlx: `Some(error.downcast_ref::<sqlx::Error>()?.as_database_error()?.code()?.into())`
    /// let code = |error: &(dyn std::error::Error + 'static)| {
    ///     Some(error.downcast_ref::<std::io::Error>()?.raw_os_error()?.to_string())
    /// };
    /// let database = Database::new(&tracer, &registry, "postgresql").error_code(code);
    /// ```
    #[must_use]
    pub fn error_code(
        self,
        code: impl Fn(&(dyn Error + 'static)) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self { error_code: Some(Arc::new(code)), ..self }
    }

    /// Describes a query: an operation such as `SELECT` or `HGET`, and the table or key pattern that it
    /// is about, which may be empty.
    pub fn query<'a>(&'a self, operation: &'a str, collection: &'a str) -> Query<'a> {
        Query { database: self, operation, collection, text: None, batch: None }
    }

    /// Describes a query by its SQL: the first word, such as `SELECT`, and the first table it names. The
    /// statement is recorded as [`sanitized_for`](super::sanitized_for) leaves it. It must be one of a
    /// few that the program has: what is put together with names of users belongs into [`Database::query`].
    ///
    /// ```
    /// # use fresnel_sdk::telemetry::{metrics::Registry, trace::Tracer};
    /// # use fresnel_sdk::instrument::Database;
    /// # async fn with(database: Database) -> Result<(), std::io::Error> {
    /// let sql = "SELECT total FROM orders WHERE id = $1";
    /// let query = async { Ok::<_, std::io::Error>(12) }; // sqlx::query(sql).bind(7).fetch_one(&pool)
    /// let total = database.statement(sql).run(query).await?; // the span `SELECT orders`
    /// # let _ = total;
    /// # Ok(())
    /// # }
    /// ```
    pub fn statement<'a>(&'a self, sql: &'a str) -> Query<'a> {
        let (operation, collection) = summary(sql);
        self.query(operation, collection).text(sql)
    }

    /// Runs a query and measures it.
    ///
    /// # Errors
    /// Those of the query.
    pub async fn time_query<T, E: Error + 'static>(
        &self,
        operation: &str,
        collection: &str,
        query: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.query(operation, collection).run(query).await
    }
}

impl<'a> Query<'a> {
    /// With the statement, of which only what [`sanitized_for`](super::sanitized_for) leaves is recorded.
    pub fn text(self, statement: &'a str) -> Self {
        Self { text: Some(statement), ..self }
    }

    /// With how many queries it is, `db.operation.batch.size`, where it is several.
    pub fn batch(self, size: usize) -> Self {
        Self { batch: Some(size).filter(|size| *size > 1), ..self }
    }

    /// Runs it and measures it.
    ///
    /// # Errors
    /// Those of the query.
    pub async fn run<T, E: Error + 'static>(self, query: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let error = Some(Cow::Borrowed(CANCELLED));
        let mut running =
            Running { span: self.span(), query: self, started: Instant::now(), code: None, error };
        let result = running.span.instrument(query).await;
        running.end(result.as_ref().err());
        result
    }

    fn span(&self) -> Span {
        let Self { database, operation, collection, text, batch } = self;
        let summary =
            if collection.is_empty() { (*operation).to_owned() } else { format!("{operation} {collection}") };
        let tracer = &database.tracer;
        let mut span = tracer
            .span(summary.clone())
            .kind(SpanKind::Client)
            .attribute("db.system.name", database.system)
            .attribute("db.operation.name", *operation)
            .attribute("db.query.summary", &summary)
            .start();
        let optional = [
            ("db.collection.name", Some(*collection).filter(|name| !name.is_empty())),
            ("db.namespace", database.namespace.as_deref()),
            ("server.address", database.server.as_deref()),
        ];
        for (name, value) in optional {
            value.into_iter().for_each(|value| span.set(name, value));
        }
        database.port.into_iter().for_each(|port| span.set("server.port", port));
        let batch = batch.and_then(|size| i64::try_from(size).ok());
        batch.into_iter().for_each(|size| span.set("db.operation.batch.size", size));
        if let Some(text) = text.filter(|_| span.is_recorded()) {
            span.set("db.query.text", &super::sanitized_for(database.system, text));
        }
        span
    }
}

/// A query that runs. It is measured when it is dropped, however that comes.
struct Running<'a> {
    query: Query<'a>,
    span: Span,
    started: Instant,
    code: Option<String>,
    error: Option<Cow<'static, str>>,
}

impl Running<'_> {
    fn end<E: Error + 'static>(&mut self, error: Option<&E>) {
        self.error = None;
        let Some(error) = error else { return };
        self.span.status(Status::Error(without_values(&error.to_string()).into()));
        self.code = self.query.database.error_code.as_ref().and_then(|code| code(error));
        self.error = Some(self.code.clone().map_or(type_name::<E>().into(), Cow::Owned));
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let Query { database, operation, collection, .. } = self.query;
        let failed =
            [("error.type", self.error.as_deref()), ("db.response.status_code", self.code.as_deref())];
        for (name, value) in failed {
            value.into_iter().for_each(|value| self.span.set(name, value));
        }
        let mut port_text = PortText::default();
        let labels = LabelList::<8>::new()
            .with("db.system.name", Some(database.system))
            .with("db.operation.name", Some(operation))
            .with("db.collection.name", Some(collection).filter(|name| !name.is_empty()))
            .with("db.namespace", database.namespace.as_deref())
            .with("server.address", database.server.as_deref())
            .with("server.port", database.port.map(|port| port_text.write(port)))
            .with("db.response.status_code", self.code.as_deref())
            .with("error.type", self.error.as_deref());
        database.duration.record(seconds_since(self.started), labels.as_slice());
    }
}
