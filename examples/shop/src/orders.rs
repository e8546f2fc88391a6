//! Products and orders, in SQLite.

use std::sync::{Arc, Mutex, PoisonError};

use fresnel_sdk::instrument::Database;
use rusqlite::{Connection, OptionalExtension, params};

use crate::failure::Failure;
use crate::seen::Seen;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS products (name TEXT PRIMARY KEY, stock INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS orders (
        id INTEGER PRIMARY KEY, product TEXT NOT NULL, quantity INTEGER NOT NULL, state TEXT NOT NULL);
    INSERT OR IGNORE INTO products VALUES ('tea', 1000000), ('coffee', 1000000), ('cake', 3);";

pub(crate) struct Orders {
    connection: Arc<Mutex<Connection>>,
    database: Database,
}

#[derive(serde::Serialize)]
pub(crate) struct Order {
    id: i64,
    product: String,
    quantity: u32,
    state: String,
}

impl Orders {
    pub(crate) fn open(path: &str, seen: &Seen) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), database: seen.database.clone() })
    }

    pub(crate) async fn ping(&self) -> Result<(), Failure> {
        self.run("SELECT", "", |db| db.query_row("SELECT 1", [], |_| Ok(()))).await
    }

    pub(crate) async fn stock(&self, product: &str) -> Result<u32, Failure> {
        let product = product.to_owned();
        let found = self.run("SELECT", "products", move |db| {
            let sql = "SELECT stock FROM products WHERE name = ?1";
            db.query_row(sql, [product], |row| row.get(0)).optional()
        });
        found.await?.ok_or(Failure::NoSuchProduct)
    }

    /// Takes them from the stock and writes the order down; its id.
    pub(crate) async fn place(&self, product: &str, quantity: u32) -> Result<i64, Failure> {
        let product = product.to_owned();
        self.run("INSERT", "orders", move |db| {
            let both = db.transaction()?;
            both.execute(
                "UPDATE products SET stock = stock - ?2 WHERE name = ?1",
                params![product, quantity],
            )?;
            let insert = "INSERT INTO orders (product, quantity, state) VALUES (?1, ?2, 'placed')";
            both.execute(insert, params![product, quantity])?;
            let id = both.last_insert_rowid();
            both.commit()?;
            Ok(id)
        })
        .await
    }

    pub(crate) async fn pack(&self, id: i64) -> Result<(), Failure> {
        let sql = "UPDATE orders SET state = 'packed' WHERE id = ?1";
        self.run("UPDATE", "orders", move |db| db.execute(sql, [id]).map(drop)).await
    }

    pub(crate) async fn order(&self, id: i64) -> Result<Order, Failure> {
        let found = self.run("SELECT", "orders", move |db| {
            let sql = "SELECT id, product, quantity, state FROM orders WHERE id = ?1";
            let order = |row: &rusqlite::Row<'_>| {
                Ok(Order { id: row.get(0)?, product: row.get(1)?, quantity: row.get(2)?, state: row.get(3)? })
            };
            db.query_row(sql, [id], order).optional()
        });
        found.await?.ok_or(Failure::NoSuchOrder)
    }

    async fn run<T: Send + 'static>(
        &self,
        operation: &str,
        table: &str,
        query: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let connection = Arc::clone(&self.connection);
        let work = move || query(&mut connection.lock().unwrap_or_else(PoisonError::into_inner));
        let query =
            async { tokio::task::spawn_blocking(work).await.unwrap_or(Err(rusqlite::Error::InvalidQuery)) };
        Ok(self.database.time_query(operation, table, query).await?) // SDK
    }
}
