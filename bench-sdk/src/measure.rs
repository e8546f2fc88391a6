use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::Subject;

/// What one round cost a request.
#[derive(Clone, Copy)]
pub(crate) struct Round {
    /// CPU nanoseconds of the thread that answers: what a request waits for.
    pub(crate) thread: f64,
    /// CPU nanoseconds of all threads, until everything was encoded and exported.
    pub(crate) process: f64,
}

/// The CPU time of this thread.
pub(crate) fn thread_cpu() -> Duration {
    cpu(ClockId::ThreadCPUTime)
}

fn cpu(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// Answers requests and waits until all of them are exported.
///
/// # Panics
/// When something was not exported: then its cost is not known.
pub(crate) fn round(subject: &mut dyn Subject, requests: u64) -> Round {
    let before = subject.exported();
    let (thread, process) = (thread_cpu(), cpu(ClockId::ProcessCPUTime));
    subject.run(requests);
    let thread = thread_cpu() - thread;
    subject.flush();
    let process = cpu(ClockId::ProcessCPUTime) - process;
    let exported = subject.exported() - before;
    assert_eq!(exported, requests, "{} lost what it recorded", subject.name());
    let each = |time: Duration| time.as_nanos() as f64 / requests as f64;
    Round { thread: each(thread), process: each(process) }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
