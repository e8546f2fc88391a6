//! Which traces are recorded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::context::SpanContext;

/// Decides when a trace begins, or comes in from elsewhere, whether it is recorded. Spans within
/// the process are as their parent, so that no trace has holes.
#[derive(Debug)]
pub enum Sampler {
    /// Everything.
    AlwaysOn,
    /// Nothing.
    AlwaysOff,
    /// This share, from 0 to 1, by the trace's id: every service with the same share decides the
    /// same, also those of other SDKs.
    Ratio(f64),
    /// As many traces that begin here as the limit lets through.
    RateLimited(TraceLimit),
    /// As the caller decided; without a caller by this one.
    ParentBased(Box<Sampler>),
}

/// As many traces a second, and at most one second's worth at once.
#[derive(Debug)]
pub struct TraceLimit {
    /// Nanoseconds that a trace takes up.
    spacing: u64,
    /// Until when what was let through takes up the limit.
    taken_until: AtomicU64,
}

/// How spans are chosen: by the sampler when a trace begins, and what went wrong or took long all the
/// same when it has ended.
#[derive(Debug)]
pub struct Sampling {
    /// Decides at the beginning; also what callees are told.
    pub head: Sampler,
    /// Spans that failed are exported, sampled or not. Those around them are if they failed, too.
    pub keep_errors: bool,
    /// Spans that took at least this long are exported, sampled or not.
    pub keep_slower_than: Option<Duration>,
}

/// The variables of the environment say something that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} is left out: `{value}` is no {what}")]
pub struct SamplerError {
    variable: &'static str,
    value: String,
    what: &'static str,
}

const NAME: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";

impl Default for Sampler {
    /// What OpenTelemetry's specification has: as the caller, else everything.
    fn default() -> Self {
        Self::parent_based(Self::AlwaysOn)
    }
}

impl Sampler {
    /// As the caller decided; without a caller by `root`.
    pub fn parent_based(root: Self) -> Self {
        Self::ParentBased(Box::new(root))
    }

    /// At most so many traces a second that begin here.
    pub fn rate_limited(traces_per_second: f64) -> Self {
        Self::RateLimited(TraceLimit::new(traces_per_second))
    }

    /// As `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` say. Besides the names of the
    /// specification there are `ratelimited` and `parentbased_ratelimited`, whose argument is traces a
    /// second. Also returns what is wrong with them: then the default holds.
    pub fn from_env() -> (Self, Option<SamplerError>) {
        let variable = |name: &str| std::env::var(name).ok();
        Self::from_variables(variable(NAME).as_deref(), variable(ARGUMENT).as_deref())
    }

    pub(super) fn from_variables(name: Option<&str>, argument: Option<&str>) -> (Self, Option<SamplerError>) {
        let name = name.map(str::trim).filter(|name| !name.is_empty());
        let argument = argument.map(str::trim).filter(|argument| !argument.is_empty());
        let Some(name) = name else { return (Self::default(), None) };
        match Self::named(name, argument) {
            Ok(sampler) => (sampler, None),
            Err(error) => (Self::default(), Some(error)),
        }
    }

    fn named(name: &str, argument: Option<&str>) -> Result<Self, SamplerError> {
        let lower = name.to_ascii_lowercase();
        let (parent_based, root) = match lower.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, &*lower),
        };
        let root = match root {
            "always_on" => Self::AlwaysOn,
            "always_off" => Self::AlwaysOff,
            "traceidratio" => Self::Ratio(number(argument, 1.0, "share from 0 to 1", |n| n <= 1.0)?),
            "ratelimited" => Self::rate_limited(number(argument, 100.0, "number of traces", |_| true)?),
            _ => return Err(SamplerError { variable: NAME, value: name.to_owned(), what: "sampler" }),
        };
        Ok(if parent_based { Self::parent_based(root) } else { root })
    }

    /// Whether the trace is recorded that begins here at `now`, or is continued from `caller`.
    pub(super) fn samples(&self, caller: Option<&SpanContext>, trace_id: [u8; 16], now: u64) -> bool {
        match self {
            Self::AlwaysOn => true,
            Self::AlwaysOff => false,
            Self::Ratio(share) => is_within(trace_id, *share),
            Self::RateLimited(limit) => limit.lets_through(now),
            Self::ParentBased(root) => match caller {
                Some(caller) => caller.is_sampled(),
                None => root.samples(None, trace_id, now),
            },
        }
    }
}

