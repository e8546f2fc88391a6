//! Series by series on several threads, with the results in order.
//!
//! Enters: series from a source, and what to do with one. Leaves: what came of each, in the order
//! of the series. Must hold: the order, and with it every bit of the answer, is the same whatever
//! the number of threads; no thread runs far ahead of the one that folds.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::QueryError;
use super::column::Row;
use super::query::Query;
use super::range::Work;
use crate::annotations::Remarks;
use crate::labels::Labels;
use crate::source::{Samples, SeriesIter, SourceError};

/// Series that a thread takes at a time, at most.
const BATCH: usize = 32;
/// Samples that a thread takes at a time, about.
const BATCH_SAMPLES: usize = 1 << 15;
/// How many samples and steps are done before a thread is up, with [`PER_SERIES`] for each series.
const ALONE: usize = 1 << 14;
const PER_SERIES: usize = 1 << 8;

/// What came of a series.
pub(super) struct Done {
    pub(super) row: Option<Row>,
    /// Samples that were held for it.
    pub(super) loaded: usize,
}

/// What is done with a series, on any thread.
pub(super) type Task<'t> = dyn Fn(Labels, Samples<'_>, &mut Work) -> Result<Done, QueryError> + Sync + 't;

type Item<'a> = Result<(Labels, Samples<'a>), SourceError>;

/// Runs a task over all series.
pub(super) fn run(
    query: &Query<'_>,
    mut series: SeriesIter<'_>,
    task: &Task<'_>,
    fold: &mut dyn FnMut(Row) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let threads = query.options.parallelism;
    let mut work = Work::default();
    let (mut taken, mut loaded, mut done) = (0, 0, 0);
    let ended = loop {
        if threads > 1 && done >= ALONE {
            break false;
        }
        let Some(item) = series.next() else { break true };
        if taken % BATCH == 0 {
            query.check()?;
        }
        taken += 1;
        let (labels, samples) = item?;
        let one = task(labels, samples, &mut work)?;
        loaded += one.loaded;
        done += PER_SERIES + one.loaded + one.row.as_ref().map_or(0, |row| row.column.steps());
        fold_one(query, one, fold)?;
    };
    finish_work(query, &mut work);
    // The next ones will be about as long.
    let batch = (BATCH_SAMPLES * taken).checked_div(loaded).unwrap_or(BATCH).clamp(1, BATCH);
    if ended { Ok(()) } else { side_by_side(query, (series, batch), task, fold) }
}

fn fold_one(
    query: &Query<'_>,
    done: Done,
    fold: &mut dyn FnMut(Row) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    query.count_series()?;
    query.allow(done.loaded)?;
    done.row.map_or(Ok(()), fold)
}

fn finish_work(query: &Query<'_>, work: &mut Work) {
    query.merge_remarks(std::mem::take(&mut work.remarks));
    query.count_read(std::mem::take(&mut work.read));
}

/// What a thread hands over.
struct Batch {
    done: Vec<Done>,
    remarks: Remarks,
    read: u64,
    /// Ends the query once what comes before it is folded.
    error: Option<QueryError>,
}

/// What the threads share.
struct Shared<'a> {
    series: SeriesIter<'a>,
    /// How many of them a thread takes.
    batch: usize,
    next: usize,
    folded: usize,
    ready: BTreeMap<usize, Batch>,
    /// No more series are taken.
    ended: bool,
}

struct Board<'a> {
    shared: Mutex<Shared<'a>>,
    changed: Condvar,
    /// How many batches may be under way.
    ahead: usize,
}

