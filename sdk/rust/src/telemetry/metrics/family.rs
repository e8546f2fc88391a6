use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use parking_lot::RwLock;

use super::Labels;
use crate::telemetry::otlp::KeyValue;

/// All series of one instrument.
pub(super) struct Family<C> {
    series: RwLock<Table<C>>,
    limit: usize,
    /// Labels that every series has besides.
    constant: Arc<[(String, String)]>,
}

/// Series by the hash of their labels, which is asked for without making a key.
struct Table<C> {
    places: HashMap<u64, Vec<Arc<Series<C>>>, BuildHasherDefault<Hashed>>,
    count: usize,
}

/// Labels sorted by name.
type LabelSet = Box<[(&'static str, Box<str>)]>;

/// The cell that values go to, with the labels as they are exported.
pub(super) struct Series<C> {
    key: LabelSet,
    pub(super) attributes: Arc<[KeyValue]>,
    pub(super) cell: C,
}

/// What OpenTelemetry's specification calls the series for everything beyond the limit. No label
/// set of a caller has this name with an empty value.
const OVERFLOW: &str = "otel.metric.overflow";

impl<C> Family<C> {
    pub(super) fn new(limit: usize, constant: Arc<[(String, String)]>) -> Self {
        let table = Table { places: HashMap::default(), count: 0 };
        Self { series: RwLock::new(table), limit, constant }
    }

    /// The series with these labels; the overflow's when there are already too many others.
    pub(super) fn bind(&self, labels: Labels<'_>, cell: impl FnOnce() -> C) -> Arc<Series<C>> {
        let hash = hash(labels);
        if let Some(known) = self.series.read().find(hash, labels) {
            return known.clone();
        }
        let mut table = self.series.write();
        if let Some(known) = table.find(hash, labels) {
            return known.clone();
        }
        // The last place is kept for the overflow.
        if table.count + 1 < self.limit {
            return table.insert(hash, self.series(labels, cell()));
        }
        let overflow: Labels<'_> = &[(OVERFLOW, "")];
        let hash = self::hash(overflow);
        if let Some(known) = table.find(hash, overflow) {
            return known.clone();
        }
        let mut series = self.series(overflow, cell());
        let own = [KeyValue::new(OVERFLOW, true)].into_iter();
        series.attributes = own.chain(self.others(overflow)).collect();
        table.insert(hash, series)
    }

    /// Does something with the series of these labels. One that is there is found without a key
    /// being made, and without waiting for others who look.
    pub(super) fn with(&self, labels: Labels<'_>, cell: impl FnOnce() -> C, act: impl FnOnce(&C)) {
        let table = self.series.read();
        match table.find(hash(labels), labels) {
            Some(known) => act(&known.cell),
            None => {
                drop(table);
                act(&self.bind(labels, cell).cell);
            }
        }
    }

    fn series(&self, labels: Labels<'_>, cell: C) -> Series<C> {
        let mut key: Vec<_> = labels.iter().map(|(name, value)| (*name, Box::from(*value))).collect();
        key.sort_unstable();
        let own = key
            .iter()
            .map(|(name, value): &(&'static str, Box<str>)| KeyValue::new(*name, value.to_string()));
        let attributes = own.chain(self.others(labels)).collect();
        Series { key: key.into(), attributes, cell }
    }

    /// The constant labels that are not said otherwise.
    fn others<'a>(&'a self, labels: Labels<'a>) -> impl Iterator<Item = KeyValue> + 'a {
        let other = |(name, _): &&(String, String)| labels.iter().all(|(own, _)| own != name);
        self.constant.iter().filter(other).map(|(name, value)| KeyValue::new(name.clone(), value.clone()))
    }

    /// The series there are, in the order of their labels.
    pub(super) fn all(&self) -> Vec<Arc<Series<C>>> {
        let mut all: Vec<_> = self.series.read().places.values().flatten().cloned().collect();
        all.sort_by(|one, other| one.key.cmp(&other.key));
        all
    }
}

impl<C> Table<C> {
    fn find(&self, hash: u64, labels: Labels<'_>) -> Option<&Arc<Series<C>>> {
        self.places.get(&hash)?.iter().find(|series| series.has(labels))
    }

    fn insert(&mut self, hash: u64, series: Series<C>) -> Arc<Series<C>> {
        let series = Arc::new(series);
        self.places.entry(hash).or_default().push(series.clone());
        self.count += 1;
        series
    }
}

impl<C> Series<C> {
    /// Whether these are its labels, in whatever order.
    fn has(&self, labels: Labels<'_>) -> bool {
        let one = |(name, value): &(&'static str, &str)| {
            self.key.iter().any(|(own, it)| (std::ptr::eq(*own, *name) || own == name) && **it == **value)
        };
        self.key.len() == labels.len() && labels.iter().all(one)
    }
}

/// The same whatever the order of the labels.
fn hash(labels: Labels<'_>) -> u64 {
    let pair = |(name, value): &(&'static str, &str)| mix(mix(0, name.as_bytes()), value.as_bytes());
    labels.iter().map(pair).fold(0, u64::wrapping_add)
}

/// Fast, not safe against those who look for collisions: the number of series is bounded.
fn mix(seed: u64, bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |sum: u64, word: u64| {
        let product = u128::from(sum ^ word).wrapping_mul(u128::from(PRIME));
        (product >> 64) as u64 ^ product as u64
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(seed ^ PRIME, |sum, word| step(sum, u64::from_le_bytes(*word)));
    let last = rest.iter().fold(bytes.len() as u64, |word, byte| word << 8 | u64::from(*byte));
    step(sum, last)
}

/// Takes a hash as it is.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0, bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
