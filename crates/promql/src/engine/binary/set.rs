//! `and`, `or` and `unless`: rows of one side at the steps at which the other has, or has not, rows
//! with the same signature.

use std::collections::HashMap;

use super::matching::signature;
use crate::ast::BinaryOp;
use crate::engine::QueryError;
use crate::engine::bits::Bits;
use crate::engine::grid::Grid;
use crate::engine::plan::Binary;
use crate::engine::query::{Held, Query};
use crate::engine::stream::{Sink, stream};
use crate::labels::Labels;

pub(in crate::engine) fn is_set(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless)
}

/// Steps at which there is a row with a signature.
#[derive(Default)]
struct Signatures(HashMap<Labels, Bits>);

impl Signatures {
    fn add(&mut self, signature: Labels, steps: &Bits) {
        match self.0.get_mut(&signature) {
            Some(known) => known.unite(steps),
            None => {
                self.0.insert(signature, steps.clone());
            }
        }
    }
}

pub(in crate::engine) fn evaluate(
    query: &Query<'_>,
    plan: &Binary,
    grid: &Grid,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    if plan.op == BinaryOp::Or {
        return either(query, plan, grid, sink);
    }
    // The left side is read first, for its errors and remarks come first.
    let mut left = Held::new(query);
    stream(query, &plan.left, grid, &mut |row| left.push(row))?;
    let mut right = Signatures::default();
    stream(query, &plan.right, grid, &mut |row| {
        right.add(signature(&row.labels, &plan.matching), &row.column.present);
        Ok(())
    })?;
    for mut row in std::mem::take(&mut left.rows) {
        let partner = right.0.get(&signature(&row.labels, &plan.matching));
        match (plan.op, partner) {
            (BinaryOp::And, Some(partner)) => row.column.present.intersect(partner),
            (BinaryOp::And, None) => continue,
            (_, Some(partner)) => row.column.present.subtract(partner),
            (_, None) => {}
        }
        if row.column.present.any() {
            sink(row)?;
        }
    }
    Ok(())
}

fn either(query: &Query<'_>, plan: &Binary, grid: &Grid, sink: Sink<'_>) -> Result<(), QueryError> {
    let mut left = Signatures::default();
    stream(query, &plan.left, grid, &mut |row| {
        left.add(signature(&row.labels, &plan.matching), &row.column.present);
        sink(row)
    })?;
    stream(query, &plan.right, grid, &mut |mut row| {
        if let Some(partner) = left.0.get(&signature(&row.labels, &plan.matching)) {
            row.column.present.subtract(partner);
        }
        if row.column.present.any() { sink(row) } else { Ok(()) }
    })
}
