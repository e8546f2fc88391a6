//! On what, and beside which peers, this run is made.

use std::process::Command;

use crate::options::Options;

/// More load before the start than this disturbs the figures.
const LOAD_MAX: f64 = 0.5;

/// Prints what a reader of the figures has to know.
pub(crate) fn print(options: &Options) {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo");
    let memory = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) >> 20;
    let kernel = read("/proc/sys/kernel/osrelease");
    println!("machine: {cores} cores, {memory} GiB, Linux {}", kernel.trim());
    let load = read("/proc/loadavg");
    let load: f64 = load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN);
    let warning =
        if load > LOAD_MAX { " - WARNING: something else runs, the figures are not good" } else { "" };
    println!("load before: {load:.2}{warning}");
    println!("scale: {}, rounds: {}", options.scale, options.rounds);
    println!("server: {}", version(Command::new(&options.server).arg("version")));
    let duckdb = ["-c", "import duckdb; print(duckdb.__version__)"];
    println!("DuckDB: {}", version(Command::new(&options.python).args(duckdb)));
    println!("Prometheus: {}", version(Command::new("prometheus").arg("--version")));
}

/// The first line of what it says, or that it is missing.
fn version(command: &mut Command) -> String {
    let output = command.output().ok().filter(|output| output.status.success());
    let said = output.map(|output| if output.stdout.is_empty() { output.stderr } else { output.stdout });
    let line = said.and_then(|said| Some(String::from_utf8_lossy(&said).lines().next()?.to_owned()));
    line.unwrap_or_else(|| "missing; what needs it is skipped".to_owned())
}
