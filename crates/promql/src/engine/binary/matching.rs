//! Arithmetic and comparisons between two vectors.
//!
//! Rows are put together by what their labels have in common, once; then column meets column. That
//! no step has two partners where there may be one is checked with the bits of the columns.

use std::collections::HashMap;

use super::element::{self, Element};
use crate::annotations::Remarks;
use crate::ast::{BinaryOp, Cardinality, VectorMatching};
use crate::engine::QueryError;
use crate::engine::bits::Bits;
use crate::engine::column::{Column, Row};
use crate::engine::grid::Grid;
use crate::engine::names::{self, Claims, Merged};
use crate::engine::plan::Binary;
use crate::engine::query::{Held, Query};
use crate::engine::scalar;
use crate::engine::stream::{Sink, stream};
use crate::labels::{Labels, LabelsBuilder, METRIC_NAME};

/// What two rows have to have in common.
pub(super) fn signature(labels: &Labels, matching: &VectorMatching) -> Labels {
    let listed = |name: &str| matching.labels.iter().any(|label| label == name);
    let keep = |name: &str| if matching.on { listed(name) } else { name != METRIC_NAME && !listed(name) };
    Labels::from_sorted(labels.pairs().iter().filter(|(name, _)| keep(name)).cloned())
}

/// Rows of both sides with one signature.
#[derive(Default)]
struct Group {
    many: Vec<usize>,
    one: Vec<usize>,
}

struct Join<'a, 'q> {
    query: &'a Query<'q>,
    plan: &'a Binary,
    /// The side of which several rows may have one partner; the left one unless `group_right`.
    many: &'a [Row],
    one: &'a [Row],
    /// Steps at which anything is put together at all.
    active: Bits,
    remarks: Remarks,
    results: Merged,
    /// For the results.
    held: Held<'a, 'q>,
}

pub(in crate::engine) fn evaluate(
    query: &Query<'_>,
    plan: &Binary,
    grid: &Grid,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    let mut left = Held::new(query);
    stream(query, &plan.left, grid, &mut |row| left.push(row))?;
    let mut right = Held::new(query);
    stream(query, &plan.right, grid, &mut |row| right.push(row))?;
    let swapped = plan.matching.cardinality == Cardinality::OneToMany;
    let (many, one) = if swapped { (&right.rows, &left.rows) } else { (&left.rows, &right.rows) };
    let filled = plan.matching.fill_left.is_some() || plan.matching.fill_right.is_some();
    let mut active = any(many, grid.steps);
    if filled {
        active.unite(&any(one, grid.steps));
    } else {
        active.intersect(&any(one, grid.steps));
    }
    let remarks = Remarks::default();
    let held = Held::new(query);
    let mut join = Join { query, plan, many, one, active, remarks, results: Merged::default(), held };
    join.run()?;
    query.merge_remarks(join.remarks);
    join.results.rows.into_iter().try_for_each(sink)
}

/// Steps at which any row has something.
fn any(rows: &[Row], steps: usize) -> Bits {
    rows.iter().fold(Bits::none(steps), |mut any, row| {
        any.unite(&row.column.present);
        any
    })
}

impl Join<'_, '_> {
    fn run(&mut self) -> Result<(), QueryError> {
        let mut places = HashMap::new();
        let mut groups: Vec<Group> = Vec::new();
        let mut place = |row: &Row, groups: &mut Vec<Group>| {
            *places.entry(signature(&row.labels, &self.plan.matching)).or_insert_with(|| {
                groups.push(Group::default());
                groups.len() - 1
            })
        };
        for (number, row) in self.many.iter().enumerate() {
            let place = place(row, &mut groups);
            groups[place].many.push(number);
        }
        for (number, row) in self.one.iter().enumerate() {
            let place = place(row, &mut groups);
            groups[place].one.push(number);
        }
        drop(places);
        groups.iter().try_for_each(|group| self.check_one(group))?;
        for (number, group) in groups.iter().enumerate() {
            if number % 64 == 0 {
                self.query.check()?;
            }
            self.join(group)?;
        }
        Ok(())
    }

    /// No step may have two rows on the side that is one.
    fn check_one(&self, group: &Group) -> Result<(), QueryError> {
        let mut taken = Bits::none(self.active.len());
        for (number, place) in group.one.iter().enumerate() {
            let mut present = self.one[*place].column.present.clone();
            present.intersect(&self.active);
            if taken.intersects(&present) {
                let overlaps = |other: &&usize| self.one[**other].column.present.intersects(&present);
                let other = group.one[..number].iter().find(overlaps).unwrap_or(place);
                return Err(self.duplicate(&self.one[*other].labels, &self.one[*place].labels));
            }
            taken.unite(&present);
        }
        Ok(())
    }

    fn duplicate(&self, first: &Labels, second: &Labels) -> QueryError {
        let side = if self.plan.matching.cardinality == Cardinality::OneToMany { "left" } else { "right" };
        let group = signature(first, &self.plan.matching);
        QueryError::Execution(format!(
            "found duplicate series for the match group {group} on the {side} hand-side of the operation: \
             [{first}, {second}];many-to-many matching not allowed: matching labels must be unique on one side"
        ))
    }

