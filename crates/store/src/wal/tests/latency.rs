//! A comparison, not a test of correctness: what an acknowledgement costs over a bare write and sync of the
//! same bytes on the same disk. Run with `--release -- --ignored --nocapture append_latency`; the folder
//! `TMPDIR` chooses the disk.
#![allow(clippy::print_stdout)]

use std::time::Duration;

use super::*;
use crate::disk::LocalDisk;

const ROUNDS: usize = 4;
const APPENDS: usize = 250;
const SENDERS: usize = 16;

#[test]
#[ignore = "measures, and prints what it measured"]
fn append_latency_beside_a_bare_sync_loop() {
    println!("{:>8} {:<28} {:>9} {:>9} {:>12}", "bytes", "", "p50 µs", "p99 µs", "entries/s");
    for size in [1 << 10, 16 << 10, 256 << 10] {
        let dir = tempfile::tempdir().unwrap();
        let options = WalOptions {
            disk: Arc::new(LocalDisk::new()),
            dir: dir.path().to_owned(),
            file_size: 64 << 20,
            queue_bytes_max: 64 << 20,
            ..options(&ForgetfulDisk::new())
        };
        let (wal, _) = open(&options);
        let mut bare = LocalDisk::new().create(&dir.path().join("bare")).unwrap();
        let entry = Entry { body: vec![7; size].into(), ..empty_entry() };
        let (mut loops, mut alone, mut together) = (Vec::new(), Vec::new(), Vec::new());
        // In turns, so that all three see the same moods of the disk.
        for _ in 0..ROUNDS {
            loops.extend((0..APPENDS).map(|_| {
                timed(|| {
                    bare.write_all(&entry.body).unwrap();
                    bare.sync_data().unwrap();
                })
            }));
            alone.extend(send(&wal, &entry));
            std::thread::scope(|scope| {
                let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(|| send(&wal, &entry))).collect();
                together.extend(senders.into_iter().flat_map(|sender| sender.join().unwrap()));
            });
        }
        print(size, "write + fdatasync", loops, 1);
        print(size, "append, one sender", alone, 1);
        print(size, "append, 16 senders", together, SENDERS);
    }
}

fn send(wal: &Wal<u64>, entry: &Entry) -> Vec<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let append = || runtime.block_on(wal.append(entry.clone(), 0)).unwrap();
    (0..APPENDS)
        .map(|_| {
            timed(|| {
                append();
            })
        })
        .collect()
}

fn timed(work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    begin.elapsed()
}

fn print(size: usize, what: &str, mut times: Vec<Duration>, senders: usize) {
    times.sort();
    let at = |share: usize| times[times.len() * share / 100].as_secs_f64() * 1e6;
    let total: Duration = times.iter().sum();
    let rate = (times.len() * senders) as f64 / total.as_secs_f64();
    println!("{size:>8} {what:<28} {:>9.0} {:>9.0} {rate:>12.0}", at(50), at(99));
}
