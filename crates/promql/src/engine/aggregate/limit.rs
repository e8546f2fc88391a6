//! `limitk` and `limit_ratio`: some of the series, always the same ones.

use super::grouping::Groups;
use super::{Extent, check_k, parameter};
use crate::annotations::Remark;
use crate::ast::AggregateOp;
use crate::engine::QueryError;
use crate::engine::bits::Bits;
use crate::engine::column::Row;
use crate::engine::grid::Grid;
use crate::engine::plan::Aggregate;
use crate::engine::query::{Held, Query};
use crate::engine::scalar::ScalarColumn;
use crate::engine::stream::{Sink, stream};
use crate::labels::Labels;

pub(super) fn evaluate(
    query: &Query<'_>,
    plan: &Aggregate,
    grid: &Grid,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    let (limit, span) = parameter(query, plan, grid)?;
    let extent = Extent::of(&limit, grid.steps);
    if plan.op == AggregateOp::Limitk {
        return first_k(query, plan, grid, (&limit, &extent), sink);
    }
    if extent.any_nan {
        return Err(QueryError::Execution("Ratio value is NaN".into()));
    }
    if extent.max > 1.0 {
        query.remark(&Remark::InvalidRatio { ratio: extent.max, capped: 1.0 }, span);
    }
    if extent.min < -1.0 {
        query.remark(&Remark::InvalidRatio { ratio: extent.min, capped: -1.0 }, span);
    }
    stream(query, &plan.input, grid, &mut |mut row| {
        let offset = offset(&row.labels);
        keep(&mut row, |step| {
            let ratio = limit.get(step).clamp(-1.0, 1.0);
            if ratio >= 0.0 { offset < ratio } else { offset >= 1.0 + ratio }
        });
        if row.column.present.any() { sink(row) } else { Ok(()) }
    })
}

fn first_k(
    query: &Query<'_>,
    plan: &Aggregate,
    grid: &Grid,
    (k, extent): (&ScalarColumn, &Extent),
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    if !extent.any_nan && extent.max < 1.0 {
        return stream(query, &plan.input, grid, &mut |_| Ok(()));
    }
    check_k(extent)?;
    let mut groups = Groups::default();
    let mut taken: Vec<Vec<u64>> = Vec::new();
    let mut held = Held::new(query);
    stream(query, &plan.input, grid, &mut |mut row| {
        let place = groups.place(plan, &row.labels);
        if place == taken.len() {
            held.reserve(grid.steps)?;
            taken.push(vec![0; grid.steps]);
        }
        let taken = &mut taken[place];
        keep(&mut row, |step| {
            // Less than one is none.
            let more = k.get(step) >= 1.0 && taken[step] < k.get(step) as u64;
            taken[step] += u64::from(more);
            more
        });
        if row.column.present.any() { sink(row) } else { Ok(()) }
    })
}

fn keep(row: &mut Row, mut keeps: impl FnMut(usize) -> bool) {
    let mut kept = Bits::none(row.column.steps());
    row.column.present.ones().filter(|step| keeps(*step)).for_each(|step| kept.set(step));
    row.column.present = kept;
}

/// Where a series lies between 0 and 1, from its labels alone.
fn offset(labels: &Labels) -> f64 {
    // FNV-1a; its high bits depend too little on the last bytes, so they are mixed once more.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for (name, value) in labels.iter() {
        for byte in name.bytes().chain([0xff]).chain(value.bytes()).chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash as f64 / u64::MAX as f64
}
