//! Damaged and oddly written requests: never a panic, and what prost reads is read alike.
//!
//! Deliberate differences to prost: text that is not UTF-8 rejects its record instead of the request,
//! and so does nesting beyond [`value::DEPTH_MAX`], below which nothing is read any more; a metric
//! without known data but with an unknown field counts as a record.

use model::Signal;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::differential::{check, expected, request};
use super::*;

/// Mutations for each signal; many more run under cargo-fuzz.
const MUTATIONS: u64 = 5000;

/// Damages bytes without a regard for what they mean.
fn damage(rng: &mut StdRng, body: &mut Vec<u8>) {
    if body.is_empty() {
        return;
    }
    let at = rng.random_range(0..body.len());
    let end = rng.random_range(at..body.len().min(at + 20));
    match rng.random_range(0..6) {
        0 => body[at] ^= 1 << rng.random_range(0..8),
        1 => body[at] = rng.random(),
        2 => body.truncate(at),
        3 => drop(body.drain(at..end)),
        4 => {
            let copy = body[at..end].to_vec();
            body.splice(at..at, copy);
        }
        _ => {
            let noise: Vec<u8> = (0..rng.random_range(1..6)).map(|_| rng.random()).collect();
            body.splice(at..at, noise);
        }
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_varint(body: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *body.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Fields of a message: key, and the bytes of the value (of a length-delimited one without length).
fn fields(body: &[u8]) -> Option<Vec<(u64, Vec<u8>)>> {
    let mut at = 0;
    let mut fields = Vec::new();
    while at < body.len() {
        let key = read_varint(body, &mut at)?;
        let start = at;
        let value = match key & 7 {
            0 => {
                read_varint(body, &mut at)?;
                start..at
            }
            1 => start..start + 8,
            5 => start..start + 4,
            2 => {
                let length = read_varint(body, &mut at)?;
                at..at + usize::try_from(length).ok()?
            }
            _ => return None,
        };
        at = value.end;
        fields.push((key, body.get(value)?.to_vec()));
    }
    Some(fields)
}

fn join(rng: &mut StdRng, fields: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in fields {
        varint(&mut out, *key);
        if rng.random_ratio(1, 100) {
            // The same key with more bytes than it needs.
            *out.last_mut().unwrap() |= 0x80;
            out.extend([0x80, 0]);
        }
        if key & 7 == 2 {
            varint(&mut out, value.len() as u64);
        }
        out.extend(value);
    }
    out
}

/// Writes a message in another way, or with another meaning, but well-formed.
fn rewrite(rng: &mut StdRng, body: &[u8], depth: usize) -> Vec<u8> {
    let Some(mut all) = fields(body).filter(|all| !all.is_empty()) else { return body.to_vec() };
    let at = rng.random_range(0..all.len());
    let (key, value) = all[at].clone();
    if key & 7 == 2
        && depth < 8
        && rng.random_ratio(5, 6)
        && fields(&value).is_some_and(|inner| !inner.is_empty())
    {
        all[at].1 = rewrite(rng, &value, depth + 1);
        return join(rng, &all);
    }
    match rng.random_range(0..9) {
        0 => drop(all.remove(at)),
        1 => all.insert(rng.random_range(0..=all.len()), (key, value)),
        2 => {
            let other = rng.random_range(0..all.len());
            all.swap(at, other);
        }
        3 => {
            // A sub-message in two parts.
            if let Some(inner) = fields(&value).filter(|_| key & 7 == 2) {
                let (first, second) = inner.split_at(rng.random_range(0..=inner.len()));
                let (first, second) = (join(rng, first), join(rng, second));
                all[at].1 = first;
                all.insert(rng.random_range(at + 1..=all.len()), (key, second));
            }
        }
        4 => all[at].0 = u64::from(rng.random_range(1_u32..20)) << 3 | key & 7,
        5 => all.insert(at, (rng.random_range(20..3000) << 3 | 2, b"unknown".to_vec())),
        6 => all.insert(at, (rng.random_range(20..3000) << 3, vec![0x96, 1])),
        7 => {
            // A group, as if it were a field without a value.
            let group: u64 = rng.random_range(20..3000);
            let mut inner = Vec::new();
            varint(&mut inner, 1 << 3);
            inner.push(1);
            varint(&mut inner, group << 3 | 4);
            all.insert(at, (group << 3 | 3, inner));
        }
        _ if key & 7 == 2 => damage(rng, &mut all[at].1),
        _ => all[at].0 = key ^ 5,
    }
    join(rng, &all)
}

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
