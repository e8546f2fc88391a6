use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};

use super::exchange::Exchange;
use crate::logging::Surrounding;

/// The body of an answer. The request is over when it ends, or is dropped.
pub struct Watched<B> {
    inner: B,
    exchange: Option<Box<Exchange>>,
}

impl<B> fmt::Debug for Watched<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("open", &self.exchange.is_some()).finish_non_exhaustive()
    }
}

impl<B: Body> Watched<B> {
    pub(super) fn new(inner: B, mut exchange: Box<Exchange>) -> Self {
        // One without a byte, as of `HEAD` or 204, may never be asked for any.
        if inner.is_end_stream() {
            exchange.ended();
            return Self { inner, exchange: None };
        }
        Self { inner, exchange: Some(exchange) }
    }
}

impl<B> Watched<B> {
    /// What it is of, without being watched any more: the request is over.
    pub fn into_inner(self) -> B {
        self.inner
    }
}

impl<B> Body for Watched<B>
where
    B: Body + Unpin,
    B::Data: bytes::Buf,
    B::Error: fmt::Display,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = &mut *self;
        let frame = match &mut this.exchange {
            // What the body does and logs belongs to the request.
            Some(exchange) => {
                let _around = exchange.around.as_ref().map(Surrounding::enter);
                let _entered = exchange.span.enter();
                Pin::new(&mut this.inner).poll_frame(context)
            }
            None => Pin::new(&mut this.inner).poll_frame(context),
        };
        let Poll::Ready(frame) = frame else { return Poll::Pending };
        let Some(exchange) = &mut this.exchange else { return Poll::Ready(frame) };
        match &frame {
            None => exchange.ended(),
            Some(Err(error)) => exchange.failed("body", error.to_string()),
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    exchange.response_bytes += bytes::Buf::remaining(data) as u64;
                }
                frame.trailers_ref().into_iter().for_each(|trailers| exchange.trailers(trailers));
                // Who knows that there is no more does not ask.
                if frame.is_trailers() || this.inner.is_end_stream() {
                    exchange.ended();
                }
            }
        }
        if exchange.complete {
            this.exchange = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
