use std::future::Future;
use std::time::{Duration, Instant};

use super::Rejected;
use crate::clock;

tokio::task_local! {
    static CURRENT: Deadline;
}

/// The header that carries what is left of the time, as gRPC has it: `grpc-timeout: 250m` is 250
/// milliseconds ([PROTOCOL-HTTP2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md)).
/// A duration rather than a time of day: clocks of two machines differ.
pub const DEADLINE_HEADER: &str = "grpc-timeout";

/// Until when whoever asked waits for the answer. It belongs to the task: what a request calls has
/// no more time than the request, and [`Retry`](super::Retry) makes no attempt that would come too
/// late. A task that is spawned does not inherit it; give it on with [`Deadline::scope`].
///
/// ```
/// use std::time::Duration;
/// use fresnel_sdk::clock;
/// use fresnel_sdk::resilience::{Deadline, Rejected};
///
/// clock::simulate(async {
///     let answer: Result<(), Rejected> = Deadline::after(Duration::from_millis(250))
///         .run(async {
///             let left = Deadline::current().expect("we are inside").remaining();
///             assert_eq!(left, Duration::from_millis(250));
///             std::future::pending().await
///         })
///         .await;
///     assert_eq!(answer, Err(Rejected::DeadlineExceeded));
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// At this moment of [`clock`].
    pub const fn new(at: Instant) -> Self {
        Self(at)
    }

    /// So long from now.
    pub fn after(duration: Duration) -> Self {
        Self(clock::after(duration))
    }

    /// That of the task, if it has one.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|deadline| *deadline).ok()
    }

    /// When it is.
    pub const fn at(self) -> Instant {
        self.0
    }

    /// What is left; nothing when it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(clock::now())
    }

    /// Runs a future that knows of this deadline, or of that of the task when it is earlier. It is
    /// not cut off by it.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        CURRENT.scope(self.earlier(), future).await
    }

    /// Runs a future that knows of the deadline and is dropped when it has passed. The future is
    /// not begun when it already has.
    ///
    /// # Errors
    /// [`Rejected::DeadlineExceeded`], and those of the future.
    pub async fn run<T, E: From<Rejected>>(self, future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let deadline = self.earlier();
        if deadline.remaining().is_zero() {
            return Err(Rejected::DeadlineExceeded.into());
        }
        let output = clock::timeout_at(deadline.0, CURRENT.scope(deadline, future)).await;
        output.unwrap_or_else(|| Err(Rejected::DeadlineExceeded.into()))
    }

    fn earlier(self) -> Self {
        Self::current().map_or(self, |outer| outer.min(self))
    }

    /// The value of [`DEADLINE_HEADER`] for a call that is made now. It is rounded down, so that
    /// the other side never believes to have more time than there is.
    pub fn header_value(self) -> String {
        let left = self.remaining();
        // At most 8 digits are allowed.
        const MAX: u128 = 99_999_999;
        let seconds = u128::from(left.as_secs());
        let units = [
            (left.as_nanos(), 'n'),
            (left.as_micros(), 'u'),
            (left.as_millis(), 'm'),
            (seconds, 'S'),
            (seconds / 60, 'M'),
        ];
        match units.into_iter().find(|(value, _)| *value <= MAX) {
            Some((value, unit)) => format!("{value}{unit}"),
            None => format!("{}H", (seconds / 3_600).min(MAX)),
        }
    }

    /// Reads the value of [`DEADLINE_HEADER`], received now. `None` when it is none.
    pub fn from_header(value: &str) -> Option<Self> {
        let value = value.trim();
        let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
        let legal = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        let amount: u64 = legal.then(|| digits.parse().ok())??;
        let duration = match unit {
            "H" => Duration::from_secs(amount * 3600),
            "M" => Duration::from_secs(amount * 60),
            "S" => Duration::from_secs(amount),
            "m" => Duration::from_millis(amount),
            "u" => Duration::from_micros(amount),
            "n" => Duration::from_nanos(amount),
            _ => return None,
        };
        Some(Self::after(duration))
    }
}
