//! `topk` and `bottomk`: series as they are, at the steps at which they rank high enough.

use super::grouping::Groups;
use super::{Extent, check_k, parameter};
use crate::annotations::Remark;
use crate::ast::AggregateOp;
use crate::engine::QueryError;
use crate::engine::bits::Bits;
use crate::engine::column::Cell;
use crate::engine::grid::Grid;
use crate::engine::plan::Aggregate;
use crate::engine::query::{Held, Query};
use crate::engine::stream::{Sink, stream};

pub(super) fn evaluate(
    query: &Query<'_>,
    plan: &Aggregate,
    grid: &Grid,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    let (k, _) = parameter(query, plan, grid)?;
    let extent = Extent::of(&k, grid.steps);
    let mut groups = Groups::default();
    let mut members: Vec<Vec<usize>> = Vec::new();
    let mut held = Held::new(query);
    let any = extent.any_nan || extent.max >= 1.0;
    stream(query, &plan.input, grid, &mut |row| {
        if !any {
            return Ok(());
        }
        let place = groups.place(plan, &row.labels);
        members.resize(groups.labels.len(), Vec::new());
        members[place].push(held.rows.len());
        held.push(row)
    })?;
    if !any {
        return Ok(());
    }
    check_k(&extent)?;
    let descending = plan.op == AggregateOp::Topk;
    let mut kept = vec![Bits::none(grid.steps); held.rows.len()];
    // With one step the order is part of the answer.
    let mut order = Vec::new();
    let mut ranks = Ranks { descending, k: 0, heap: Vec::new() };
    let mut ignored = false;
    for members in &members {
        for step in 0..grid.steps {
            if step % 64 == 0 {
                query.check()?;
            }
            ranks.start(k.get(step));
            if ranks.k == 0 {
                continue;
            }
            for &row in members {
                match held.rows[row].column.get(step) {
                    Some(Cell::Float(value)) => ranks.offer(value, row),
                    Some(Cell::Histogram(_)) => ignored = true,
                    None => {}
                }
            }
            ranks.sort();
            ranks.heap.iter().for_each(|(_, row)| kept[*row].set(step));
            if grid.steps == 1 {
                order.extend(ranks.heap.iter().map(|(_, row)| *row));
            }
        }
    }
    if ignored {
        let name = if descending { "topk" } else { "bottomk" };
        query.remark(&Remark::HistogramIgnoredInAggregation(name), plan.span);
    }
    if grid.steps == 1 {
        return order.into_iter().try_for_each(|row| sink(held.rows[row].clone()));
    }
    for (mut row, kept) in std::mem::take(&mut held.rows).into_iter().zip(kept) {
        if kept.any() {
            row.column.present = kept;
            sink(row)?;
        }
    }
    Ok(())
}

/// The best of a step, the worst of them on top: a binary heap as Go has it, so that of equal ones
/// the same go.
struct Ranks {
    descending: bool,
    k: usize,
    heap: Vec<(f64, usize)>,
}

impl Ranks {
    fn start(&mut self, k: f64) {
        self.k = if k >= 1.0 { k as usize } else { 0 };
        self.heap.clear();
    }

    /// Whether the first one goes before the other. NaN goes first.
    fn worse(&self, left: f64, right: f64) -> bool {
        left.is_nan() || if self.descending { left < right } else { left > right }
    }

    fn offer(&mut self, value: f64, row: usize) {
        if self.heap.len() < self.k {
            self.heap.push((value, row));
            self.up(self.heap.len() - 1);
            return;
        }
        let worst = self.heap[0].0;
        let better = if self.descending { worst < value } else { worst > value };
        if better || (worst.is_nan() && !value.is_nan()) {
            self.heap[0] = (value, row);
            self.down(0);
        }
    }

    fn less(&self, left: usize, right: usize) -> bool {
        self.worse(self.heap[left].0, self.heap[right].0)
    }

    fn up(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if !self.less(place, parent) {
                break;
            }
            self.heap.swap(place, parent);
            place = parent;
        }
    }

    fn down(&mut self, mut place: usize) {
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            if left >= self.heap.len() {
                return;
            }
            let child = if right < self.heap.len() && self.less(right, left) { right } else { left };
            if !self.less(child, place) {
                return;
            }
            self.heap.swap(place, child);
            place = child;
        }
    }

    /// The best first, NaN last.
    fn sort(&mut self) {
        let descending = self.descending;
        self.heap.sort_by(|(left, _), (right, _)| {
            let order = left.partial_cmp(right).unwrap_or(std::cmp::Ordering::Equal);
            let order = if descending { order.reverse() } else { order };
            left.is_nan().cmp(&right.is_nan()).then(order)
        });
    }
}
