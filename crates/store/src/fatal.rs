use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

/// The state in which the store may not go on: what is on the disk is no longer known, because a sync
/// failed or a failed write could not be taken back.
///
/// One is shared by all parts of a store. Raised once, it stays; nothing is accepted any more and the
/// server ends the process, so that the next start reads what is really there.
#[derive(Clone)]
pub struct Fatal(Arc<watch::Sender<Option<Arc<str>>>>);

impl Default for Fatal {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Fatal {
    /// Enters the state, unless something else did before.
    pub fn raise(&self, reason: impl Into<Arc<str>>) {
        let reason = reason.into();
        let first = self.0.send_if_modified(|state| {
            let first = state.is_none();
            if first {
                *state = Some(Arc::clone(&reason));
            }
            first
        });
        if first {
            tracing::error!(%reason, "store cannot go on");
        }
    }

    /// Why the store cannot go on, if it cannot.
    pub fn reason(&self) -> Option<Arc<str>> {
        self.0.borrow().clone()
    }

    /// Waits until the state is entered, and says why.
    pub async fn raised(&self) -> Arc<str> {
        let mut state = self.0.subscribe();
        loop {
            if let Some(reason) = state.borrow_and_update().clone() {
                return reason;
            }
            // Never closed: `self` holds the sender.
            if state.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl fmt::Debug for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fatal").field(&self.reason()).finish()
    }
}
