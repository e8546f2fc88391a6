use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use parquet::basic::{Encoding, Type};
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::statistics::{Statistics, ValueStatistics};

use super::bits::{Bits, indices};
use super::delta::binary_packed;
use super::dictionary::Numbers;
use super::page::{Codec, Column, JUDGED, Page, PageBounds};
use super::{BLOCK_ROWS, Encoded, Group};
use crate::courtesy::give_way;

/// Distinct values up to which a dictionary is used.
const DICTIONARY_LEN: usize = 1 << 16;
/// Fewest values of a page that say whether a dictionary is worth it.
const SAMPLE: usize = 256;

/// The least and the greatest value of a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Bounds {
    Int32(i32, i32),
    Int64(i64, i64),
    Bytes(Vec<u8>, Vec<u8>),
}

impl Bounds {
    /// Makes the bounds include others.
    pub(super) fn widen(bounds: &mut Option<Self>, other: Self) {
        *bounds = Some(match (bounds.take(), other) {
            (Some(Self::Int32(a, b)), Self::Int32(c, d)) => Self::Int32(a.min(c), b.max(d)),
            (Some(Self::Int64(a, b)), Self::Int64(c, d)) => Self::Int64(a.min(c), b.max(d)),
            (Some(Self::Bytes(a, b)), Self::Bytes(c, d)) => Self::Bytes(a.min(c), b.max(d)),
            (_, other) => other,
        });
    }

    /// As the footer has them.
    pub(super) fn statistics(self, nulls: u64, distinct: Option<u64>) -> Statistics {
        let nulls = Some(nulls);
        match self {
            Self::Int32(min, max) => {
                ValueStatistics::new(Some(min), Some(max), distinct, nulls, false).into()
            }
            Self::Int64(min, max) => {
                ValueStatistics::new(Some(min), Some(max), distinct, nulls, false).into()
            }
            Self::Bytes(min, max) => {
                let (min, max) = (ByteArray::from(min), ByteArray::from(max));
                ValueStatistics::new(Some(min), Some(max), distinct, nulls, false).into()
            }
        }
    }

    fn page(&self) -> Option<PageBounds> {
        let (min, max) = match self {
            Self::Int32(min, max) => (min.to_le_bytes().to_vec(), max.to_le_bytes().to_vec()),
            Self::Int64(min, max) => (min.to_le_bytes().to_vec(), max.to_le_bytes().to_vec()),
            Self::Bytes(min, max) => (min.clone(), max.clone()),
        };
        Some(PageBounds { min, max })
    }
}

/// The values of a row group that are not null, as 64 bits each, and which rows have one.
pub(super) struct Gathered {
    pub(super) values: Vec<i64>,
    /// Nothing when every row has a value.
    pub(super) valid: Option<Vec<bool>>,
}

/// A column of numbers of the record itself.
pub(super) fn encode(
    group: &Group<'_>,
    arrays: &[&ArrayRef],
    column: Column,
    codec: &mut Codec,
) -> Result<Encoded> {
    if let Some(value) = uniform(arrays) {
        let values = match value {
            Some(value) => vec![value; group.len()],
            None => return column.nulls(codec, group.len()),
        };
        return encode_values(&values, None, column, codec);
    }
    let Gathered { values, valid } = gather_own(group, arrays);
    encode_values(&values, valid.as_deref(), column, codec)
}

/// The values of a column of the record itself, in the order of the file.
pub(super) fn gather_own(group: &Group<'_>, arrays: &[&ArrayRef]) -> Gathered {
    let picks = group.picks.iter().map(|pick| (pick.chunk as usize, pick.row as usize));
    gather(arrays, picks, group.len())
}

/// A column of numbers of what the record belongs to.
pub(super) fn encode_shared(
    group: &Group<'_>,
    array: &ArrayRef,
    column: Column,
    codec: &mut Codec,
) -> Result<Encoded> {
    let picks = group.owners.iter().map(|owner| (0, *owner as usize));
    let Gathered { values, valid } = gather(&[array], picks, group.len());
    encode_values(&values, valid.as_deref(), column, codec)
}

