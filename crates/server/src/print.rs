//! Standard output. A reader that went away (`fresnel query … | head`) ends the program quietly.

use std::io::{self, Write};

use crate::failure::{Failure, Result};

/// Prints text and a line end.
pub fn line(text: &str) -> Result<()> {
    bytes(text.as_bytes())?;
    bytes(b"\n")
}

/// Prints bytes.
pub fn bytes(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::new("could not write to standard output").cause(error)),
    }
}