    fn join(&mut self, group: &Group) -> Result<(), QueryError> {
        let steps = self.active.len();
        let (many, one) = (self.many, self.one);
        let any_one = group.one.iter().fold(Bits::none(steps), |mut any, place| {
            any.unite(&one[*place].column.present);
            any
        });
        let mut matched = Bits::none(steps);
        let mut claims = Claims::default();
        for &left in &group.many {
            let row = &many[left];
            for &right in &group.one {
                let mut both = row.column.present.clone();
                both.intersect(&one[right].column.present);
                both.intersect(&self.active);
                self.pair(row, &one[right], both, &mut matched, &mut claims)?;
            }
            if let Some(fill) = self.plan.matching.fill_right {
                let mut alone = row.column.present.clone();
                alone.subtract(&any_one);
                let filling = self.filling(row, fill, steps);
                self.pair(row, &filling, alone, &mut matched, &mut claims)?;
            }
        }
        if let Some(fill) = self.plan.matching.fill_left {
            for &right in &group.one {
                let mut alone = one[right].column.present.clone();
                alone.subtract(&matched);
                let filling = self.filling(&one[right], fill, steps);
                self.pair(&filling, &one[right], alone, &mut Bits::none(steps), &mut claims)?;
            }
        }
        Ok(())
    }

    /// What stands in for a missing partner.
    fn filling(&self, row: &Row, fill: f64, steps: usize) -> Row {
        Row::new(signature(&row.labels, &self.plan.matching), Column::all(vec![fill; steps]))
    }

    /// Two rows at the steps that both have.
    fn pair(
        &mut self,
        many: &Row,
        one: &Row,
        steps: Bits,
        matched: &mut Bits,
        claims: &mut Claims,
    ) -> Result<(), QueryError> {
        if !steps.any() {
            return Ok(());
        }
        let fail = |text: &str| Err(QueryError::Execution(text.into()));
        let labels = self.labels(&many.labels, &one.labels);
        if self.plan.matching.cardinality == Cardinality::OneToOne {
            if matched.intersects(&steps) {
                return fail(
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                );
            }
        } else if claims.claim(&labels, &steps).is_err() {
            return fail("multiple matches for labels: grouping labels must ensure unique matches");
        }
        matched.unite(&steps);
        self.held.reserve(steps.len())?;
        let column = self.operate(&many.column, &one.column, steps);
        if !column.present.any() {
            return Ok(());
        }
        let mut row = Row::new(labels, column);
        row.drop_name = self.plan.return_bool;
        self.results.add(row)
    }

    fn operate(&mut self, many: &Column, one: &Column, steps: Bits) -> Column {
        let swapped = self.plan.matching.cardinality == Cardinality::OneToMany;
        let (left, right) = if swapped { (one, many) } else { (many, one) };
        let op = self.plan.op;
        if !left.has_histograms() && !right.has_histograms() && !is_trim(op) {
            return self.floats(left, right, steps);
        }
        let mut result = Column::none(left.steps());
        for step in steps.ones() {
            let (left, right) = (left.cell(step), right.cell(step));
            let Some((value, keep)) = element::operate(op, left, right, self.plan.span, &mut self.remarks)
            else {
                continue;
            };
            if self.plan.return_bool {
                Element::Float(f64::from(u8::from(keep))).put(&mut result, step);
            } else if keep {
                value.put(&mut result, step);
            }
        }
        result
    }

    fn floats(&self, left: &Column, right: &Column, mut steps: Bits) -> Column {
        let op = self.plan.op;
        let mut values = vec![0.0; left.steps()];
        let comparison = element::is_comparison(op);
        let keep_left = comparison && !self.plan.return_bool;
        let runs: Vec<_> = steps.runs().collect();
        for run in runs {
            let pairs = left.values[run.clone()].iter().zip(&right.values[run.clone()]);
            for ((value, step), (left, right)) in values[run.clone()].iter_mut().zip(run).zip(pairs) {
                let result = scalar::operate(op, *left, *right);
                if keep_left {
                    *value = *left;
                    if result == 0.0 {
                        steps.clear(step);
                    }
                } else {
                    *value = result;
                }
            }
        }
        Column { values, present: steps, histograms: Vec::new() }
    }

    /// The labels of a result.
    fn labels(&self, many: &Labels, one: &Labels) -> Labels {
        let matching = &self.plan.matching;
        let mut labels = LabelsBuilder::new(many);
        let delayed = self.query.options.delayed_name_removal;
        if element::is_arithmetic(self.plan.op) || (self.plan.return_bool && !delayed) {
            names::remove_metadata(&mut labels);
        }
        if matching.cardinality == Cardinality::OneToOne {
            let listed = |name: &str| matching.labels.iter().any(|label| label == name);
            labels.retain(|name, _| listed(name) == matching.on);
        }
        for name in &matching.include {
            labels.set(name, one.get(name));
        }
        labels.build()
    }
}

fn is_trim(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower)
}
