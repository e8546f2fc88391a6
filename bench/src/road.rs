//! What the whole road of a record costs: from the socket through decoding, log with fsync, memory
//! and sealing to a compacted segment, against what prost needs to decode the same bytes.
//!
//! A fifth of the requests warms the server: it is stored and sealed before. The server's CPU time
//! is read then, and again once everything is sealed and the compaction rests, less what it uses
//! when idle. That is more than the road (answering the status is in it) and never less. Left out:
//! the Delta tables, which are published on a clock and not by the record.

mod decoders;
mod measure;
mod size;

use anyhow::{Context as _, Result};
use testkit::otlp::Encoding;

use crate::data::{Bodies, COLLECTED, Signal};
use crate::options::Options;
use crate::quantiles::Quantiles;
use crate::report::{Better, Goal, Report, figure, progress};
use measure::Run;

/// Senders at the same time.
pub(crate) const CONNECTIONS: usize = 4;

/// Measures and judges.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new("road: server CPU of a record, from the socket to a compacted segment");
    let mut decoders = Report::new("decoders");
    decoders.table(&["decoder", "B/record", "wire ns", "prost ns", "prost / wire"]);
    report.table(&[
        "signal",
        "sent as",
        "B/record",
        "prost ns",
        "road ns",
        "road / prost",
        "until ack ns",
        "cold ns",
        "faults/1000",
        "1000s/s",
        "idle core",
        "seals",
        "merges",
        "segments",
        "peak MiB",
    ]);
    let mut sizes = size::Sizes::default();
    let name = |signal: Signal, encoding: Encoding| {
        format!("{} as {}", signal.name(), encoding.header().unwrap_or("none"))
    };
    for signal in Signal::ALL {
        let mut encodings = vec![Encoding::Zstd, Encoding::None, Encoding::Gzip];
        encodings.retain(|encoding| options.wants(&name(signal, *encoding)));
        if encodings.is_empty() {
            continue;
        }
        // A point is a fifth of a log record in memory: the same number of seals needs more of them.
        let records = if signal == Signal::Metrics { 6_000_000 } else { 1_500_000 };
        let bodies = Bodies::make(signal, options.scaled(records, 20_000) / crate::data::RECORDS);
        let (wire, prost) = decoders::measure(signal, &bodies, options.rounds)?;
        decoder_row(&mut decoders, signal.name(), &bodies, (&wire, &prost));
        decoder_goal(&mut decoders, signal, prost.min() / wire.min());
        let collected = Bodies::collected(signal, decoders::BODIES);
        let (wire, of_prost) = decoders::measure(signal, &collected, options.rounds)?;
        let name = format!("{} of {COLLECTED} senders", signal.name());
        decoder_row(&mut decoders, &name, &collected, (&wire, &of_prost));
        for encoding in encodings {
            encoded(options, &mut report, (signal, encoding), (&bodies, prost.min()), &mut sizes)?;
        }
    }
    report.append(decoders);
    sizes.report(options, &mut report);
    Ok(report)
}

/// One encoding of one signal.
fn encoded(
    options: &Options,
    report: &mut Report,
    (signal, encoding): (Signal, Encoding),
    (bodies, prost_nanos): (&Bodies, f64),
    sizes: &mut size::Sizes,
) -> Result<()> {
    let requests = bodies.requests(encoding);
    let name = encoding.header().unwrap_or("none");
    // gzip is reported beside the others: once is enough.
    let rounds = if encoding == Encoding::Gzip { 1 } else { options.rounds };
    let mut runs = Vec::new();
    for round in 0..rounds {
        let measure_size = encoding == Encoding::Zstd && round == 0;
        let (run, files) = measure::one(options, signal, &requests, measure_size)?;
        if let Some((dir, files)) = files {
            sizes.add(signal, bodies, &run, dir, files);
        }
        let nanos = figure(run.cpu_seconds * 1e9 / run.records as f64);
        progress(format!("road, {} as {}: {nanos} ns a record", signal.name(), name));
        runs.push(run);
    }
    let of = |value: &dyn Fn(&Run) -> f64| Quantiles::of(runs.iter().map(value).collect());
    let nanos = |seconds: f64, run: &Run| seconds * 1e9 / run.records as f64;
    let road = of(&|run| nanos(run.cpu_seconds, run));
    let ratio = of(&|run| nanos(run.cpu_seconds, run) / prost_nanos);
    let last = runs.last().context("there is a round")?;
    report.row([
        signal.name().to_owned(),
        name.to_owned(),
        figure(last.sent.bytes as f64 / last.records as f64),
        figure(prost_nanos),
        road.range(),
        ratio.range(),
        of(&|run| nanos(run.cpu_seconds_sent, run)).range(),
        of(&|run| run.cold_seconds * 1e9 / run.all as f64).range(),
        figure(last.faults as f64 * 1e3 / last.records as f64),
        of(&|run| run.records as f64 / run.sent.seconds / 1e3).range(),
        format!("{:.3}", last.idle),
        last.seals.to_string(),
        last.merges.to_string(),
        last.segments.to_string(),
        figure(last.peak_rss_bytes as f64 / f64::from(1 << 20)),
    ]);
    let refused: usize = runs.iter().map(|run| run.sent.refused).sum();
    if refused > 0 {
        report.note(format!(
            "{} as {name}: {refused} requests were refused for a while and sent again",
            signal.name()
        ));
    }
    if last.merges == 0 {
        report.note(format!("{} as {name}: at this scale nothing is compacted", signal.name()));
    }
    report.goal(Goal {
        name: format!("road / prost, {} as {name}", signal.name()),
        value: ratio.median(),
        unit: "x",
        floor: (encoding != Encoding::Gzip).then_some(2.0),
        target: None,
        better: Better::Lower,
    });
    Ok(())
}

fn decoder_row(report: &mut Report, name: &str, bodies: &Bodies, (wire, prost): (&Quantiles, &Quantiles)) {
    report.row([
        name.to_owned(),
        figure(bodies.bytes() as f64 / bodies.records() as f64),
        wire.range(),
        prost.range(),
        figure(prost.min() / wire.min()),
    ]);
}

fn decoder_goal(report: &mut Report, signal: Signal, ratio: f64) {
    let target = match signal {
        Signal::Logs => 8.0,
        Signal::Spans => 10.0,
        Signal::Metrics => 6.0,
    };
    report.goal(Goal {
        name: format!("prost / wire, decoding {}", signal.name()),
        value: ratio,
        unit: "x",
        floor: Some(4.0),
        target: Some(target),
        better: Better::Higher,
    });
}
