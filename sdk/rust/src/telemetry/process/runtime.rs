use tokio::runtime::Handle;

use crate::telemetry::metrics::Registry;

/// Registers what a tokio runtime says about itself: `tokio.workers`, `tokio.tasks.alive`,
/// `tokio.queue.depth` and `tokio.workers.busy.time`.
pub fn observe_runtime(registry: &Registry, runtime: &Handle) {
    let gauge = |name, unit, text, read: fn(&Handle) -> u64| {
        let runtime = runtime.clone();
        registry.observe_up_down_counter(name, unit, text, move |to| to.observe(read(&runtime), &[]));
    };
    gauge("tokio.workers", "{thread}", "Worker threads.", |it| it.metrics().num_workers() as u64);
    gauge("tokio.tasks.alive", "{task}", "Tasks that have not ended.", |it| {
        it.metrics().num_alive_tasks() as u64
    });
    gauge("tokio.queue.depth", "{task}", "Tasks that wait for any worker.", |it| {
        it.metrics().global_queue_depth() as u64
    });
    #[cfg(target_has_atomic = "64")]
    {
        let runtime = runtime.clone();
        let text = "Time in which workers were busy.";
        registry.observe_counter("tokio.workers.busy.time", "s", text, move |to| {
            let metrics = runtime.metrics();
            let busy = (0..metrics.num_workers()).map(|worker| metrics.worker_total_busy_duration(worker));
            to.observe(busy.map(|time| time.as_secs_f64()).sum::<f64>(), &[]);
        });
    }
}
