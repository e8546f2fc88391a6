#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

use std::time::Duration;

use crate::health::CHECKS;
use crate::measure::{Round, median};
use crate::primitives::Figure;

/// What the issue asks for at least, and what is aimed at: of the peers' CPU time.
const FLOOR: f64 = 0.5;
const TARGET: f64 = 0.25;
/// Nanoseconds of the thread that answers.
const ABSOLUTE: f64 = 300.0;
/// What the originals claimed for a request: 5 ms.
const CLAIMED: f64 = 5_000_000.0;

/// A counter may cost so many bare atomic additions.
const COUNTER: f64 = 2.0;
/// On several threads at once an operation may cost so many times what it costs alone.
const SCALES: f64 = 2.0;

/// Something that was measured, and what it must not be more than.
pub(crate) struct Verdict {
    what: String,
    figure: f64,
    floor: f64,
    target: f64,
}

impl Verdict {
    fn new(what: impl Into<String>, figure: f64, floor: f64, target: f64) -> Self {
        Self { what: what.into(), figure, floor, target }
    }

    /// What is no number holds nothing.
    fn holds(&self) -> bool {
        self.figure <= self.floor
    }

    fn word(&self) -> &'static str {
        match self.holds() {
            true if self.figure <= self.target => "target reached",
            true => "floor holds",
            false => "BELOW THE FLOOR",
        }
    }
}

/// Median CPU nanoseconds of a request, of its thread and of all, for each of the subjects.
fn figures(results: &[Vec<Round>]) -> Vec<(f64, f64)> {
    let of = |rounds: &[Round], pick: fn(&Round) -> f64| median(rounds.iter().map(pick).collect());
    results.iter().map(|rounds| (of(rounds, |it| it.thread), of(rounds, |it| it.process))).collect()
}

pub(crate) fn requests(names: &[&str], results: &[Vec<Round>], requests: u64) {
    let rounds = results.first().map_or(0, Vec::len);
    println!("instrumentation of a request: 1 span with 3 attributes, 1 counter and 1 histogram with");
    println!(
        "3 attributes, 1 log event with 2 fields, its context; medians of {rounds} rounds of {requests}\n"
    );
    println!("{:<44} {:>12} {:>22}", "CPU ns a request", "its thread", "all, with encoding");
    for (name, (thread, process)) in names.iter().zip(figures(results)) {
        println!("{name:<44} {thread:>12.0} {process:>22.0}");
    }
    println!("{:<44} {CLAIMED:>12.0}", "what the originals claimed, at least");
}

/// Of requests: our two beside the two peers; none of other subjects.
pub(crate) fn verdicts(results: &[Vec<Round>]) -> Vec<Verdict> {
    let [ours, through_tracing, peer, other] = figures(results)[..] else { return Vec::new() };
    let mut verdicts = Vec::new();
    for (name, own) in [("our spans", ours), ("through tracing", through_tracing)] {
        for (against, theirs) in [("opentelemetry", peer), ("opentelemetry + metrics", other)] {
            let ratio = |what: &str, own: f64, theirs: f64| {
                Verdict::new(format!("{name} / {against}, {what}"), own / theirs, FLOOR, TARGET)
            };
            verdicts.push(ratio("its thread", own.0, theirs.0));
            verdicts.push(ratio("all", own.1, theirs.1));
        }
    }
    // A target only: how fast the machine is, is nothing that can be asked for.
    verdicts.push(Verdict::new("our spans, ns on the thread", ours.0, f64::INFINITY, ABSOLUTE));
    verdicts
}

/// Of single operations, by their names.
pub(crate) fn of_primitives(figures: &[Figure]) -> Vec<Verdict> {
    // What was not measured is no number, and does not hold.
    let of = |name: &str| {
        figures.iter().find(|figure| figure.name == name).map_or(f64::NAN, |figure| figure.nanoseconds)
    };
    let atomic = of("an atomic addition");
    let mut verdicts = Vec::new();
    for what in ["a log event of a level that is off", "a span of a level that is off"] {
        // Noise is less than the least that anything costs.
        let own = of(what) - of("nothing");
        verdicts.push(Verdict::new(format!("{what} / an atomic addition"), own / atomic, 1.0, 1.0));
    }
    let counter = of("fresnel: bound counter") / atomic;
    verdicts.push(Verdict::new("bound counter / an atomic addition", counter, COUNTER, COUNTER));
    for name in ["fresnel: bound counter", "fresnel: bound histogram"] {
        for threads in [2, 4] {
            let ratio = of(&format!("{name}, {threads} threads")) / of(name);
            verdicts.push(Verdict::new(format!("{name}, {threads} threads / alone"), ratio, SCALES, 1.25));
        }
    }
    verdicts
}

