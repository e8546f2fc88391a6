use std::any::Any;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use tracing::Instrument;

/// Why a call of a module gave nothing.
pub(super) enum Broken {
    Panicked(String),
    Late(Duration),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(message) => write!(f, "it panicked: {message}"),
            Self::Late(limit) => write!(f, "it took longer than {limit:?}"),
        }
    }
}

/// Runs a call of a module as a task of its own, for at most so long.
pub(super) async fn contain<T: Send + 'static>(
    limit: Duration,
    span: &tracing::Span,
    call: impl Future<Output = T> + Send + 'static,
) -> Result<T, Broken> {
    #[expect(clippy::disallowed_methods, reason = "it is awaited here, and its panic is told")]
    let mut task = tokio::spawn(call.instrument(span.clone()));
    match tokio::time::timeout(limit, &mut task).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Broken::Panicked(match error.try_into_panic() {
            Ok(panic) => message(&*panic),
            Err(_) => "the runtime ended".into(),
        })),
        Err(_) => {
            task.abort();
            Err(Broken::Late(limit))
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".into())
}
