//! Bodies, as they come.
//!
//! Enters: a request's head and its body in pieces. Leaves: the body in one piece, with the memory
//! that it holds. Must hold: memory is taken before it is used; no sender may pause for longer than
//! it is allowed, nor hold memory for what it only announces.

use axum::body::Body as HttpBody;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use model::Reservation;

use crate::error::Refusal;
use crate::intake::Intake;

/// Least memory taken at once for a body whose length is not told, or not believed.
const STEP_MIN: usize = 16 << 10;

/// Reads a body for which memory is taken first: at once where its length is told and not too much
/// is announced already, else as it comes (JavaScript's exporters send chunks without a length).
pub(crate) async fn read(
    intake: &Intake,
    headers: &HeaderMap,
    mut body: HttpBody,
) -> Result<(Bytes, Reservation), Refusal> {
    let idle = intake.body_idle();
    let mut incoming = Incoming::new(intake, told(headers))?;
    loop {
        let frame = tokio::time::timeout(idle, body.frame()).await;
        match frame.map_err(|_| Refusal::Slow { idle })? {
            Some(Ok(frame)) => frame.into_data().map_or(Ok(()), |data| incoming.push(data))?,
            Some(Err(error)) => return Err(Refusal::Aborted(error.to_string())),
            None => return Ok(incoming.finish()),
        }
    }
}

fn told(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What is there of a body.
struct Incoming<'a> {
    intake: &'a Intake,
    reservation: Reservation,
    /// What is still on its way, where memory is held for it; and how long the body will be.
    announced: Option<(Reservation, u64)>,
    /// A body that comes in one piece is not copied.
    first: Bytes,
    /// Else all of it is here.
    whole: Vec<u8>,
}

impl<'a> Incoming<'a> {
    fn new(intake: &'a Intake, told: Option<u64>) -> Result<Self, Refusal> {
        let (announced, reservation) = match intake.announce(told.unwrap_or(0))? {
            Some((announced, reservation)) => (told.map(|told| (announced, told)), reservation),
            None => (None, intake.admit(0)?),
        };
        Ok(Self { intake, reservation, announced, first: Bytes::new(), whole: Vec::new() })
    }

    fn push(&mut self, data: Bytes) -> Result<(), Refusal> {
        let length = self.first.len() + self.whole.len() + data.len();
        let limit = self.intake.body_max();
        if length as u64 > limit {
            return Err(Refusal::TooLarge { limit, decoded: false });
        }
        if let Some((announced, told)) = &mut self.announced {
            announced.settle(told.saturating_sub(length as u64));
        }
        if self.first.is_empty() && self.whole.is_empty() {
            self.intake.hold(&mut self.reservation, length as u64)?;
            self.first = data;
            return Ok(());
        }
        self.make_room(length)?;
        self.whole.extend_from_slice(&std::mem::take(&mut self.first));
        self.whole.extend_from_slice(&data);
        Ok(())
    }

    /// Makes room for `length` bytes in one piece: for all that is announced, or for twice as many
    /// as there are, so that each is moved about once.
    fn make_room(&mut self, length: usize) -> Result<(), Refusal> {
        let had = self.whole.capacity();
        if length <= had {
            return Ok(());
        }
        let capacity = match &self.announced {
            Some((_, told)) => usize::try_from(*told).unwrap_or(length).max(length),
            None => {
                let most = usize::try_from(self.intake.body_max()).unwrap_or(usize::MAX);
                length.max(had.saturating_mul(2)).max(STEP_MIN).min(most.max(length))
            }
        };
        // While the bytes move, both are there.
        let moving = self.first.len() + had;
        let beside = if self.announced.is_some() { 0 } else { moving };
        self.intake.hold(&mut self.reservation, (capacity + beside) as u64)?;
        self.whole.reserve_exact(capacity - self.whole.len());
        self.reservation.settle(capacity as u64);
        Ok(())
    }

    fn finish(self) -> (Bytes, Reservation) {
        let bytes = if self.whole.is_empty() { self.first } else { Bytes::from(self.whole) };
        (bytes, self.reservation)
    }
}