fn number(
    argument: Option<&str>,
    default: f64,
    what: &'static str,
    fits: impl Fn(f64) -> bool,
) -> Result<f64, SamplerError> {
    let Some(text) = argument else { return Ok(default) };
    let number = text.parse::<f64>().ok().filter(|it| it.is_finite() && *it >= 0.0 && fits(*it));
    number.ok_or_else(|| SamplerError { variable: ARGUMENT, value: text.to_owned(), what })
}

/// By the last 63 bits of the id, as the SDKs for Go, Java and Rust have it.
fn is_within(trace_id: [u8; 16], share: f64) -> bool {
    const ALL: f64 = (1_u64 << 63) as f64;
    let place = (u128::from_be_bytes(trace_id) as u64) >> 1;
    // 2^63 itself is beyond every place.
    place < (share.clamp(0.0, 1.0) * ALL) as u64
}

impl TraceLimit {
    fn new(per_second: f64) -> Self {
        // None at all when it is no positive number.
        let spacing = if per_second > 0.0 { (1e9 / per_second).max(1.0) as u64 } else { u64::MAX };
        Self { spacing, taken_until: AtomicU64::new(0) }
    }

    /// One number instead of a bucket: each trace takes up its share of time, and at most a second
    /// may be taken up ahead (or one trace, where a trace takes up more).
    fn lets_through(&self, now: u64) -> bool {
        if self.spacing == u64::MAX {
            return false;
        }
        let limit = now.saturating_add(self.spacing.max(1_000_000_000));
        let taken = self.taken_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |until| {
            let until = until.max(now).saturating_add(self.spacing);
            (until <= limit).then_some(until)
        });
        taken.is_ok()
    }
}

impl Default for Sampling {
    fn default() -> Self {
        Sampler::default().into()
    }
}

impl From<Sampler> for Sampling {
    fn from(head: Sampler) -> Self {
        Self { head, keep_errors: false, keep_slower_than: None }
    }
}

impl Sampling {
    /// Whether spans that are not sampled are worth being recorded until their end.
    pub(super) const fn looks_back(&self) -> bool {
        self.keep_errors || self.keep_slower_than.is_some()
    }

    /// Whether a span that is not sampled is exported all the same.
    pub(super) fn keeps(&self, failed: bool, nanoseconds: u64) -> bool {
        let slow = self.keep_slower_than.is_some_and(|limit| u128::from(nanoseconds) >= limit.as_nanos());
        slow || (self.keep_errors && failed)
    }

    /// The context of a new span: of its caller elsewhere, or of its parent in this process, or a
    /// trace of its own.
    pub(super) fn begin(&self, caller: Caller, now: u64) -> SpanContext {
        match caller {
            Caller::Here(parent) => SpanContext::new(Some(parent)),
            Caller::Elsewhere(parent) => {
                let context = SpanContext::new(Some(parent));
                context.sampled(self.head.samples(Some(&parent), context.trace_id, now))
            }
            Caller::Nobody => {
                let context = SpanContext::new(None);
                context.sampled(self.head.samples(None, context.trace_id, now))
            }
        }
    }
}

/// Where a span's parent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// In this process: it is sampled as the parent is.
    Here(SpanContext),
    /// In another process.
    Elsewhere(SpanContext),
    /// A trace begins.
    Nobody,
}

impl Caller {
    pub(super) const fn context(&self) -> Option<SpanContext> {
        match self {
            Self::Here(context) | Self::Elsewhere(context) => Some(*context),
            Self::Nobody => None,
        }
    }
}
