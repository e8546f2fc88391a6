use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;

use super::{BoxFuture, Context, Failure, Health, Module};

type Making = BoxFuture<'static, Result<Arc<dyn Module>, Failure>>;

/// A module that is made when it starts.
pub(super) struct Made {
    make: Box<dyn Fn() -> Making + Send + Sync>,
    /// From a start to the stop after it.
    module: Mutex<Option<Arc<dyn Module>>>,
}

impl Made {
    pub(super) fn by<M, F>(make: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        M: Module,
        F: Future<Output = Result<M, Failure>> + Send + 'static,
    {
        let make = move || -> Making {
            let made = make();
            Box::pin(async move { Ok(Arc::new(made.await?) as Arc<dyn Module>) })
        };
        Self { make: Box::new(make), module: Mutex::default() }
    }

    fn current(&self) -> Option<Arc<dyn Module>> {
        self.module.lock().clone()
    }
}

impl Module for Made {
    fn start<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let module = (self.make)().await?;
            *self.module.lock() = Some(module.clone());
            module.start(context).await
        })
    }

    fn stop(&self) -> BoxFuture<'_, Result<(), Failure>> {
        let module = self.module.lock().take();
        Box::pin(async move {
            match module {
                Some(module) => module.stop().await,
                // The factory gave none.
                None => Ok(()),
            }
        })
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        let module = self.current();
        Box::pin(async move {
            match module {
                Some(module) => module.health().await,
                None => Health::Unhealthy("it was not made".into()),
            }
        })
    }

    fn check<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Health> {
        let module = self.current();
        Box::pin(async move {
            match module {
                Some(module) => module.check(name).await,
                None => Health::Unhealthy("it was not made".into()),
            }
        })
    }

    fn state(&self) -> BoxFuture<'_, Option<Value>> {
        let module = self.current();
        Box::pin(async move { module?.state().await })
    }
}
