//! Labels of series: read, judged, sorted and hashed once for each series that comes again.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::{LazyLock, RwLock, RwLockReadGuard};

use xxhash_rust::xxh3::xxh3_128_with_secret;

use super::Version;
use crate::canonical::{self, Canonical};
use crate::columns::{Attributes, Id, Ids, Text};
use crate::judge::{Judge, Limits, Reason};
use crate::points::{Known, words};
use crate::proto::{Known as Fields, Reader, Refused, put_varint};

const LABEL: Fields = Fields::new("Label", &[1, 2]);

const METRIC_NAME: &[u8] = b"__name__";
const JOB: &[u8] = b"job";
/// The service of what has no `job`.
pub(super) const UNKNOWN_SERVICE: &[u8] = b"unknown_service";

/// Key of a label in a series and in an exemplar.
pub(super) const LABEL_TAG: u8 = 0x0a;

/// Rows of labels that were read before, by a hash of the bytes that they came in.
#[derive(Default)]
struct Rows {
    /// Of the fields as they came; zero where they did not follow each other.
    hashes: Ids<16>,
    lengths: Vec<u32>,
    known: Known,
    /// Sorted.
    labels: Attributes,
    ids: Ids<16>,
    names: Text,
    services: Text,
}

/// What a row takes beside its texts: hash, id, length, its slots and ends.
const ROW_BYTES: usize = 64;
/// What a label takes beside its texts: where key and value end.
const LABEL_BYTES: usize = 8;

impl Rows {
    fn len(&self) -> usize {
        self.ids.len()
    }

    fn bytes(&self) -> usize {
        let texts = self.labels.bytes() + self.names.bytes() + self.services.bytes();
        texts + self.len() * ROW_BYTES + self.labels.entries() * LABEL_BYTES
    }

    fn find(&self, hash: &Id<16>) -> Option<usize> {
        self.known.find(hash, &self.hashes).map(|row| row as usize)
    }

    /// The length and the hash of what a row came in.
    #[inline(always)]
    fn run(&self, row: usize) -> Option<(usize, &Id<16>)> {
        let length = *self.lengths.get(row)?;
        (length > 0).then(|| (length as usize, self.hashes.row(row)))
    }

    /// Says what the last row came in, if its fields followed each other.
    fn came_in(&mut self, run: Option<(&Id<16>, usize)>) {
        let (hash, length) = run.unwrap_or((&[0; 16], 0));
        if length > 0 {
            self.known.find_or_add(hash, &self.hashes);
        }
        self.hashes.push(hash);
        self.lengths.push(u32::try_from(length).unwrap_or(0));
    }

    /// Appends a row of other ones.
    fn copy(&mut self, other: &Self, row: usize) {
        self.labels.copy_rows(&other.labels, row..row + 1);
        self.ids.push(other.ids.row(row));
        self.names.push_bytes(other.names.row(row));
        self.services.push_bytes(other.services.row(row));
        self.came_in(other.run(row).map(|(length, hash)| (hash, length)));
    }
}

/// What all threads share.
#[derive(Default)]
struct Shared {
    rows: Rows,
    limits: Option<Limits>,
    /// Sets that were read since there is no more room.
    missed: usize,
}

static SHARED: LazyLock<[RwLock<Shared>; 2]> = LazyLock::new(Default::default);

impl Shared {
    /// Some hundred thousand series at most; within what the process has beside its budget.
    const BYTES_MAX: usize = 48 << 20;

    /// Takes over what a request brought. Where there is no room, those that are known stay, until far
    /// more were missed: then other series come, and it begins anew.
    fn learn(&mut self, own: &Rows, limits: Option<Limits>) {
        if self.limits != limits {
            *self = Self { limits, ..Self::default() };
        }
        for row in 0..own.len() {
            let Some((_, hash)) = own.run(row) else { continue };
            if self.rows.find(hash).is_some() {
                continue;
            }
            if self.rows.bytes() < Self::BYTES_MAX {
                self.rows.copy(own, row);
                continue;
            }
            self.missed += 1;
            if self.missed > 4 * self.rows.len() {
                *self = Self { limits, ..Self::default() };
            }
        }
    }
}

/// Sets of labels that were read before, by the bytes that they came in: those that all threads share,
/// and those that only this request brought so far.
///
/// The same series come again in every request, and mostly in the same order. Nothing depends on what
/// is in it: bytes are the same where their length and a hash of 128 bits with a secret are, and other
/// limits forget all. Every set in it is acceptable.
///
/// Must hold: nobody has two of them at once, as those who learn wait until all others have ended.
pub(super) struct Sets {
    shared: Option<RwLockReadGuard<'static, Shared>>,
    /// How many of the sets are shared.
    shared_rows: usize,
    own: Rows,
    /// The set after the last one found.
    next: usize,
    limits: Limits,
    secret: &'static Secret,
    canonical: Canonical,
}

