//! Threads of a query, beside the one that computes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex};
use tokio::runtime::Handle;

use crate::QueryError;

/// Does so many pieces of work on as many threads, this one among them; what each gives, in the order
/// of their numbers. After a failure none is begun; of several failures that with the least number is
/// told.
pub(super) fn side_by_side<T: Send>(
    threads: usize,
    pieces: usize,
    work: &(dyn Fn(usize) -> Result<T, QueryError> + Sync),
) -> Result<Vec<T>, QueryError> {
    if threads.min(pieces) < 2 {
        return (0..pieces).map(work).collect();
    }
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done: Mutex<Vec<(usize, Result<T, QueryError>)>> = Mutex::new(Vec::with_capacity(pieces));
    let thread = || {
        while !failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= pieces {
                return;
            }
            let result = work(number);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            done.lock().push((number, result));
        }
    };
    std::thread::scope(|scope| {
        // They inherit how they are scheduled from this one, which is a thread for queries.
        (1..threads.min(pieces)).for_each(|_| drop(scope.spawn(thread)));
        thread();
    });
    let mut done = done.into_inner();
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

/// A piece of work, by its number, that any thread may do.
type Work<T> = dyn Fn(usize) -> Result<T, QueryError> + Send + Sync;

/// As [`side_by_side`], with threads of the executor that are there already and keep what they have for
/// their work. One that comes when nothing is left to begin is not waited for.
pub(super) fn with_helpers<T: Send + 'static>(
    executor: &Handle,
    threads: usize,
    pieces: usize,
    work: Arc<Work<T>>,
) -> Result<Vec<T>, QueryError> {
    let todo = Todo { work: Some(work), pieces, next: 0, running: 0, done: Vec::with_capacity(pieces) };
    let board = Arc::new(Board { todo: Mutex::new(todo), changed: Condvar::new() });
    for _ in 1..threads.min(pieces) {
        let board = Arc::clone(&board);
        // It ends by itself, and what it was to do is waited for below.
        drop(executor.spawn_blocking(move || board.help()));
    }
    board.help();
    let mut todo = board.todo.lock();
    todo.work = None;
    board.changed.wait_while(&mut todo, |todo| todo.running > 0);
    let mut done = std::mem::take(&mut todo.done);
    drop(todo);
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What several threads do together.
struct Board<T> {
    todo: Mutex<Todo<T>>,
    changed: Condvar,
}

struct Todo<T> {
    /// Nothing once no more is begun: who comes later holds nothing of the query.
    work: Option<Arc<Work<T>>>,
    pieces: usize,
    next: usize,
    running: usize,
    done: Vec<(usize, Result<T, QueryError>)>,
}

impl<T> Board<T> {
    /// Does pieces until none is left to begin.
    fn help(&self) {
        while let Some((mut piece, work)) = self.begin() {
            let result = work(piece.number);
            drop(work);
            piece.result = Some(result);
        }
    }

    fn begin(&self) -> Option<(Piece<'_, T>, Arc<Work<T>>)> {
        let mut todo = self.todo.lock();
        if todo.next >= todo.pieces {
            return None;
        }
        let work = todo.work.clone()?;
        let number = todo.next;
        todo.next += 1;
        todo.running += 1;
        Some((Piece { board: self, number, result: None }, work))
    }
}

/// A piece that is being done; one whose thread panics has failed.
struct Piece<'b, T> {
    board: &'b Board<T>,
    number: usize,
    result: Option<Result<T, QueryError>>,
}

impl<T> Drop for Piece<'_, T> {
    fn drop(&mut self) {
        let panicked = || Err(QueryError::Internal { message: "a bug: a thread panicked".to_owned() });
        let result = self.result.take().unwrap_or_else(panicked);
        let mut todo = self.board.todo.lock();
        if result.is_err() {
            todo.next = todo.pieces;
        }
        todo.done.push((self.number, result));
        todo.running -= 1;
        self.board.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn pieces_come_in_order_and_the_first_failure_is_told() {
        for threads in 1..5 {
            let squares = side_by_side(threads, 100, &|number| Ok(number * number)).unwrap();
            assert_eq!(squares, (0..100).map(|number| number * number).collect::<Vec<_>>());
            let begun = AtomicUsize::new(0);
            let failing = side_by_side(threads, 100, &|number| {
                begun.fetch_add(1, Ordering::Relaxed);
                if number % 10 == 9 { Err(QueryError::Cancelled) } else { Ok(number) }
            });
            assert!(matches!(failing, Err(QueryError::Cancelled)));
            assert!(begun.into_inner() <= 9 + threads * 2, "nothing is begun after a failure");
            assert_eq!(side_by_side(threads, 0, &|number| Ok(number)).unwrap(), Vec::<usize>::new());
        }
    }

    #[test]
    fn helpers_do_the_same_and_are_not_waited_for() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(2)
            .build()
            .unwrap();
        for threads in 1..5 {
            let squares =
                with_helpers(runtime.handle(), threads, 100, Arc::new(|number| Ok(number * number)));
            assert_eq!(squares.unwrap(), (0..100).map(|number| number * number).collect::<Vec<_>>());
            let fails = |number| if number % 10 == 9 { Err(QueryError::Cancelled) } else { Ok(number) };
            let begun = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&begun);
            let failing = with_helpers(
                runtime.handle(),
                threads,
                100,
                Arc::new(move |number| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    fails(number)
                }),
            );
            assert!(matches!(failing, Err(QueryError::Cancelled)));
            assert!(begun.load(Ordering::Relaxed) <= 9 + threads * 2, "nothing is begun after a failure");
            assert_eq!(Arc::strong_count(&begun), 1, "nobody holds the work any more");
            let none = with_helpers(runtime.handle(), threads, 0, Arc::new(Ok::<usize, QueryError>));
            assert_eq!(none.unwrap(), Vec::<usize>::new());
        }
        // All helpers are busy: the work is done without them.
        let (free, busy) = std::sync::mpsc::sync_channel::<()>(1);
        let busy = Arc::new(Mutex::new(busy));
        for _ in 0..2 {
            let busy = Arc::clone(&busy);
            runtime.handle().spawn_blocking(move || busy.lock().recv());
        }
        let alone = with_helpers(runtime.handle(), 4, 10, Arc::new(|_| Ok(std::thread::current().id())));
        assert_eq!(alone.unwrap(), vec![std::thread::current().id(); 10]);
        drop(free);
    }

    #[test]
    fn a_helper_that_panics_is_a_failure() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let own = std::thread::current().id();
        let (helped, help) = std::sync::mpsc::sync_channel(1);
        let help = Mutex::new(help);
        let work = move |number: usize| {
            if std::thread::current().id() == own {
                help.lock().recv().unwrap();
                return Ok(number);
            }
            helped.send(()).unwrap();
            panic!("on purpose");
        };
        let result = with_helpers(runtime.handle(), 2, 2, Arc::new(work));
        assert!(matches!(result, Err(QueryError::Internal { .. })), "{result:?}");
    }
}
