//! The targets of cargo-fuzz with a stable compiler: over the whole corpus, and over mutations of it
//! as far as a test has time. The seed is printed; `FRESNEL_FUZZ_SEED` repeats it, and
//! `FRESNEL_FUZZ_ROUNDS` mutates each file more often.

#![allow(clippy::unwrap_used)]
#![expect(clippy::print_stderr, reason = "a test talks on stderr")]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use model::Signal;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "there it is a crate")]
mod targets;

/// Mutations of each file: about a second a target.
const ROUNDS: u64 = 300;
/// A mutation is no longer than this: what is wrong is wrong in small.
const LENGTH_MAX: usize = 64 << 10;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// The files of a target, in an order that does not depend on the disk.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests"))
        .join("fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() >= 5, "{}: {} files", folder.display(), files.len());
    files
}

/// Changes some of the bytes as libFuzzer does: flips, numbers at their limits, pieces that are
/// doubled, moved, cut off, or come from another file.
fn mutated(rng: &mut StdRng, body: &[u8], others: &[(String, Vec<u8>)]) -> Vec<u8> {
    const LIMITS: [u8; 8] = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff, 0x0a, 0x12];
    let mut body = body.to_vec();
    for _ in 0..rng.random_range(1..6) {
        let at = rng.random_range(0..=body.len());
        let other = &others.choose(rng).unwrap().1;
        let piece = |rng: &mut StdRng, of: &[u8]| {
            let from = rng.random_range(0..=of.len());
            of[from..rng.random_range(from..=of.len().min(from + 64))].to_vec()
        };
        match rng.random_range(0..7) {
            0 if at < body.len() => body[at] ^= 1 << rng.random_range(0..8),
            1 if at < body.len() => body[at] = *LIMITS.choose(rng).unwrap(),
            2 => drop(body.splice(at..at, piece(rng, &body.clone()))),
            3 => drop(body.splice(at..at, piece(rng, other))),
            4 => drop(body.drain(at..rng.random_range(at..=body.len().min(at + 16)))),
            5 => drop(body.splice(at..at, [*LIMITS.choose(rng).unwrap()])),
            6 if rng.random_ratio(1, 4) => body.truncate(at),
            _ => {}
        }
    }
    body.truncate(LENGTH_MAX);
    body
}

/// Runs a target over its corpus and over mutations of it; on a failure it says what of.
fn run(target: &str, check: impl Fn(&[u8])) {
    let seed = setting("FRESNEL_FUZZ_SEED").unwrap_or_else(rand::random);
    let rounds = setting("FRESNEL_FUZZ_ROUNDS").unwrap_or(ROUNDS);
    eprintln!("FRESNEL_FUZZ_SEED={seed} FRESNEL_FUZZ_ROUNDS={rounds}");
    let files = corpus(target);
    let checked = |what: &str, body: &[u8]| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(body))) {
            eprintln!("{target}/{what}: {body:?}");
            resume_unwind(panic);
        }
    };
    files.iter().for_each(|(name, body)| checked(name, body));
    for (number, (name, body)) in files.iter().enumerate() {
        // A file's mutations do not depend on the others' number.
        let mut rng = StdRng::seed_from_u64(seed ^ (number as u64) << 48);
        for round in 0..rounds {
            checked(&format!("{name} round {round}"), &mutated(&mut rng, body, &files));
        }
    }
}

#[test]
fn logs() {
    run("logs", |body| targets::check(Signal::Logs, body));
}

#[test]
fn traces() {
    run("traces", |body| targets::check(Signal::Spans, body));
}

#[test]
fn metrics() {
    run("metrics", |body| targets::check(Signal::Metrics, body));
}

#[test]
fn remote_write() {
    run("remote_write", |body| {
        wire::prometheus::Version::ALL
            .into_iter()
            .for_each(|version| targets::check_remote_write(version, body));
    });
}

#[test]
fn exposition() {
    run("exposition", targets::check_exposition);
}

#[test]
fn json() {
    run("json", targets::json);
}

#[test]
fn compression_and_frames() {
    run("compression", targets::compression);
}

#[test]
fn a_seed_repeats_its_mutations() {
    let files = corpus("logs");
    let all = |seed| {
        let mut rng = StdRng::seed_from_u64(seed);
        files.iter().map(|(_, body)| mutated(&mut rng, body, &files)).collect::<Vec<_>>()
    };
    assert_eq!(all(7), all(7));
    assert!(all(7) != all(8) && all(7).iter().zip(&files).any(|(mutated, (_, body))| mutated != body));
}
