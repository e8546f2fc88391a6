//! Requests as a test damages them, or writes them in another way.

#![allow(clippy::unwrap_used)]

use rand::Rng;
use rand::rngs::StdRng;

/// Damages bytes without a regard for what they mean.
pub(crate) fn damage(rng: &mut StdRng, body: &mut Vec<u8>) {
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
pub(crate) fn fields(body: &[u8]) -> Option<Vec<(u64, Vec<u8>)>> {
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

pub(crate) fn join(rng: &mut StdRng, fields: &[(u64, Vec<u8>)]) -> Vec<u8> {
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
pub(crate) fn rewrite(rng: &mut StdRng, body: &[u8], depth: usize) -> Vec<u8> {
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
