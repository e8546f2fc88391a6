use std::io::IsTerminal;
use std::sync::mpsc;
use std::thread;

use fresnel_sdk::config::Loader;
use fresnel_sdk::telemetry::http::HttpExporter;

use super::serve::{self, Started};
use crate::cli::DemoArgs;
use crate::config::Config;
use crate::demo::shop::Bank;
use crate::demo::traffic::{self, Load, Sent};
use crate::failure::{Failure, Result};

/// Runs the shop against a server of its own, or against one that there is.
pub fn run(args: &DemoArgs) -> Result<()> {
    match &args.endpoint {
        Some(endpoint) => against(endpoint, load(args)),
        None => alone(args),
    }
}

fn exporter(endpoint: &str) -> Result<HttpExporter> {
    HttpExporter::new(endpoint).map_err(|error| Failure::usage("cannot send").cause(error))
}

fn load(args: &DemoArgs) -> Load {
    Load { rate: args.rate, history: args.history.get() }
}

fn against(endpoint: &str, load: Load) -> Result<()> {
    let exporter = exporter(endpoint)?;
    let (stop, stopped) = mpsc::sync_channel(1);
    let waiting = thread::Builder::new().name("signals".into());
    let waiting = waiting.spawn(move || {
        if let Err(failure) = serve::wait_for_signal() {
            failure.report();
        }
        // The shop may have ended by itself.
        stop.send(()).ok();
    });
    waiting.map_err(|error| Failure::new("could not start a thread").cause(error))?;
    say(&format!("the shop sends to {endpoint}; Ctrl-C ends it"));
    let sent = traffic::run(&exporter, load, &stopped, tell());
    finish(sent)
}

/// The server runs in this thread until Ctrl-C, the shop in another one.
fn alone(args: &DemoArgs) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("fresnel-demo-").tempdir();
    let folder = folder.map_err(|error| Failure::new("no temporary folder").cause(error))?;
    let loader = Loader::<Config>::new()
        .arg("--http", "api.listen", args.http.clone())
        .arg("demo", "store.dir", folder.path().display().to_string())
        .arg("demo", "receive.otlp.grpc.listen", "127.0.0.1:0")
        .arg("demo", "receive.otlp.http.listen", "127.0.0.1:0");
    let (stop, stopped) = mpsc::sync_channel(1);
    let load = load(args);
    let mut shop = None;
    let served = serve::run_within(loader, |Started { http, otlp_http }| {
        say(&format!(
            "the shop is open: http://{http}\nOTLP/HTTP at http://{otlp_http}; Ctrl-C ends it and removes its data"
        ));
        let run = move || {
            let exporter = exporter(&format!("http://{otlp_http}"))?;
            finish(traffic::run(&exporter, load, &stopped, tell()))
        };
        shop = Some(thread::Builder::new().name("shop".into()).spawn(run));
    });
    // The shop may have ended by itself.
    stop.send(()).ok();
    if let Some(Ok(shop)) = shop
        && shop.join().is_err()
    {
        return Err(Failure::new("the shop panicked"));
    }
    served
}

fn tell() -> impl FnMut(Sent, Bank) {
    let bar = if std::io::stderr().is_terminal() {
        indicatif::ProgressBar::new_spinner()
    } else {
        indicatif::ProgressBar::hidden()
    };
    move |sent, bank| {
        let bank = if bank == Bank::Slow { ", the bank is slow" } else { "" };
        bar.set_message(format!("{} visits, {} records{bank}", sent.visits, sent.records));
        bar.tick();
    }
}

fn finish(sent: Sent) -> Result<()> {
    say(&format!("{} visits, {} records sent, {} given up", sent.visits, sent.records, sent.given_up));
    if sent.given_up > 0 { Err(Failure::new("some records could not be sent")) } else { Ok(()) }
}

#[expect(clippy::print_stderr, reason = "standard error is talk")]
fn say(text: &str) {
    eprintln!("{text}");
}