/// The value that all rows have, if it is one: many columns are the same everywhere, and a look at
/// the chunks one after the other costs less than one at each row in the order of the file.
fn uniform(arrays: &[&ArrayRef]) -> Option<Option<i64>> {
    if arrays.iter().all(|array| array.null_count() == array.len()) {
        return Some(None);
    }
    if arrays.iter().any(|array| array.null_count() > 0) {
        return None;
    }
    match arrays[0].data_type() {
        DataType::Int32 => {
            let values = slices(arrays, |array| array.as_primitive::<Int32Type>().values());
            same(&values).map(|value| Some(i64::from(value)))
        }
        DataType::Int64 => {
            let values = slices(arrays, |array| array.as_primitive::<Int64Type>().values());
            same(&values).map(Some)
        }
        _ => None,
    }
}

fn same<T: Copy + PartialEq>(chunks: &[&[T]]) -> Option<T> {
    let first = *chunks.iter().find_map(|chunk| chunk.first())?;
    chunks.iter().all(|chunk| chunk.iter().all(|value| *value == first)).then_some(first)
}

fn gather(arrays: &[&ArrayRef], picks: impl Iterator<Item = (usize, usize)>, len: usize) -> Gathered {
    let nulls: Vec<Option<&NullBuffer>> = arrays.iter().map(|array| array.nulls()).collect();
    match arrays[0].data_type() {
        DataType::Int32 => {
            let values = slices(arrays, |array| array.as_primitive::<Int32Type>().values());
            collect(picks, &nulls, len, |chunk, row| i64::from(values[chunk][row]))
        }
        DataType::Float64 => {
            let values = slices(arrays, |array| array.as_primitive::<Float64Type>().values());
            collect(picks, &nulls, len, |chunk, row| values[chunk][row].to_bits().cast_signed())
        }
        DataType::Boolean => {
            let values: Vec<_> = arrays.iter().map(|array| array.as_boolean()).collect();
            collect(picks, &nulls, len, |chunk, row| i64::from(values[chunk].value(row)))
        }
        _ => {
            let values = slices(arrays, |array| array.as_primitive::<Int64Type>().values());
            collect(picks, &nulls, len, |chunk, row| values[chunk][row])
        }
    }
}

fn slices<'a, T>(arrays: &[&'a ArrayRef], values: impl Fn(&'a ArrayRef) -> &'a [T]) -> Vec<&'a [T]> {
    arrays.iter().map(|array| values(array)).collect()
}

fn collect(
    picks: impl Iterator<Item = (usize, usize)>,
    nulls: &[Option<&NullBuffer>],
    len: usize,
    value: impl Fn(usize, usize) -> i64,
) -> Gathered {
    let mut values = Vec::with_capacity(len);
    if nulls.iter().all(|nulls| nulls.is_none_or(|nulls| nulls.null_count() == 0)) {
        let mut values_of = picks.map(|(chunk, row)| value(chunk, row));
        for _ in 0..len.div_ceil(BLOCK_ROWS) {
            give_way();
            values.extend(values_of.by_ref().take(BLOCK_ROWS));
        }
        return Gathered { values, valid: None };
    }
    let mut valid = Vec::with_capacity(len);
    for (number, (chunk, row)) in picks.enumerate() {
        if number % BLOCK_ROWS == 0 {
            give_way();
        }
        let is_valid = nulls[chunk].is_none_or(|nulls| nulls.is_valid(row));
        valid.push(is_valid);
        if is_valid {
            values.push(value(chunk, row));
        }
    }
    Gathered { values, valid: Some(valid) }
}

/// How the values of a column are written.
struct Coding {
    /// The dictionary, if the column has one; pages may use it.
    dictionary: Option<Numbers>,
    /// Whether this page and those after it use it.
    interning: bool,
    /// How many values of the page decide, if they do.
    judged: Option<usize>,
}

