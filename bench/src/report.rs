//! Tables and goals, as text.

use std::fmt::Write;

/// Says on standard error what was just found: a scenario takes minutes.
#[expect(clippy::print_stderr, reason = "who waits wants to see that it goes on")]
pub(crate) fn progress(line: impl std::fmt::Display) {
    eprintln!("  {line}");
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    /// Less of it.
    Lower,
    /// More of it.
    Higher,
}

/// A value that was measured, and what it ought to be.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    /// What was measured.
    pub(crate) name: String,
    /// Its value.
    pub(crate) value: f64,
    /// Its unit, such as `x` for a ratio.
    pub(crate) unit: &'static str,
    /// What must hold.
    pub(crate) floor: Option<f64>,
    /// What is wished for.
    pub(crate) target: Option<f64>,
    /// Which way is better.
    pub(crate) better: Better,
}

impl Goal {
    fn holds(&self, bound: Option<f64>) -> bool {
        bound.is_none_or(|bound| match self.better {
            Better::Lower => self.value <= bound,
            Better::Higher => self.value >= bound,
        })
    }

    fn verdict(&self) -> &'static str {
        match (self.floor, self.target) {
            (None, None) => "reported",
            _ if !self.holds(self.floor) => "MISS",
            _ if !self.holds(self.target) => "floor",
            _ => "PASS",
        }
    }

    fn cells(&self) -> Vec<String> {
        let sign = if self.better == Better::Lower { "<=" } else { ">=" };
        let bound =
            |bound: Option<f64>| bound.map_or_else(String::new, |bound| format!("{sign} {}", figure(bound)));
        vec![
            self.name.clone(),
            format!("{} {}", figure(self.value), self.unit),
            bound(self.floor),
            bound(self.target),
            self.verdict().to_owned(),
        ]
    }
}

/// What a scenario found.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    title: String,
    tables: Vec<Vec<Vec<String>>>,
    goals: Vec<Goal>,
    notes: Vec<String>,
}

impl Report {
    /// Without any table yet.
    pub(crate) fn new(title: &str) -> Self {
        Self { title: title.to_owned(), tables: Vec::new(), goals: Vec::new(), notes: Vec::new() }
    }

    /// Begins a table with these columns.
    pub(crate) fn table(&mut self, columns: &[&str]) {
        self.tables.push(vec![columns.iter().map(|&column| column.to_owned()).collect()]);
    }

    /// Adds a row to the last table.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        if self.tables.is_empty() {
            self.table(&[]);
        }
        let cells = cells.into_iter().collect();
        self.tables.last_mut().expect("there is one now").push(cells);
    }

    /// Adds a goal; in the order in which they are printed.
    pub(crate) fn goal(&mut self, goal: Goal) {
        self.goals.push(goal);
    }

    /// Adds a sentence below the tables.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Notes that a part could not be measured: what was found before it is worth printing, and it counts
    /// as a missed floor.
    pub(crate) fn part(&mut self, name: &str, measured: anyhow::Result<()>) {
        let Err(error) = measured else { return };
        self.note(format!("{name}: {error:#}"));
        let (name, unit) = (format!("{name}: measured"), "");
        self.goal(Goal { name, value: 0.0, unit, floor: Some(1.0), target: None, better: Better::Higher });
    }

    /// Takes over what another one found; its title is dropped.
    pub(crate) fn append(&mut self, other: Self) {
        self.tables.extend(other.tables);
        self.goals.extend(other.goals);
        self.notes.extend(other.notes);
    }

    /// Whether a floor is missed.
    pub(crate) fn failed(&self) -> bool {
        self.goals.iter().any(|goal| !goal.holds(goal.floor))
    }

    /// Prints everything.
    pub(crate) fn print(&self) {
        println!("\n== {} ==", self.title);
        for table in &self.tables {
            println!("\n{}", aligned(table));
        }
        if !self.notes.is_empty() {
            println!();
        }
        self.notes.iter().for_each(|note| println!("- {note}"));
        if !self.goals.is_empty() {
            let head = ["goal", "measured", "floor", "target", ""].map(str::to_owned).to_vec();
            let lines: Vec<_> = std::iter::once(head).chain(self.goals.iter().map(Goal::cells)).collect();
            println!("\n{}", aligned(&lines));
        }
    }
}

/// Rows under each other, the first with a line below it; texts to the left, figures to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let right = cell.starts_with(|first: char| first.is_ascii_digit());
            let cell = if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
            line.push_str(&cell);
            line.push_str("  ");
        }
        writeln!(out, "{}", line.trim_end()).expect("a String takes every byte");
        if index == 0 {
            let rule = widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>().join("  ");
            writeln!(out, "{rule}").expect("a String takes every byte");
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// A number with about three digits that count.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        some if some >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests;
