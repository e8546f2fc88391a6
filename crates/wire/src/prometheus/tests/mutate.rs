//! Damaged and oddly written requests: never a panic, and what prost reads is read alike.
//!
//! Deliberate difference to prost: text that is not UTF-8 rejects what it belongs to instead of the
//! request.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::differential::{check, request};
use super::expect::expected;
use super::*;
use crate::damage::{damage, fields, join, rewrite};

/// Mutations for each version; many more run under cargo-fuzz.
const MUTATIONS: u64 = 5000;

fn run_one(version: Version, body: &[u8], case: &str) -> bool {
    drop(decode(version, body, &context(&LIMITS)));
    drop(resolved_bytes(version, body));
    is_message(version, body);
    // Once more, now that its sets of labels are known.
    match (expected(version, body), decode(version, body, &context(&LIMITS))) {
        (Ok(expected), Ok(decoded)) => {
            check(&decoded, &expected, false, case);
            true
        }
        (Ok(expected), Err(error)) => panic!("{error} where prost reads {expected:?}, {case}"),
        (Err(_), Err(_)) => false,
        (Err(error), Ok(_)) => {
            let text = error.to_string().contains("invalid string value");
            assert!(text, "prost says {error}, ours is accepted, {case}");
            false
        }
    }
}

/// A small request, so that a mutation hits something that matters.
fn small_request(version: Version, seed: u64) -> Vec<u8> {
    let mut all = fields(&request(version, seed, 5)).unwrap();
    while all.iter().map(|(_, value)| value.len()).sum::<usize>() > 1500 && all.len() > 1 {
        all.pop();
    }
    join(&mut StdRng::seed_from_u64(seed), &all)
}

#[test]
fn mutated_requests_are_read_as_prost_reads_them() {
    for version in Version::ALL {
        let mut accepted = 0;
        let originals: Vec<_> = (0..40).map(|seed| small_request(version, seed)).collect();
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
            accepted += u64::from(run_one(version, &body, &format!("{version:?} seed {seed}: {body:?}")));
        }
        assert!(accepted > MUTATIONS / 4, "{accepted} of {MUTATIONS} {version:?} are well-formed");
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
                    [0x0a, 0x12, 0x1a, 0x22, 0x2a, 0x10][rng.random_range(0..6)]
                } else {
                    rng.random_range(0..0x40)
                }
            })
            .collect();
        for version in Version::ALL {
            run_one(version, &body, &format!("{version:?} seed {seed}: {body:?}"));
        }
    }
}
