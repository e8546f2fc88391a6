//! That something takes its time, for people: on standard error, where that is a terminal.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// What is quicker shows nothing.
const QUIET_FOR: Duration = Duration::from_millis(500);
const REDRAW_EVERY: Duration = Duration::from_millis(100);

/// How far an answer has come.
#[derive(Debug, Default)]
pub struct Progress {
    bytes: Cell<u64>,
    shown: RefCell<Shown>,
}

/// What is on the terminal.
#[derive(Debug, Default)]
enum Shown {
    #[default]
    Nothing,
    Bar(Cleared),
    /// The answer itself, from now on.
    Answer,
}

impl Progress {
    /// So many more bytes came.
    pub fn received(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes as u64);
    }

    /// The answer is printed as it comes: it is sign enough.
    pub fn answers(&self) {
        self.shown.replace(Shown::Answer);
    }

    /// Shows time and bytes while `work` goes on; nothing of it stays.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let done = tokio::select! {
            done = work => done,
            never = self.show() => match never {},
        };
        self.shown.take();
        done
    }

    async fn show(&self) -> std::convert::Infallible {
        tokio::time::sleep(QUIET_FOR).await;
        // Draws nothing where standard error is no terminal, and clears itself when dropped. It has
        // no colours that NO_COLOR would have to take away.
        let bar = ProgressBar::new_spinner().with_elapsed(QUIET_FOR);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
            bar.set_style(style);
        }
        if matches!(*self.shown.borrow(), Shown::Nothing) {
            self.shown.replace(Shown::Bar(Cleared(bar)));
        }
        loop {
            if let Shown::Bar(Cleared(bar)) = &*self.shown.borrow() {
                bar.set_message(match self.bytes.get() {
                    0 => "running".to_owned(),
                    bytes => format!("{} received", indicatif::HumanBytes(bytes)),
                });
                bar.tick();
            }
            tokio::time::sleep(REDRAW_EVERY).await;
        }
    }
}

/// Leaves the terminal as it was.
#[derive(Debug)]
struct Cleared(ProgressBar);

impl Drop for Cleared {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
