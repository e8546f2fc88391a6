use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{BinaryArray, RecordBatch, StringArray};
use model::{Budget, Reservation};
use parking_lot::RwLock;

/// 128 bits that identify a series.
pub(crate) type SeriesId = [u8; 16];

/// The series of a tenant, each with a small number by which points refer to it.
///
/// Numbers are given once and never change, so a chunk that holds them stays readable for as long
/// as the index lives.
#[derive(Debug)]
pub(crate) struct SeriesIndex {
    known: RwLock<Known>,
}

#[derive(Debug)]
struct Known {
    numbers: HashMap<SeriesId, u32, BuildHasherDefault<IdHasher>>,
    catalog: SeriesCatalog,
    name_numbers: HashMap<Arc<str>, u32>,
    reservation: Reservation,
}

/// Ids and metric names by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeriesCatalog {
    pub(crate) ids: Vec<SeriesId>,
    /// Per series its place in `names`.
    pub(crate) name_of: Vec<u32>,
    pub(crate) names: Vec<Arc<str>>,
    /// Per name how many series have it.
    of_name: Vec<usize>,
    most_of_a_name: usize,
    /// What the texts of `names` take.
    name_bytes: usize,
}

/// How many series there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeriesLimits {
    pub(crate) tenant: usize,
    /// With the same metric name.
    pub(crate) metric: usize,
}

/// Rows of a request's series that there is no room for, by the limit that says so.
#[derive(Debug, Default)]
pub(crate) struct Beyond {
    pub(crate) tenant: Vec<u32>,
    pub(crate) metric: Vec<u32>,
}

