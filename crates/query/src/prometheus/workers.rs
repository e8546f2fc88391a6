//! Threads of a query, beside the one that computes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

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
}
