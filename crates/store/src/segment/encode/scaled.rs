use model::{Table, scaled, schema};
use parquet::errors::Result;
use parquet::schema::types::ColumnDescPtr;

use super::numbers::{Gathered, encode_pages, encode_values, gather_own};
use super::page::{Codec, Column};
use super::{Encoded, Group};
use crate::courtesy::give_way;
use crate::segment::properties::{RUN_ROWS, treatment};

/// Ten to the power of it is a double without a rounding, and so is each below.
const DIGITS_MAX: usize = 22;
const POWERS: [f64; DIGITS_MAX + 1] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];
/// Every integer up to it is a double without a rounding.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
/// No difference of two integers below it is too large.
const WHOLE_MAX: f64 = 4_611_686_018_427_387_904.0;
/// One of so many values of a series may have no scale of few digits: the others still have it.
const ODD_PART: usize = 8;

/// Fewest rows of a page, but for the last one. A page has some fifty bytes beside its values.
const PAGE_ROWS_MIN: usize = 4096;

/// Values of samples, as [`model::scaled`] says, for each run of a series one scale.
pub(super) struct Scaled {
    /// How many rows a run has, and its scale.
    runs: Vec<(usize, Option<Scale>)>,
    /// Of the rows that have one.
    scaled: Vec<i64>,
    /// Of the others, as bits.
    raw: Vec<i64>,
    /// Which rows are scaled; nothing where all are.
    valid: Option<Vec<bool>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    base: i64,
    unit: i64,
    divisor: f64,
}

impl Scaled {
    /// Of the values of a row group, as bits, and the series that each belongs to.
    pub(super) fn new(values: &[i64], owners: &[u32]) -> Self {
        let mut all =
            Self { runs: Vec::new(), scaled: Vec::with_capacity(values.len()), raw: Vec::new(), valid: None };
        let mut rest = values;
        let mut mantissas = Vec::new();
        for run in owners.chunk_by(|a, b| a == b) {
            let (own, tail) = rest.split_at(run.len());
            rest = tail;
            give_way();
            all.push(own, &mut mantissas);
        }
        all
    }

    /// How many series there are.
    pub(super) fn runs(&self) -> u64 {
        self.runs.len() as u64
    }

    pub(super) fn bytes(&self) -> usize {
        let runs = self.runs.capacity() * size_of::<(usize, Option<Scale>)>();
        let numbers = (self.scaled.capacity() + self.raw.capacity()) * size_of::<i64>();
        runs + numbers + self.valid.as_ref().map_or(0, Vec::capacity)
    }

    fn rows(&self) -> usize {
        self.scaled.len() + self.raw.len()
    }

    fn push(&mut self, values: &[i64], mantissas: &mut Vec<Option<i64>>) {
        let before = self.rows();
        let scale = decimals(values, mantissas).map(|digits| scale(mantissas, digits));
        self.runs.push((values.len(), scale));
        let all = scale.is_some() && mantissas.iter().all(Option::is_some);
        if !all && self.valid.is_none() {
            self.valid = Some(vec![true; before]);
        }
        let Some(scale) = scale else {
            self.raw.extend_from_slice(values);
            let rows = self.rows();
            self.valid.iter_mut().for_each(|valid| valid.resize(rows, false));
            return;
        };
        for (value, mantissa) in values.iter().zip(mantissas.iter()) {
            match mantissa {
                Some(mantissa) if scale.unit == 1 => self.scaled.push(mantissa - scale.base),
                Some(mantissa) => self.scaled.push((mantissa - scale.base) / scale.unit),
                None => self.raw.push(*value),
            }
        }
        if let Some(valid) = &mut self.valid {
            valid.extend(mantissas.iter().map(Option::is_some));
        }
    }

    /// The column of this name, if it is one of these.
    pub(super) fn encode(&self, leaf: &ColumnDescPtr, codec: &mut Codec) -> Option<Result<Encoded>> {
        let column = Column::new(leaf, treatment(leaf));
        let ends = self.page_ends(codec.page_rows());
        let gathered = match leaf.name() {
            scaled::RAW if self.raw.is_empty() => return Some(column.nulls(codec, self.rows())),
            scaled::RAW => {
                let valid = self.valid.as_ref().map(|valid| valid.iter().map(|valid| !valid).collect());
                let valid: Option<Vec<bool>> = valid;
                return Some(encode_pages(&self.raw, valid.as_deref(), ends, column, codec));
            }
            scaled::SCALED => {
                let is_long = self.rows() >= RUN_ROWS * self.runs.len();
                let column = if is_long { column.with_long_runs() } else { column };
                return Some(encode_pages(&self.scaled, self.valid.as_deref(), ends, column, codec));
            }
            scaled::BASE => self.of_runs(|scale| scale.base),
            scaled::UNIT => self.of_runs(|scale| scale.unit),
            scaled::DIVISOR => self.of_runs(|scale| scale.divisor.to_bits().cast_signed()),
            _ => return None,
        };
        Some(encode_values(&gathered.values, gathered.valid.as_deref(), column, codec))
    }