/// The ids are hashes already: eight of their bytes are as good as any hash of them.
#[derive(Default, Debug)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        // The length prefix of an array's hash comes as `write_usize`; the id itself comes here.
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl SeriesIndex {
    pub(crate) fn new(budget: &Budget) -> Self {
        Self {
            known: RwLock::new(Known {
                numbers: HashMap::default(),
                catalog: SeriesCatalog::default(),
                name_numbers: HashMap::new(),
                reservation: budget.take(0),
            }),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.known.read().catalog.ids.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.known.read().reservation.bytes()
    }

    /// The rows of `series` (row schema of the table `series`) that are beyond the limits: new ones
    /// for which there is no room. Of a series that is twice in a request the second counts as well.
    pub(crate) fn beyond(&self, series: &RecordBatch, limits: SeriesLimits) -> Beyond {
        let known = self.known.read();
        let mut beyond = Beyond::default();
        let rows = series.num_rows();
        // Mostly there is room for all, whichever they are.
        if known.catalog.ids.len().saturating_add(rows) <= limits.tenant
            && known.catalog.most_of_a_name.saturating_add(rows) <= limits.metric
        {
            return beyond;
        }
        let (ids, names) = (series_ids(series), metric_names(series));
        let mut new_of_name = HashMap::<&str, usize>::new();
        let mut room = limits.tenant.saturating_sub(known.catalog.ids.len());
        for row in (0..rows).filter(|row| !known.numbers.contains_key(&series_id(ids.value(*row)))) {
            let name = names.value(row);
            let new = new_of_name.entry(name).or_default();
            let there = known.name_numbers.get(name).map_or(0, |name| known.catalog.of_name[*name as usize]);
            let number = u32::try_from(row).expect("a request has fewer series than bytes");
            if there + *new >= limits.metric {
                beyond.metric.push(number);
            } else if room == 0 {
                beyond.tenant.push(number);
            } else {
                room -= 1;
                *new += 1;
            }
        }
        beyond
    }

    /// The number of each row of `series` (row schema of the table `series`), however many there are.
    pub(crate) fn resolve(&self, series: &RecordBatch) -> Vec<u32> {
        const UNKNOWN: u32 = u32::MAX;
        let ids = series_ids(series);
        let mut missing = false;
        let mut numbers = Vec::with_capacity(series.num_rows());
        {
            let known = self.known.read();
            // A sender sends its series in the order in which it sent them first, and numbers are given
            // in that order: the next one is looked at before it is looked up, which would be far away
            // in memory.
            let mut next = 0;
            for row in 0..series.num_rows() {
                let id = series_id(ids.value(row));
                let number = match known.catalog.ids.get(next as usize) {
                    Some(expected) if *expected == id => next,
                    _ => known.numbers.get(&id).copied().unwrap_or(UNKNOWN),
                };
                missing |= number == UNKNOWN;
                next = number.wrapping_add(1);
                numbers.push(number);
            }
        }
        if missing {
            let names = metric_names(series);
            let mut known = self.known.write();
            for (row, number) in numbers.iter_mut().enumerate().filter(|(_, number)| **number == UNKNOWN) {
                *number = known.number(series_id(ids.value(row)), names.value(row));
            }
            let bytes = known.bytes();
            known.reservation.settle(bytes);
        }
        numbers
    }

    /// The numbers of these series, those that have one.
    pub(crate) fn numbers(&self, ids: &[SeriesId]) -> Vec<Option<u32>> {
        let known = self.known.read();
        ids.iter().map(|id| known.numbers.get(id).copied()).collect()
    }

    /// Ids and names as they are now: what is in a chunk already is in it.
    pub(crate) fn catalog(&self) -> SeriesCatalog {
        self.known.read().catalog.clone()
    }

    /// Looks at ids and names without copying them.
    pub(crate) fn with_catalog<R>(&self, look: impl FnOnce(&SeriesCatalog) -> R) -> R {
        look(&self.known.read().catalog)
    }
}

impl Known {
    fn number(&mut self, id: SeriesId, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(&id) {
            return *number;
        }
        let number = self.catalog.push(id, name, &mut self.name_numbers);
        self.numbers.insert(id, number);
        number
    }

    /// The memory that it holds: lists and tables have room for more than is in them.
    fn bytes(&self) -> u64 {
        let SeriesCatalog { ids, name_of, names, of_name, name_bytes, .. } = &self.catalog;
        let of_series = ids.capacity() * size_of::<SeriesId>() + name_of.capacity() * size_of::<u32>();
        let of_names =
            names.capacity() * size_of::<Arc<str>>() + of_name.capacity() * size_of::<usize>() + name_bytes;
        let tables = table_bytes::<(SeriesId, u32)>(self.numbers.capacity())
            + table_bytes::<(Arc<str>, u32)>(self.name_numbers.capacity());
        (of_series + of_names + tables) as u64
    }
}

/// What a hash table takes that has room for so many: an eighth of its places stays free, and for
/// each there is a byte that says whether it is.
fn table_bytes<T>(capacity: usize) -> usize {
    let places = if capacity < 8 { capacity.next_power_of_two() } else { capacity / 7 * 8 };
    places * (size_of::<T>() + 1)
}

impl SeriesCatalog {
    /// Adds a series that is not in it.
    pub(crate) fn push(
        &mut self,
        id: SeriesId,
        name: &str,
        name_numbers: &mut HashMap<Arc<str>, u32>,
    ) -> u32 {
        let name_number = name_numbers.get(name).copied().unwrap_or_else(|| {
            let number = u32::try_from(self.names.len()).expect("fewer names than series");
            let name: Arc<str> = name.into();
            // Two counts stand before the text, and it ends at a multiple of them.
            self.name_bytes += (2 * size_of::<usize>() + name.len()).next_multiple_of(size_of::<usize>());
            self.names.push(Arc::clone(&name));
            self.of_name.push(0);
            name_numbers.insert(name, number);
            number
        });
        let number = u32::try_from(self.ids.len()).expect("memory ends before four billion series");
        self.ids.push(id);
        self.name_of.push(name_number);
        let of_name = &mut self.of_name[name_number as usize];
        *of_name += 1;
        self.most_of_a_name = self.most_of_a_name.max(*of_name);
        number
    }

    pub(crate) fn bytes(&self) -> u64 {
        let series = size_of::<SeriesId>() + size_of::<u32>();
        (self.ids.len() * series + self.names.len() * size_of::<Arc<str>>()) as u64
    }

    pub(crate) fn name(&self, series: u32) -> &str {
        &self.names[self.name_of[series as usize] as usize]
    }
}

fn series_ids(series: &RecordBatch) -> &BinaryArray {
    series.column_by_name("series_id").expect("in the schema").as_binary::<i32>()
}

fn metric_names(series: &RecordBatch) -> &StringArray {
    series.column_by_name("metric_name").expect("in the schema").as_string::<i32>()
}

/// The id as an array; ids of another length, which no decoder makes, are cut or filled with zeros.
pub(crate) fn series_id(bytes: &[u8]) -> SeriesId {
    let mut id = [0; 16];
    let len = bytes.len().min(16);
    id[..len].copy_from_slice(&bytes[..len]);
    id
}
