use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::manifest::SegmentMeta;

/// Which segments are being read, and by how many.
#[derive(Clone, Debug, Default)]
pub(crate) struct PinBoard(Arc<Mutex<HashMap<String, usize>>>);

/// Keeps the files of segments from being deleted while it lives.
#[derive(Debug)]
pub(crate) struct Pins {
    board: PinBoard,
    segments: Vec<Arc<SegmentMeta>>,
}

impl PinBoard {
    pub(crate) fn pin(&self, segments: &[Arc<SegmentMeta>]) -> Pins {
        let mut readers = self.0.lock();
        for segment in segments {
            *readers.entry(segment.id.clone()).or_default() += 1;
        }
        Pins { board: self.clone(), segments: segments.to_vec() }
    }

    pub(crate) fn is_pinned(&self, id: &str) -> bool {
        self.0.lock().contains_key(id)
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let mut readers = self.board.0.lock();
        for segment in &self.segments {
            if let Some(count) = readers.get_mut(&segment.id) {
                *count -= 1;
                if *count == 0 {
                    readers.remove(&segment.id);
                }
            }
        }
    }
}
