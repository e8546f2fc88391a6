//! The time that [`resilience`](crate::resilience) and [`health`](crate::health) go by, and a way
//! to run their tests without waiting for it.
//!
//! Outside tests this is tokio's clock, which never goes back. [`simulate`] runs a future with a
//! clock of its own that jumps to the next moment at which something is due: an hour of pauses
//! takes no time, and what nobody will ever wake is told instead of hanging. `tokio`'s own paused
//! time works as well.
//!
//! ```
//! use std::time::Duration;
//! use fresnel_sdk::clock;
//!
//! let waited = clock::simulate(async {
//!     let start = clock::now();
//!     clock::sleep(Duration::from_secs(3600)).await;
//!     clock::now() - start
//! });
//! assert_eq!(waited, Duration::from_secs(3600));
//! ```

mod simulation;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

pub use self::simulation::simulate;
use self::simulation::{Sleeper, current};

/// A duration that does not fit into an [`Instant`] ends this far away: thirty years.
const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);

/// The present moment, of a clock that never goes back.
pub fn now() -> Instant {
    current().map_or_else(|| tokio::time::Instant::now().into_std(), |simulation| simulation.now())
}

/// The moment so far from now. What lies beyond all clocks is thirty years away.
pub fn after(duration: Duration) -> Instant {
    let now = now();
    now.checked_add(duration).unwrap_or_else(|| now + FAR)
}

/// Waits so long.
///
/// # Panics
/// When it is polled outside a tokio runtime that has a timer, and outside [`simulate`].
pub fn sleep(duration: Duration) -> Sleep {
    sleep_until(after(duration))
}

/// Waits until then; what has passed is not waited for.
///
/// # Panics
/// As [`sleep`].
pub fn sleep_until(at: Instant) -> Sleep {
    Sleep(match current() {
        Some(simulation) => Kind::Simulated(Sleeper::new(simulation, at)),
        None => Kind::Real(at, None),
    })
}

/// What the future gives, or `None` when it has given nothing by then; it is dropped in that case.
///
/// # Panics
/// As [`sleep`].
pub async fn timeout_at<F: Future>(at: Instant, future: F) -> Option<F::Output> {
    let (mut future, mut sleep) = (pin!(future), sleep_until(at));
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Pin::new(&mut sleep).poll(cx).map(|()| None),
    })
    .await
}

/// The future of [`sleep`].
#[derive(Debug)]
#[must_use = "it waits only when it is awaited"]
pub struct Sleep(Kind);

#[derive(Debug)]
enum Kind {
    /// The timer is made when it is first needed, so that asking for it needs no runtime.
    Real(Instant, Option<Pin<Box<tokio::time::Sleep>>>),
    Simulated(Sleeper),
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Kind::Real(at, timer) => {
                let at = *at;
                let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at.into())));
                timer.as_mut().poll(cx)
            }
            Kind::Simulated(sleeper) => sleeper.poll(cx),
        }
    }
}