type Secret = [u8; 192];

/// Nobody can make bytes of the same hash who does not know it.
static SECRET: LazyLock<Secret> = LazyLock::new(|| {
    let random = RandomState::new();
    let mut secret = [0; 192];
    for (number, bytes) in secret.chunks_exact_mut(8).enumerate() {
        bytes.copy_from_slice(&random.hash_one(number).to_le_bytes());
    }
    secret
});

impl Sets {
    // What one request brings is bounded apart.
    const ROWS_MAX: usize = 1 << 14;
    const BYTES_MAX: usize = 8 << 20;

    /// Those that were read under these limits.
    pub(super) fn take(version: Version, limits: &Limits) -> Self {
        // Whoever failed while learning may have left half a row, and the next one begins anew.
        let shared = SHARED[version as usize].read().ok();
        let shared = shared.filter(|shared| shared.limits.as_ref() == Some(limits));
        let shared_rows = shared.as_ref().map_or(0, |shared| shared.rows.len());
        Self {
            shared,
            shared_rows,
            own: Rows::default(),
            next: 0,
            limits: *limits,
            secret: &SECRET,
            canonical: Canonical::default(),
        }
    }

    /// Shares what was read; no set may be asked for afterwards.
    pub(super) fn keep(&mut self, version: Version) {
        let own = std::mem::take(&mut self.own);
        self.shared = None;
        self.shared_rows = 0;
        if own.len() == 0 {
            return;
        }
        let shared = &SHARED[version as usize];
        let mut learning = shared.write().unwrap_or_else(|poisoned| {
            let mut half = poisoned.into_inner();
            *half = Shared::default();
            shared.clear_poison();
            half
        });
        learning.learn(&own, Some(self.limits));
    }

    /// The rows with a set, and which of them it is.
    #[inline(always)]
    fn place(&self, set: usize) -> (&Rows, usize) {
        match &self.shared {
            Some(shared) if set < self.shared_rows => (&shared.rows, set),
            _ => (&self.own, set - self.shared_rows),
        }
    }

    /// The id of the series that has a set's labels.
    #[inline(always)]
    pub(super) fn id(&self, set: usize) -> &Id<16> {
        let (rows, row) = self.place(set);
        rows.ids.row(row)
    }

    /// Its `__name__`.
    pub(super) fn name(&self, set: usize) -> &[u8] {
        let (rows, row) = self.place(set);
        rows.names.row(row)
    }

    /// The service that it belongs to.
    pub(super) fn service(&self, set: usize) -> &[u8] {
        let (rows, row) = self.place(set);
        rows.services.row(row)
    }

    /// Appends the labels of sets that follow each other.
    pub(super) fn copy_labels(&self, sets: Range<usize>, to: &mut Attributes) {
        let border = self.shared_rows.clamp(sets.start, sets.end);
        for part in [sets.start..border, border..sets.end] {
            if !part.is_empty() {
                let (rows, row) = self.place(part.start);
                to.copy_rows(&rows.labels, row..row + part.len());
            }
        }
    }

    fn hash(&self, raw: &[u8]) -> Id<16> {
        xxh3_128_with_secret(raw, self.secret).to_le_bytes()
    }

    /// Takes the fields of the set that is expected next, if they come next and no other label does.
    #[inline(always)]
    pub(super) fn expected(&mut self, fields: &mut Reader<'_>) -> Option<usize> {
        let (rows, row) = self.place(self.next);
        let (length, hash) = rows.run(row)?;
        let mut rest = *fields;
        if self.hash(rest.take(length)?) != *hash || rest.is_key(LABEL_TAG) {
            return None;
        }
        *fields = rest;
        self.next += 1;
        Some(self.next - 1)
    }

    /// The set that came in these bytes before.
    pub(super) fn find(&mut self, raw: &[u8]) -> Option<usize> {
        if raw.is_empty() {
            return None;
        }
        let hash = self.hash(raw);
        let (rows, row) = self.place(self.next);
        let set = if rows.run(row) == Some((raw.len(), &hash)) {
            self.next
        } else {
            let shared = self.shared.as_ref().and_then(|shared| shared.rows.find(&hash));
            match shared {
                Some(row) => row,
                None => self.shared_rows + self.own.find(&hash)?,
            }
        };
        self.next = set + 1;
        Some(set)
    }