    /// Pages end with a series: who reads one of it does not read many others, and the step from one to
    /// the next, which is larger than others, is not written.
    fn page_ends(&self, page_rows: usize) -> std::vec::IntoIter<usize> {
        let (mut ends, mut first, mut end) = (Vec::new(), 0, 0);
        for (rows, _) in &self.runs {
            end += rows;
            while end - first > page_rows {
                first += page_rows;
                ends.push(first);
            }
            if end - first >= PAGE_ROWS_MIN {
                ends.push(end);
                first = end;
            }
        }
        if first < end {
            ends.push(end);
        }
        ends.into_iter()
    }

    fn of_runs(&self, of: impl Fn(Scale) -> i64) -> Gathered {
        let mut values = Vec::with_capacity(self.rows());
        for (rows, scale) in &self.runs {
            if let Some(scale) = scale {
                values.extend(std::iter::repeat_n(of(*scale), *rows));
            }
        }
        let all = self.runs.iter().all(|(_, scale)| scale.is_some());
        let valid = || self.runs.iter().flat_map(|(rows, scale)| std::iter::repeat_n(scale.is_some(), *rows));
        Gathered { values, valid: (!all).then(|| valid().collect()) }
    }
}

/// The values of a group of samples, each series on a scale of its own.
pub(super) fn of_group(group: &Group<'_>) -> Option<Scaled> {
    let file = schema::file(group.rows.table);
    if group.rows.table != Table::Samples {
        return None;
    }
    let arrays = group.own_arrays(file.index_of(scaled::RAW).ok()?);
    Some(Scaled::new(&gather_own(group, &arrays).values, &group.owners))
}

/// How many digits after the point these values have; which times ten to the power of that is what
/// integer. Nothing when that is no integer for many of them.
fn decimals(values: &[i64], mantissas: &mut Vec<Option<i64>>) -> Option<usize> {
    let odd_max = values.len() / ODD_PART;
    let (mut digits, mut odd) = (0, 0);
    mantissas.clear();
    for bits in values {
        let value = f64::from_bits(bits.cast_unsigned());
        let mut found = mantissa(value, digits);
        if found.is_none() {
            let more = (digits + 1..=DIGITS_MAX).find(|digits| mantissa(value, *digits).is_some());
            match more {
                Some(more) => {
                    digits = more;
                    found = mantissa(value, digits);
                }
                None => odd += usize::from(!is_special(value)),
            }
        }
        if odd > odd_max {
            return None;
        }
        mantissas.push(found);
    }
    // Those that came before the last digit was found.
    let mut some = false;
    for (bits, own) in values.iter().zip(mantissas.iter_mut()) {
        *own = mantissa(f64::from_bits(bits.cast_unsigned()), digits);
        some |= own.is_some();
    }
    some.then_some(digits)
}

/// Values that never have a scale, and say nothing about their neighbours.
fn is_special(value: f64) -> bool {
    !value.is_finite() || value == 0.0
}

/// The integer that is this value times ten to the power of `digits`, if the value is that integer
/// divided by it, bit for bit.
#[inline]
fn mantissa(value: f64, digits: usize) -> Option<i64> {
    let (power, max) = (POWERS[digits], if digits == 0 { WHOLE_MAX } else { EXACT_MAX });
    let whole = (value * power).round_ties_even();
    // No comparison holds of what is not a number.
    let fits = whole.abs() < max;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and not too large")]
    let integer = if fits { whole as i64 } else { 0 };
    #[expect(clippy::cast_precision_loss, reason = "it came from a double")]
    let back = integer as f64 / power;
    (fits && back.to_bits() == value.to_bits()).then_some(integer)
}

/// The scale of these integers: the least of them, and what all of them are apart.
fn scale(mantissas: &[Option<i64>], digits: usize) -> Scale {
    let base = mantissas.iter().flatten().min().copied().unwrap_or(0);
    let mut unit = 0;
    for mantissa in mantissas.iter().flatten() {
        unit = common_divisor(unit, (mantissa - base).cast_unsigned());
        if unit == 1 {
            break;
        }
    }
    let unit = i64::try_from(unit.max(1)).unwrap_or(1);
    Scale { base, unit, divisor: POWERS[digits] }
}

/// The greatest number that divides both; the other one of zero.
fn common_divisor(mut a: u64, mut b: u64) -> u64 {
    if a != 0 && b.is_multiple_of(a) {
        return a;
    }
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests;
