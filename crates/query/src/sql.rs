//! The SQL dialect: how sessions are set up, and which statements are allowed.

mod functions;

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::sqlparser::ast::Statement as SqlStatement;
use datafusion::logical_expr::sqlparser::dialect::GenericDialect;
use datafusion::logical_expr::sqlparser::keywords::Keyword;
use datafusion::logical_expr::sqlparser::tokenizer::{Token, Tokenizer};
use datafusion::prelude::{SQLOptions, SessionConfig};
use datafusion::sql::parser::Statement;
use object_store::ObjectStore;
use url::Url;

use crate::QueryError;
use crate::table::catalog::Tables;

pub(crate) const CATALOG: &str = "fresnel";
pub(crate) const SCHEMA: &str = "public";
/// Where plans find segments; there is no other store.
pub(crate) const SEGMENTS_URL: &str = "fresnel://segments/";
/// The most operators, opening brackets and set operations of a statement.
const OPERATORS_MAX: usize = 1_000;
/// Rows of a batch.
pub(crate) const BATCH_ROWS: u64 = 8192;
/// The longest statement.
const STATEMENT_BYTES_MAX: usize = 1024 * 1024;

/// What all sessions share: settings, functions, optimiser rules. Built once.
pub(crate) struct Dialect {
    state: SessionState,
    runtime: RuntimeEnv,
}

impl Dialect {
    /// For segments in `objects`, with plans of `partitions` parallel streams.
    pub(crate) fn new(objects: Arc<dyn ObjectStore>, partitions: usize) -> Result<Self> {
        let mut config = SessionConfig::new()
            .with_information_schema(true)
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema(CATALOG, SCHEMA)
            .with_target_partitions(partitions)
            .with_batch_size(BATCH_ROWS as usize);
        let options = config.options_mut();
        options.execution.time_zone = Some("UTC".to_owned());
        options.execution.parquet.schema_force_view_types = false;
        // Decided for each scan.
        options.execution.parquet.pushdown_filters = false;
        options.sql_parser.map_string_types_to_utf8view = false;
        options.sql_parser.collect_spans = true;
        // It names columns twice where a subquery renames them; it is of use for structs only.
        options.optimizer.enable_leaf_expression_pushdown = false;
        let runtime = RuntimeEnvBuilder::new()
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
            .with_object_store_registry(Arc::new(OnlySegments(objects)))
            .build()?;
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features()
            .with_table_factories(HashMap::new())
            .with_file_formats(Vec::new())
            .build();
        functions::bound(&mut state)?;
        Ok(Self { state, runtime })
    }

    /// Reads a statement.
    pub(crate) fn parse(&self, text: &str) -> Result<Statement, QueryError> {
        if text.len() > STATEMENT_BYTES_MAX {
            return Err(QueryError::Syntax { message: "the statement is longer than 1 MiB".to_owned() });
        }
        let dialect = self.state.config().options().sql_parser.dialect;
        let text = text.trim_end().trim_end_matches(';');
        refuse_deep(text)?;
        let statement = self
            .state
            .sql_to_statement(text, &dialect)
            .map_err(|error| QueryError::planning(&error, None))?;
        refuse_writes(&statement)?;
        Ok(statement)
    }

    /// The tables that a statement names and that have to be read for it.
    pub(crate) fn tables_of(&self, statement: &Statement) -> Result<Vec<model::Table>, QueryError> {
        let references = self
            .state
            .resolve_table_references(statement)
            .map_err(|error| QueryError::planning(&error, None))?;
        let mut tables = Vec::new();
        for table in references.iter().flat_map(|reference| Tables::behind(reference.table())) {
            if !tables.contains(&table) {
                tables.push(table);
            }
        }
        Ok(tables)
    }

    /// A session over `tables` whose memory comes from `pool`.
    pub(crate) fn session(&self, tables: Tables, pool: Arc<dyn MemoryPool>) -> SessionState {
        let runtime = RuntimeEnv { memory_pool: pool, ..self.runtime.clone() };
        let mut state = SessionStateBuilder::new_from_existing(self.state.clone())
            .with_catalog_list(tables.into_catalogs())
            .with_runtime_env(Arc::new(runtime))
            .build();
        // Now is `now()`.
        state.mark_start_execution();
        state
    }
}

/// The options under which a plan is checked once more, whatever its statement looked like.
pub(crate) fn read_only() -> SQLOptions {
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false)
}

/// A chain of operators is a tree as deep as it is long, and what walks trees has only so much
/// stack.
fn refuse_deep(text: &str) -> Result<(), QueryError> {
    // What does not consist of tokens is for the parser to explain.
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, text).tokenize() else { return Ok(()) };
    if tokens.iter().filter(|token| nests(token)).count() > OPERATORS_MAX {
        let message = format!("the statement has more than {OPERATORS_MAX} operators");
        return Err(QueryError::Syntax { message });
    }
    Ok(())
}

fn nests(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::UNION
                | Keyword::EXCEPT
                | Keyword::INTERSECT
                | Keyword::JOIN
                | Keyword::IS
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::BETWEEN
                | Keyword::IN
                | Keyword::COLLATE
                | Keyword::AT
        ),
        Token::Whitespace(_)
        | Token::Comma
        | Token::Period
        | Token::SemiColon
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::RParen
        | Token::RBracket
        | Token::EOF => false,
        _ => true,
    }
}

fn refuse_writes(statement: &Statement) -> Result<(), QueryError> {
    let refuse = |what: &str| Err(QueryError::ReadOnly { what: what.to_owned() });
    match statement {
        Statement::Explain(explain) => refuse_writes(&explain.statement),
        Statement::CreateExternalTable(_) => refuse("CREATE EXTERNAL TABLE"),
        Statement::CopyTo(_) => refuse("COPY"),
        Statement::Reset(_) => refuse("RESET"),
        Statement::Statement(statement) => match statement.as_ref() {
            SqlStatement::Query(_)
            | SqlStatement::ExplainTable { .. }
            | SqlStatement::ShowTables { .. }
            | SqlStatement::ShowColumns { .. }
            | SqlStatement::ShowFunctions { .. }
            | SqlStatement::ShowVariable { .. }
            | SqlStatement::ShowVariables { .. } => Ok(()),
            SqlStatement::Explain { statement, .. } => {
                refuse_writes(&Statement::Statement(statement.clone()))
            }
            other => refuse(&first_words(&other.to_string())),
        },
    }
}

/// `CREATE TABLE` of `CREATE TABLE t AS …`: the words in capitals at the beginning.
fn first_words(statement: &str) -> String {
    let words = statement.split_whitespace();
    let capitals = words.take_while(|word| word.bytes().all(|byte| byte.is_ascii_uppercase())).take(2);
    capitals.collect::<Vec<_>>().join(" ")
}

/// Object stores by URL: only the segments have one.
#[derive(Debug)]
struct OnlySegments(Arc<dyn ObjectStore>);

impl ObjectStoreRegistry for OnlySegments {
    fn register_store(&self, _: &Url, _: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        if SEGMENTS_URL.starts_with(url.as_str()) {
            return Ok(Arc::clone(&self.0));
        }
        Err(DataFusionError::Plan(format!("queries read no files such as {url}")))
    }
}