    /// Reads a set that was not found; none if it is not acceptable. Sets that were found may be
    /// others from now on.
    #[inline(never)]
    pub(super) fn read(
        &mut self,
        runs: &[Reader<'_>],
        judge: &mut Judge<'_>,
    ) -> Result<Option<usize>, Refused> {
        if self.own.len() >= Self::ROWS_MAX || self.own.bytes() > Self::BYTES_MAX {
            self.own = Rows::default();
        }
        let row = self.own.len();
        let labels = &mut self.own.labels;
        let sent: Result<usize, Refused> = runs.iter().map(|run| read_labels(labels, run, judge)).sum();
        // Nothing half read may stay: the sets outlive the request.
        let sent = sent.inspect_err(|_| labels.truncate(row))?;
        let kept = labels.end_row_sorted();
        if sent > judge.limits.attributes_max {
            judge.reject(Reason::TooManyAttributes, sent as u64);
        }
        if labels.row_len(row) < kept {
            judge.reject(Reason::DuplicateLabel, 0);
        }
        if labels.check_tail().is_err() {
            judge.reject(Reason::InvalidUtf8, 0);
        }
        let label = |wanted: &[u8]| {
            let mut labels = labels.row(row);
            labels.find(|(name, _)| *name == wanted).and_then(|(_, value)| value)
        };
        let name = label(METRIC_NAME).unwrap_or_default();
        if name.is_empty() {
            judge.reject(Reason::EmptyMetricName, 0);
        }
        if judge.is_rejected() {
            labels.truncate(row);
            return Ok(None);
        }
        self.own.names.push_bytes(name);
        self.own.services.push_bytes(label(JOB).unwrap_or(UNKNOWN_SERVICE));
        self.identify(row);
        let [run] = runs else {
            self.own.came_in(None);
            return Ok(Some(self.added()));
        };
        let hash = self.hash(run.bytes());
        self.own.came_in(Some((&hash, run.len())));
        Ok(Some(self.added()))
    }

    /// The set that was read last.
    fn added(&mut self) -> usize {
        self.next = self.shared_rows + self.own.len();
        self.next - 1
    }

    /// The id, as for a series of OpenTelemetry without resource, scope and unit.
    fn identify(&mut self, row: usize) {
        let (canonical, own) = (&mut self.canonical, &mut self.own);
        canonical.clear();
        canonical.sorted_attributes(0, std::iter::empty());
        canonical.text(&[]);
        canonical.text(&[]);
        let stream = canonical.id();
        canonical.restart(&stream);
        canonical.text(own.names.row(row));
        canonical.text(&[]);
        let (unknown, length) = &words::UNKNOWN;
        canonical.text(unknown.get(..*length).unwrap_or_default());
        canonical.text(&[]);
        canonical.byte(0);
        let owner = canonical.id();
        canonical.clear();
        canonical.sorted_attributes(own.labels.row_len(row), own.labels.row(row));
        let labels = canonical.id();
        own.ids.push(&canonical::join(&owner, &labels));
    }
}

/// Appends the labels that are the fields of `run` to the open row, but for those without a value;
/// says how many there are.
pub(super) fn read_labels(
    out: &mut Attributes,
    run: &Reader<'_>,
    judge: &mut Judge<'_>,
) -> Result<usize, Refused> {
    let mut sent = 0;
    let mut fields = *run;
    while fields.more()? {
        // The run has no other fields.
        fields.key();
        let (name, value) = label(fields.field())?;
        sent += 1;
        if name.is_empty() {
            judge.reject(Reason::EmptyLabelName, 0);
        }
        if value.len() > judge.limits.value_bytes_max {
            judge.reject(Reason::ValueTooLong, value.len() as u64);
        }
        if !value.is_empty() {
            out.key(name);
            out.values.push_text(|to| value.copy_to(to));
        }
    }
    Ok(sent)
}

/// Appends a label as a field of a series.
pub(super) fn put_label(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.push(LABEL_TAG);
    put_varint(out, (2 + length_of(name.len()) + name.len() + length_of(value.len()) + value.len()) as u64);
    for (key, text) in [(0x0a, name), (0x12, value)] {
        out.push(key);
        put_varint(out, text.len() as u64);
        out.extend_from_slice(text);
    }
}

/// Bytes of a varint.
pub(super) fn length_of(value: usize) -> usize {
    (value | 1).ilog2() as usize / 7 + 1
}

/// Name and value of a `Label`.
#[inline(always)]
fn label(message: Reader<'_>) -> Result<(Reader<'_>, Reader<'_>), Refused> {
    let (mut name, mut value) = (Reader::EMPTY, Reader::EMPTY);
    let mut fields = message;
    while fields.more()? {
        match fields.key() {
            0x0a => name = fields.field(),
            0x12 => value = fields.field(),
            key => fields.unknown(key, &LABEL)?,
        }
    }
    Ok((name, value))
}
