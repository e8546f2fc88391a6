//! What the index of series says that it takes is what the allocator has given it.

#![allow(clippy::unwrap_used)]
#![expect(unsafe_code, reason = "an allocator that counts is one that allocates")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use arrow_array::{BinaryArray, RecordBatch, StringArray};
use model::Budget;

#[path = "../src/memtable/series_index.rs"]
#[expect(dead_code, reason = "what only the memtable needs")]
mod series_index;

use series_index::SeriesIndex;

struct Counting;

thread_local! {
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

fn count(change: impl FnOnce(u64) -> u64) {
    let _ = BYTES.try_with(|bytes| bytes.set(change(bytes.get())));
}

// SAFETY: all of it is the system's allocator; the counter is of this thread and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(|bytes| bytes.wrapping_add(layout.size() as u64));
        // SAFETY: what the caller promises is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(|bytes| bytes.wrapping_sub(layout.size() as u64));
        // SAFETY: what the caller promises is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Series of a request; of each metric a few.
fn series(numbers: std::ops::Range<u64>, series_per_metric: u64) -> RecordBatch {
    // Spread over all bits, as hashes are.
    let id = |number: u64| (u128::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let ids: Vec<[u8; 16]> = numbers.clone().map(|number| id(number).to_be_bytes()).collect();
    let names =
        numbers.map(|number| format!("some_metric_of_a_service_{}_total", number / series_per_metric));
    RecordBatch::try_from_iter([
        ("series_id", std::sync::Arc::new(BinaryArray::from_iter_values(ids)) as _),
        ("metric_name", std::sync::Arc::new(StringArray::from_iter_values(names)) as _),
    ])
    .unwrap()
}

#[test]
fn the_index_takes_what_it_says() {
    const REQUEST: u64 = 777;
    let (mut fewest, mut most) = (f64::MAX, 0.0_f64);
    for series_per_metric in [1, 10, 1_000] {
        let budget = Budget::new(1 << 30);
        let before = BYTES.get();
        let index = SeriesIndex::new(&budget);
        for request in 0..200 {
            let batch = series(request * REQUEST..(request + 1) * REQUEST, series_per_metric);
            index.resolve(&batch);
            drop(batch);
            let (taken, said) = (BYTES.get().wrapping_sub(before), index.bytes());
            // A few blocks that do not grow are not counted.
            assert!(
                taken.abs_diff(said) <= 512 + taken / 1_000,
                "{} series, {series_per_metric} of a metric: {taken} bytes, and it says {said}",
                index.len()
            );
            assert_eq!(budget.used(), said, "and that is what it has of the budget");
            if series_per_metric == 1_000 {
                let of_one = said as f64 / index.len() as f64;
                (fewest, most) = (fewest.min(of_one), most.max(of_one));
            }
        }
        drop(index);
        assert_eq!(BYTES.get(), before, "all of it is given back");
        assert_eq!(budget.used(), 0);
    }
    assert!(fewest >= 40.0 && most <= 120.0, "{fewest} to {most} bytes a series");
}
