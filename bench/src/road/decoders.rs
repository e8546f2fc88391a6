//! The decoders alone, by CPU time of this thread: prost to its objects and dropping them, ours to
//! Arrow columns with every record judged, and dropping them.
//!
//! Both go over the same few bodies in turn: a server has just received or decompressed what it
//! decodes, so that the caches hold it. Rounds alternate, so that what else the machine does meets
//! both. The allocator is the server's.

use std::hint::black_box;

use anyhow::{Result, ensure};
use rustix::time::{ClockId, clock_gettime};
use wire::{Context, Decide, Limits};

use crate::data::{Bodies, RECORDS, Signal};
use crate::quantiles::Quantiles;

/// Distinct bodies.
pub(super) const BODIES: usize = 8;
/// How often a round decodes each.
const REPEATS: usize = 25;
/// Rounds for each round of everything else: they are short, and the least of them counts.
const ROUNDS: usize = 5;

/// CPU nanoseconds a record, of each round: ours, prost's.
pub(super) fn measure(signal: Signal, bodies: &Bodies, rounds: usize) -> Result<(Quantiles, Quantiles)> {
    let bodies = &bodies.bodies()[..bodies.bodies().len().min(BODIES)];
    let (mut ours, mut prost) = (Vec::new(), Vec::new());
    for _ in 0..rounds * ROUNDS {
        ours.push(nanos(bodies, |body| wire(signal, body))?);
        prost.push(nanos(bodies, |body| signal.prost(body).map(drop))?);
    }
    Ok((Quantiles::of(ours), Quantiles::of(prost)))
}

/// Limits as the server has them.
static LIMITS: std::sync::LazyLock<Limits> = std::sync::LazyLock::new(Limits::default);

/// How a request is decoded.
fn context() -> Context<'static> {
    Context { received_unix_nano: 1, decide: Decide::Apply(&LIMITS) }
}

fn wire(signal: Signal, body: &[u8]) -> Result<()> {
    let decode = match signal {
        Signal::Logs => wire::otlp::logs::decode,
        Signal::Spans => wire::otlp::traces::decode,
        Signal::Metrics => wire::otlp::metrics::decode,
    };
    let decoded = black_box(decode(black_box(body), &context()))?;
    ensure!(
        decoded.received as usize == RECORDS && decoded.rejected.is_empty(),
        "not everything is accepted"
    );
    Ok(())
}

/// CPU nanoseconds a record.
fn nanos(bodies: &[Vec<u8>], decode: impl Fn(&[u8]) -> Result<()>) -> Result<f64> {
    let before = cpu_seconds();
    for _ in 0..REPEATS {
        bodies.iter().try_for_each(|body| decode(black_box(body)))?;
    }
    let records = (REPEATS * bodies.len() * RECORDS) as f64;
    Ok((cpu_seconds() - before) * 1e9 / records)
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