/// A column of these values, of as many rows as there are in `valid`, if not all have one.
pub(super) fn encode_values(
    values: &[i64],
    valid: Option<&[bool]>,
    column: Column,
    codec: &mut Codec,
) -> Result<Encoded> {
    let rows = valid.map_or(values.len(), <[bool]>::len);
    let page_rows = codec.page_rows();
    let ends = (0..rows).step_by(page_rows).map(|first| (first + page_rows).min(rows));
    encode_pages(values, valid, ends, column, codec)
}

/// The same, with pages that end with these rows, but where all values are the same.
pub(super) fn encode_pages(
    values: &[i64],
    valid: Option<&[bool]>,
    ends: impl Iterator<Item = usize>,
    mut column: Column,
    codec: &mut Codec,
) -> Result<Encoded> {
    let rows = valid.map_or(values.len(), <[bool]>::len);
    let uniform = values.is_empty() || (valid.is_none() && values.iter().all(|value| *value == values[0]));
    let one = (uniform && rows > 0).then_some(rows);
    let several = (!uniform).then_some(ends).into_iter().flatten();
    let kind = column.leaf.physical_type();
    let interning = column.treatment.dictionary;
    let judged = column.treatment.sampled.then_some(column.judged);
    let mut coding = Coding { dictionary: interning.then(Numbers::new), interning, judged };
    let mut used_dictionary = false;
    let mut bounds = None;
    let mut rest = values;
    let (mut page, mut definitions) = (Page::default(), column.definition_levels());
    let mut first = 0;
    for end in one.into_iter().chain(several) {
        let range = first..end;
        first = end;
        page.renew();
        (page.rows, page.entries) = (range.len(), range.len());
        match valid {
            None => definitions.put_run(1, range.len()),
            Some(valid) => {
                for is_valid in &valid[range.clone()] {
                    definitions.put(u64::from(*is_valid));
                    page.nulls += usize::from(!is_valid);
                }
            }
        }
        definitions.drain_into(&mut page.body);
        let (own, tail) = rest.split_at(page.entries - page.nulls);
        rest = tail;
        let of_page = bounds_of(kind, own);
        if let Some(of_page) = &of_page {
            Bounds::widen(&mut bounds, of_page.clone());
        }
        let encoding = write_values(&mut page.body, own, kind, &mut coding, codec)?;
        used_dictionary |= encoding == Encoding::RLE_DICTIONARY;
        let of_page = of_page.filter(|_| column.treatment.pages);
        column.page(codec, &page, encoding, of_page.and_then(|bounds| bounds.page()))?;
    }
    match coding.dictionary.filter(|_| used_dictionary) {
        Some(dictionary) => {
            let mut values = Vec::new();
            plain(&mut values, dictionary.values(), kind);
            column.finish(codec, Some((&values, dictionary.values().len())), bounds)
        }
        None => column.finish(codec, None, bounds),
    }
}

/// Appends the values of a page. A dictionary that is not worth it, or full, is not used.
fn write_values(
    body: &mut Vec<u8>,
    values: &[i64],
    kind: Type,
    coding: &mut Coding,
    codec: &mut Codec,
) -> Result<Encoding> {
    if let Some(dictionary) = coding.dictionary.as_mut().filter(|_| coding.interning) {
        let before = dictionary.values().len();
        let ids = interned(dictionary, values);
        let new = dictionary.values().len() - before;
        if ids.len() < SAMPLE || new * 2 <= ids.len() {
            indices(body, &ids, dictionary.values().len());
            coding.interning = dictionary.values().len() < DICTIONARY_LEN;
            return Ok(Encoding::RLE_DICTIONARY);
        }
        dictionary.end(before);
        coding.interning = false;
    }
    match (kind, coding.judged) {
        (Type::INT64, Some(judged)) => smallest(body, values, judged, codec),
        (Type::INT64, None) => {
            binary_packed(body, values);
            Ok(Encoding::DELTA_BINARY_PACKED)
        }
        (Type::DOUBLE, _) if splits_better(values, codec)? => {
            split(body, values);
            Ok(Encoding::BYTE_STREAM_SPLIT)
        }
        _ => {
            plain(body, values, kind);
            Ok(Encoding::PLAIN)
        }
    }
}

