use serde_json::Value;

/// The answer to a SQL statement.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// One list of cells a row.
    pub rows: Vec<Vec<Value>>,
    /// Whether everything that was asked for is in the answer.
    pub complete: bool,
    /// What the server says about the answer.
    pub warnings: Vec<String>,
    /// Figures of the execution.
    pub stats: Value,
}

impl Rows {
    /// Reads the JSON form of `/api/v1/sql`.
    ///
    /// # Panics
    /// When the answer does not have that form.
    #[track_caller]
    pub fn from_json(answer: &Value) -> Self {
        let list = |name: &str| match answer[name].as_array() {
            Some(list) => list.clone(),
            None => panic!("no list {name:?} in {answer}"),
        };
        let name = |column: &Value| column["name"].as_str().expect("a column has a name").to_owned();
        let cells = |row: &Value| row.as_array().expect("a row is a list").clone();
        Self {
            columns: list("columns").iter().map(name).collect(),
            rows: list("rows").iter().map(cells).collect(),
            complete: answer["complete"].as_bool().expect("an answer says whether it is complete"),
            warnings: list("warnings").iter().map(text).collect(),
            stats: answer["stats"].clone(),
        }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The one cell of a one-row, one-column answer, as an integer.
    ///
    /// # Panics
    /// When the answer is anything else.
    #[track_caller]
    pub fn integer(&self) -> i64 {
        match self.rows.as_slice() {
            [row] if row.len() == 1 => integer(&row[0]),
            _ => panic!("not one cell: {:?}", self.rows),
        }
    }

    /// A column's cells as texts.
    ///
    /// # Panics
    /// When there is no such column.
    #[track_caller]
    pub fn texts(&self, column: &str) -> Vec<String> {
        let Some(at) = self.columns.iter().position(|name| name == column) else {
            panic!("no column {column:?} in {:?}", self.columns)
        };
        self.rows.iter().map(|row| text(&row[at])).collect()
    }
}

/// A cell as people read it: texts without quotes.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A number, whether it came as a number or, as 64-bit values do, as a text.
///
/// # Panics
/// When it is neither.
#[track_caller]
pub(crate) fn integer(value: &Value) -> i64 {
    let number = value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    match number {
        Some(number) => number,
        None => panic!("not an integer: {value}"),
    }
}
