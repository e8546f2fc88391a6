use std::io::{self, IsTerminal, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Formatted, Output, WriteError};

/// One of the streams of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Whether people look at it in colours: it is a terminal, and `NO_COLOR` is not set.
    pub fn wants_color(self) -> bool {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        !refused && self.is_terminal()
    }

    /// Whether it is a terminal.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Stdout => io::stdout().is_terminal(),
            Self::Stderr => io::stderr().is_terminal(),
        }
    }
}

/// Lines on a stream of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Console {
    stream: Stream,
}

impl Console {
    /// On this stream.
    pub fn new(stream: Stream) -> Self {
        Self { stream }
    }
}

impl Output for Console {
    fn name(&self) -> &str {
        match self.stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }

    fn write(&mut self, batch: &[Formatted]) -> Result<(), WriteError> {
        let lines = super::file::lines(batch);
        let written = match self.stream {
            Stream::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(&lines).and_then(|()| stdout.flush())
            }
            Stream::Stderr => io::stderr().lock().write_all(&lines),
        };
        // How much of it is out is not known, and lines must not be there twice.
        written.map_err(|error| WriteError::permanent(format!("cannot write to {}: {error}", self.name())))
    }

    fn is_remote(&self) -> bool {
        false
    }
}
