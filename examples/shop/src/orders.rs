//! Products and orders, in SQLite.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use crate::failure::Failure;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS products (name TEXT PRIMARY KEY, stock INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS orders (
        id INTEGER PRIMARY KEY, product TEXT NOT NULL, quantity INTEGER NOT NULL, state TEXT NOT NULL);
    CREATE TRIGGER IF NOT EXISTS taken AFTER INSERT ON orders BEGIN
        UPDATE products SET stock = stock - NEW.quantity WHERE name = NEW.product;
    END;
    INSERT OR IGNORE INTO products VALUES ('tea', 1000000), ('coffee', 1000000), ('cake', 3);";

pub(crate) struct Orders {
    connection: Arc<Mutex<Connection>>,
    database: fresnel_sdk::instrument::Database, // SDK
}

#[derive(serde::Serialize)]
pub(crate) struct Order {
    id: i64,
    product: String,
    quantity: u32,
    state: String,
}

impl Orders {
    pub(crate) fn open(path: &str) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            database: fresnel_sdk::service().database("sqlite").namespace("shop"), // SDK
        })
    }

    pub(crate) async fn stock(&self, product: &str) -> Result<u32, Failure> {
        let product = product.to_owned();
        let found = self.run("SELECT stock FROM products WHERE name = ?1", move |statement| {
            statement.query_row([product], |row| row.get(0)).optional()
        });
        found.await?.ok_or(Failure::NoSuchProduct)
    }

    /// Writes the order down, which takes it from the stock; its id.
    pub(crate) async fn place(&self, product: &str, quantity: u32) -> Result<i64, Failure> {
        let product = product.to_owned();
        let sql = "INSERT INTO orders (product, quantity, state) VALUES (?1, ?2, 'placed')";
        self.run(sql, move |statement| statement.insert(params![product, quantity])).await
    }

    pub(crate) async fn pack(&self, id: i64) -> Result<(), Failure> {
        let sql = "UPDATE orders SET state = 'packed' WHERE id = ?1";
        self.run(sql, move |statement| statement.execute([id]).map(drop)).await
    }

    pub(crate) async fn order(&self, id: i64) -> Result<Order, Failure> {
        let found =
            self.run("SELECT id, product, quantity, state FROM orders WHERE id = ?1", move |statement| {
                let order = |row: &rusqlite::Row<'_>| {
                    Ok(Order {
                        id: row.get(0)?,
                        product: row.get(1)?,
                        quantity: row.get(2)?,
                        state: row.get(3)?,
                    })
                };
                statement.query_row([id], order).optional()
            });
        found.await?.ok_or(Failure::NoSuchOrder)
    }

    async fn run<T: Send + 'static>(
        &self,
        sql: &'static str,
        query: impl FnOnce(&mut CachedStatement<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let connection = Arc::clone(&self.connection);
        let work = move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            query(&mut connection.prepare_cached(sql)?)
        };
        let query =
            async { tokio::task::spawn_blocking(work).await.unwrap_or(Err(rusqlite::Error::InvalidQuery)) };
        let query = self.database.statement(sql).run(query); // SDK
        Ok(query.await?)
    }
}
