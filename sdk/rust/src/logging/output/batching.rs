use super::{Formatted, Output, WriteError};

/// Takes batches to a service that keeps logs in groups of streams, as CloudWatch does.
pub trait Destination: Send + 'static {
    /// Delivers a batch, in order.
    ///
    /// # Errors
    /// It, or a part of it, was not delivered, and whether to try again.
    fn put(&mut self, group: &str, stream: &str, batch: &[Formatted]) -> Result<(), WriteError>;
}

/// Batches for a [`Destination`], by group and stream. As for every output, a batch goes when it has
/// 100 records or is five seconds old, one that failed is kept and tried again, and the end sends
/// what waits.
#[derive(Debug)]
pub struct Batching<D> {
    name: String,
    group: String,
    stream: String,
    destination: D,
}

impl<D: Destination> Batching<D> {
    /// Batches for a stream of a group.
    pub fn new(group: impl Into<String>, stream: impl Into<String>, destination: D) -> Self {
        let (group, stream) = (group.into(), stream.into());
        Self { name: format!("batches {group}/{stream}"), group, stream, destination }
    }
}

impl<D: Destination> Output for Batching<D> {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, batch: &[Formatted]) -> Result<(), WriteError> {
        self.destination.put(&self.group, &self.stream, batch)
    }
}
