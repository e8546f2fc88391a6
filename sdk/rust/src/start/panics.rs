//! Panics as log records.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::panic::PanicHookInfo;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use super::guard::Started;
use crate::errors::capture_panic;
use crate::logging::Fields;

/// What was started last, if it still runs: in a process that ends with a panic, nobody else can
/// let it write.
static LAST: Mutex<Weak<Started>> = Mutex::new(Weak::new());

thread_local! {
    /// A panic while one is recorded would end the process.
    static RECORDING: Cell<bool> = const { Cell::new(false) };
}

/// Records panics from now on, and lets whoever handled them do so afterwards.
pub(super) fn capture(started: &Arc<Started>) {
    static HOOKED: OnceLock<()> = OnceLock::new();
    *LAST.lock() = Arc::downgrade(started);
    HOOKED.get_or_init(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !RECORDING.replace(true) {
                record(info);
                RECORDING.set(false);
            }
            before(info);
            if cfg!(panic = "abort") {
                let last = LAST.lock().upgrade();
                if let Some(started) = last {
                    started.flush(started.patience);
                }
            }
        }));
    });
}

/// The attributes are those of exceptions in OpenTelemetry's semantic conventions.
fn record(info: &PanicHookInfo<'_>) {
    let message = text(info.payload());
    let stack = Backtrace::force_capture();
    let location = info.location();
    let thread = std::thread::current();
    let mut facts = Fields::new();
    if let Some(location) = location {
        facts.insert("code.file.path".into(), location.file().into());
        facts.insert("code.line.number".into(), location.line().into());
    }
    facts.extend(thread.name().map(|name| ("thread.name".to_owned(), name.into())));
    capture_panic(message, stack.to_string(), facts);
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("of an unknown type")
}