/// The places of the values. Many come in runs.
fn interned(dictionary: &mut Numbers, values: &[i64]) -> Vec<u32> {
    let mut last = None;
    let mut id = |value: &i64| match last {
        Some((same, id)) if same == *value => id,
        _ => {
            let id = dictionary.intern(*value);
            last = Some((*value, id));
            id
        }
    };
    values.iter().map(&mut id).collect()
}

/// A byte before it is compressed counts as much as one part in so many of one afterwards: whoever reads
/// it has to decompress it, which is most of what that takes; and where the middle is all the same, which
/// every way makes small, the rest is smallest as differences.
const UNPACKED_PART: usize = 64;

/// Appends the values in what makes their middle, so many of them, the smallest, and quick to read where that
/// is the same.
fn smallest(body: &mut Vec<u8>, values: &[i64], judged: usize, codec: &mut Codec) -> Result<Encoding> {
    type Way = (Encoding, fn(&mut Vec<u8>, &[i64]));
    const WAYS: [Way; 3] = [
        (Encoding::BYTE_STREAM_SPLIT, split),
        (Encoding::DELTA_BINARY_PACKED, binary_packed),
        (Encoding::PLAIN, |out, values| plain(out, values, Type::INT64)),
    ];
    let sample = middle(values, judged);
    let (mut best, mut least) = (WAYS[0], usize::MAX);
    let mut bytes = Vec::with_capacity(size_of_val(sample));
    for way in WAYS {
        bytes.clear();
        way.1(&mut bytes, sample);
        let len = codec.packed_len(&bytes)? + bytes.len() / UNPACKED_PART;
        if len < least {
            (best, least) = (way, len);
        }
    }
    best.1(body, values);
    Ok(best.0)
}

/// So many values in the middle.
fn middle(values: &[i64], judged: usize) -> &[i64] {
    let len = values.len().min(judged);
    &values[(values.len() - len) / 2..][..len]
}

/// Whether the bytes of such values are smaller when those of the same place are together. Values
/// that grow, or use all of their bits, are; values of few decimals, which repeat as a whole, are
/// not. The page's middle tells.
fn splits_better(values: &[i64], codec: &mut Codec) -> Result<bool> {
    if values.len() < SAMPLE {
        return Ok(false);
    }
    let sample = middle(values, JUDGED);
    let mut bytes = Vec::with_capacity(size_of_val(sample));
    plain(&mut bytes, sample, Type::DOUBLE);
    let whole = codec.packed_len(&bytes)?;
    bytes.clear();
    split(&mut bytes, sample);
    Ok(codec.packed_len(&bytes)? < whole)
}

/// Appends the first byte of each value, then the second of each, and so on.
fn split(out: &mut Vec<u8>, values: &[i64]) {
    for place in 0..size_of::<i64>() {
        out.extend(values.iter().map(|value| value.to_le_bytes()[place]));
    }
}

/// Appends the values in the bytes that they have.
fn plain(out: &mut Vec<u8>, values: &[i64], kind: Type) {
    match kind {
        Type::BOOLEAN => {
            let mut bits = Bits::default();
            values.iter().for_each(|value| bits.put(value.cast_unsigned(), 1));
            bits.drain_into(out);
        }
        Type::INT32 => values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()[..4])),
        _ => values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes())),
    }
}

fn bounds_of(kind: Type, values: &[i64]) -> Option<Bounds> {
    let (min, max) = values.iter().fold(None, |range: Option<(i64, i64)>, value| {
        range.map_or(Some((*value, *value)), |(min, max)| Some((min.min(*value), max.max(*value))))
    })?;
    match kind {
        Type::INT64 => Some(Bounds::Int64(min, max)),
        Type::INT32 => Some(Bounds::Int32(i32::try_from(min).ok()?, i32::try_from(max).ok()?)),
        _ => None,
    }
}
