//! Damaged and oddly written requests: never a panic, and what prost reads is read alike.
//!
//! Deliberate differences to prost: text that is not UTF-8 rejects its record instead of the request,
//! and so does nesting beyond [`value::DEPTH_MAX`], below which nothing is read any more; a metric
//! without known data but with an unknown field counts as a record.

use model::Signal;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::damage::{damage, fields, join, rewrite};

use super::differential::{check, expected, request};
use super::*;

/// Mutations for each signal; many more run under cargo-fuzz.
const MUTATIONS: u64 = 5000;

fn run_one(signal: Signal, body: &[u8], case: &str) -> bool {
    drop(decode(signal, body, &context(&LIMITS)));
    // Once more, now that its sets of attributes are known.
    let ours = decode(signal, body, &context(&LIMITS));
    match (expected(signal, body), ours) {
        (Ok(expected), Ok(decoded)) => {
            let other = |it: &Rejection| it.reason == "unknown_metric_kind";
            if !decoded.rejected.iter().any(other) {
                check(&decoded, &expected, case);
            }
            true
        }
        (Ok(expected), Err(error)) => panic!("{error} where prost reads {expected:?}, {case}"),
        (Err(_), Err(_)) => false,
        (Err(error), Ok(decoded)) => {
            let text = error.to_string().contains("invalid string value");
            let deep = decoded.rejected.iter().any(|it| it.reason == "nested_too_deep");
            assert!(text || deep, "prost says {error}, ours is accepted, {case}");
            false
        }
    }
}

/// A small request, so that a mutation hits something that matters.
fn small_request(signal: Signal, seed: u64) -> Vec<u8> {
    let (body, _) = request(signal, seed, 5);
    let mut all = fields(&body).unwrap();
    while all.iter().map(|(_, value)| value.len()).sum::<usize>() > 1500 && all.len() > 1 {
        all.pop();
    }
    join(&mut StdRng::seed_from_u64(seed), &all)
}

#[test]
fn mutated_requests_are_read_as_prost_reads_them() {
    for signal in Signal::ALL {
        let mut accepted = 0;
        let originals: Vec<_> = (0..40).map(|seed| small_request(signal, seed)).collect();
        for seed in 0..MUTATIONS {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut body = originals[rng.random_range(0..originals.len())].clone();
            for _ in 0..rng.random_range(1..4) {
                if rng.random_ratio(1, 3) {
                    damage(&mut rng, &mut body);
                } else {
                    body = rewrite(&mut rng, &body, 0);
                }
            }
            accepted += u64::from(run_one(signal, &body, &format!("{signal} seed {seed}: {body:?}")));
        }
        assert!(accepted > MUTATIONS / 4, "{accepted} of {MUTATIONS} {signal} are well-formed");
    }
}

#[test]
fn noise_is_refused_or_read_as_prost_reads_it() {
    for seed in 0..20_000 {
        let mut rng = StdRng::seed_from_u64(seed);
        let length = rng.random_range(0..40);
        // Bytes that keys and lengths are made of.
        let body: Vec<u8> = (0..length)
            .map(|_| {
                if rng.random() {
                    [0x0a, 0x12, 0x1a, 0x2a, 0x32, 0x4a][rng.random_range(0..6)]
                } else {
                    rng.random_range(0..0x40)
                }
            })
            .collect();
        for signal in Signal::ALL {
            run_one(signal, &body, &format!("{signal} seed {seed}: {body:?}"));
        }
    }
}
