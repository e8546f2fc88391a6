use std::future::Future;
use std::time::Duration;

use futures::future::BoxFuture;

use super::Finding;

/// Looks at one thing. A closure that gives a future of a [`Finding`], or of a `Result<(), E>`, is
/// one.
///
/// It must be harmless, since it runs often, and must not block its thread. It is dropped when it
/// takes too long: what it has opened must be closed by that.
pub trait Check: Send + Sync {
    /// Looks.
    fn check(&self) -> BoxFuture<'_, Finding>;
}

impl<C, F, R> Check for C
where
    C: Fn() -> F + Send + Sync,
    F: Future<Output = R> + Send + 'static,
    R: Into<Finding>,
{
    fn check(&self) -> BoxFuture<'_, Finding> {
        let future = self();
        Box::pin(async move { future.await.into() })
    }
}

/// How a check is run, and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckOptions {
    /// How often it runs in the background; 30 s.
    pub interval: Duration,
    /// How long it may take; 5 s.
    pub timeout: Duration,
    /// How long a result holds for those who ask; 10 s. Bad ones hold as long as good ones.
    pub cache_ttl: Duration,
    /// Whether the service cannot work without; true. What is not critical only degrades it.
    pub critical: bool,
    /// Whether it looks at the process itself, such as at a deadlock, so that a restart would help;
    /// false. Never true for a dependency: a restart does not bring it back, and would end all
    /// copies of the service at once.
    pub live: bool,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            cache_ttl: Duration::from_secs(10),
            critical: true,
            live: false,
        }
    }
}