/// Whether all of the floors hold.
pub(crate) fn tell(verdicts: &[Verdict]) -> bool {
    println!("\n{:<60} {:>8} {:>8} {:>8}", "verdicts", "", "floor", "target");
    for verdict in verdicts {
        let Verdict { what, figure, floor, target } = verdict;
        println!("{what:<60} {figure:>8.2} {floor:>8.2} {target:>8.2}   {}", verdict.word());
    }
    verdicts.iter().all(Verdict::holds)
}

pub(crate) fn primitives(figures: &[Figure]) {
    println!("\n{:<60} {:>10}", "CPU ns an operation", "");
    for Figure { name, nanoseconds } in figures {
        println!("{name:<60} {nanoseconds:>10.2}");
    }
}

/// What the requirement allows an answer of `/health`.
const ANSWER: Duration = Duration::from_millis(100);

pub(crate) fn answers(took: &[Duration], bytes: usize) {
    println!("\n`/health` over a socket, {CHECKS} checks of which a tenth hang, {bytes} bytes");
    let last = took.len().saturating_sub(1);
    for (name, at) in [("median", last / 2), ("99 of 100 within", last * 99 / 100), ("the longest", last)] {
        let microseconds = took.get(at).map_or(f64::NAN, |it| it.as_secs_f64() * 1e6);
        println!("{:<60} {microseconds:>7.0} us", format!("{name} of {}", took.len()));
    }
    let over = took.iter().filter(|it| **it >= ANSWER).count();
    println!("{:<60} {over:>10}", format!("longer than {ANSWER:?}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn primitives(change: impl Fn(&str) -> Option<f64>) -> Vec<Figure> {
        let usual = [
            ("nothing", 1.4),
            ("a log event of a level that is off", 1.5),
            ("a span of a level that is off", 2.2),
            ("an atomic addition", 2.6),
            ("fresnel: bound counter", 1.9),
            ("fresnel: bound histogram", 16.0),
            ("fresnel: bound counter, 2 threads", 2.0),
            ("fresnel: bound counter, 4 threads", 2.0),
            ("fresnel: bound histogram, 2 threads", 16.0),
            ("fresnel: bound histogram, 4 threads", 16.0),
        ];
        let figure = |(name, usual): (&str, f64)| Figure {
            name: name.to_owned(),
            nanoseconds: change(name).unwrap_or(usual),
        };
        usual.into_iter().map(figure).collect()
    }

    fn requests(own: f64) -> Vec<Vec<Round>> {
        let one = |nanoseconds| vec![Round { thread: nanoseconds, process: nanoseconds }];
        vec![one(own), one(1_000.0), one(4_000.0), one(4_000.0)]
    }

    #[test]
    fn everything_holds_as_it_was_measured() {
        assert!(tell(&verdicts(&requests(900.0))));
        assert!(tell(&of_primitives(&primitives(|_| None))));
    }

    #[test]
    fn one_floor_that_does_not_hold_is_enough() {
        assert!(!tell(&verdicts(&requests(2_001.0))));
        for (name, nanoseconds) in [
            ("a log event of a level that is off", 4.1),
            ("a span of a level that is off", 4.1),
            ("fresnel: bound counter", 5.3),
            ("fresnel: bound counter, 2 threads", 3.9),
            ("fresnel: bound histogram, 4 threads", 33.0),
            ("an atomic addition", f64::NAN),
        ] {
            let figures = primitives(|own| (own == name).then_some(nanoseconds));
            assert!(!tell(&of_primitives(&figures)), "{name}");
        }
        assert!(!tell(&of_primitives(&[])), "what was not measured");
    }
}
