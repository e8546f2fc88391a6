use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use parking_lot::Mutex;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Simulation>>> = const { RefCell::new(None) };
}

/// The simulation that this thread is in.
pub(super) fn current() -> Option<Arc<Simulation>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// A clock that stands still until it is moved, and who waits for it.
#[derive(Debug)]
pub(super) struct Simulation(Mutex<Timers>);

#[derive(Debug)]
struct Timers {
    now: Instant,
    /// By the moment and, for those of one moment, in the order in which they came.
    waiting: BTreeMap<(Instant, u64), Waker>,
    next_id: u64,
}

impl Simulation {
    pub(super) fn now(&self) -> Instant {
        self.0.lock().now
    }

    /// Goes to the next moment at which somebody wants to be woken. False when nobody does.
    fn advance(&self) -> bool {
        let mut timers = self.0.lock();
        let Some(((at, _), waker)) = timers.waiting.pop_first() else { return false };
        timers.now = timers.now.max(at);
        drop(timers);
        waker.wake();
        true
    }
}

/// One who waits.
#[derive(Debug)]
pub(super) struct Sleeper {
    simulation: Arc<Simulation>,
    at: Instant,
    id: Option<u64>,
}

impl Sleeper {
    pub(super) fn new(simulation: Arc<Simulation>, at: Instant) -> Self {
        Self { simulation, at, id: None }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut timers = self.simulation.0.lock();
        if timers.now >= self.at {
            return Poll::Ready(());
        }
        let id = *self.id.get_or_insert_with(|| {
            timers.next_id += 1;
            timers.next_id
        });
        timers.waiting.insert((self.at, id), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.simulation.0.lock().waiting.remove(&(self.at, id));
        }
    }
}

/// Leaves the simulation, also by a panic.
struct Entered(Option<Arc<Simulation>>);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.with(|current| *current.borrow_mut() = self.0.take());
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// Runs a future on this thread with a clock that jumps.
///
/// Time passes only when the future has nothing else to do, and then exactly to the next moment
/// for which something waits; equal runs therefore give equal results. There is no runtime: what
/// must be spawned, or waits for a socket, does not work in it. Use `futures::join!` for what
/// happens at once.
///
/// # Panics
/// When the future waits for what will never come.
pub fn simulate<F: Future>(future: F) -> F::Output {
    let timers = Timers { now: Instant::now(), waiting: BTreeMap::new(), next_id: 0 };
    let simulation = Arc::new(Simulation(Mutex::new(timers)));
    let outer = CURRENT.with(|current| current.borrow_mut().replace(simulation.clone()));
    let _entered = Entered(outer);
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(flag.clone());
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        if !flag.0.swap(false, Ordering::AcqRel) {
            assert!(simulation.advance(), "the future waits for what will never come");
        }
    }
}