impl<'a> Board<'a> {
    /// A thread that panicked ends the query where its batch is missed; the others may go on.
    fn lock(&self) -> MutexGuard<'_, Shared<'a>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'b>(&self, shared: MutexGuard<'b, Shared<'a>>) -> MutexGuard<'b, Shared<'a>> {
        self.changed.wait(shared).unwrap_or_else(PoisonError::into_inner)
    }

    /// For a thread that does not fold.
    fn take(&self) -> Option<(usize, Vec<Item<'a>>)> {
        let mut shared = self.lock();
        while !shared.ended {
            match self.begin(&mut shared) {
                Some(begun) => return Some(begun),
                None if shared.ended => break,
                None => shared = self.wait(shared),
            }
        }
        None
    }

    /// The next series, if there are some and not too many batches are under way.
    fn begin(&self, shared: &mut Shared<'a>) -> Option<(usize, Vec<Item<'a>>)> {
        if shared.ended || shared.next >= shared.folded + self.ahead {
            return None;
        }
        let batch = shared.batch;
        let items: Vec<_> = shared.series.by_ref().take(batch).collect();
        if items.len() < batch {
            shared.ended = true;
            self.changed.notify_all();
        }
        if items.is_empty() {
            return None;
        }
        shared.next += 1;
        Some((shared.next - 1, items))
    }

    fn put(&self, number: usize, batch: Batch) {
        let mut shared = self.lock();
        shared.ended |= batch.error.is_some();
        shared.ready.insert(number, batch);
        self.changed.notify_all();
    }

    fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// What the thread that folds does next; nothing when all is folded.
    fn next(&self) -> Option<Turn<'a>> {
        let mut shared = self.lock();
        loop {
            let number = shared.folded;
            if let Some(batch) = shared.ready.remove(&number) {
                shared.folded += 1;
                self.changed.notify_all();
                return Some(Turn::Fold(batch));
            }
            if let Some((number, items)) = self.begin(&mut shared) {
                return Some(Turn::Work(number, items));
            }
            if shared.ended && shared.folded == shared.next {
                return None;
            }
            shared = self.wait(shared);
        }
    }
}

/// Folding goes first: batches that wait for it hold memory.
enum Turn<'a> {
    Fold(Batch),
    Work(usize, Vec<Item<'a>>),
}

/// No thread waits for one that folds no more, not even where that one panicked.
struct End<'b, 'a>(&'b Board<'a>);

impl Drop for End<'_, '_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The batch of a thread that panics is not waited for.
struct Leaving<'b, 'a> {
    board: &'b Board<'a>,
    number: Option<usize>,
}

impl Drop for Leaving<'_, '_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let error = Some(QueryError::Execution("evaluation of a series panicked".into()));
            let batch = Batch { done: Vec::new(), remarks: Remarks::default(), read: 0, error };
            self.board.put(number, batch);
        }
    }
}

fn side_by_side(
    query: &Query<'_>,
    (series, batch): (SeriesIter<'_>, usize),
    task: &Task<'_>,
    fold: &mut dyn FnMut(Row) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let threads = query.options.parallelism;
    let shared = Shared { series, batch, next: 0, folded: 0, ready: BTreeMap::new(), ended: false };
    let board = Board { shared: Mutex::new(shared), changed: Condvar::new(), ahead: 4 * threads };
    let check = query.check;
    let work_on = |number, items: Vec<Item<'_>>, work: &mut Work| {
        let mut leaving = Leaving { board: &board, number: Some(number) };
        let batch = match check() {
            Ok(()) => work_on(items, task, work),
            Err(interrupted) => failed(interrupted.into()),
        };
        leaving.number = None;
        board.put(number, batch);
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| {
                let mut work = Work::default();
                while let Some((number, items)) = board.take() {
                    work_on(number, items, &mut work);
                }
            });
        }
        let _end = End(&board);
        let mut work = Work::default();
        while let Some(turn) = board.next() {
            match turn {
                Turn::Work(number, items) => work_on(number, items, &mut work),
                Turn::Fold(batch) => fold_batch(query, batch, fold)?,
            }
        }
        Ok(())
    })
}

fn failed(error: QueryError) -> Batch {
    Batch { done: Vec::new(), remarks: Remarks::default(), read: 0, error: Some(error) }
}

fn work_on(items: Vec<Item<'_>>, task: &Task<'_>, work: &mut Work) -> Batch {
    let mut done = Vec::with_capacity(items.len());
    let mut error = None;
    for item in items {
        let result = item.map_err(QueryError::from).and_then(|(labels, samples)| task(labels, samples, work));
        match result {
            Ok(one) => done.push(one),
            Err(failure) => {
                error = Some(failure);
                break;
            }
        }
    }
    let (remarks, read) = (std::mem::take(&mut work.remarks), std::mem::take(&mut work.read));
    // What one thread noticed already another did not: names are remembered for a batch only.
    work.no_counter.clear();
    Batch { done, remarks, read, error }
}

fn fold_batch(
    query: &Query<'_>,
    batch: Batch,
    fold: &mut dyn FnMut(Row) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    query.merge_remarks(batch.remarks);
    query.count_read(batch.read);
    for done in batch.done {
        fold_one(query, done, fold)?;
    }
    batch.error.map_or(Ok(()), Err)
}
