//! The program's own file, as far as it is in memory.
//!
//! With each page of it that is run, the system maps the fifteen around it that it has already. A start
//! runs a little of everything: 47 MiB, of which taking records in needs 26 (docs/adr/006). So they are
//! let go once it is over. What is needed is mapped again from the system's cache of the file, a fault
//! for sixteen pages.
#![expect(unsafe_code, reason = "pages are given back by their address")]

use std::ffi::c_void;
use std::ops::Range;

/// Lets go of the pages of code and constants.
pub fn forget_start() {
    for Range { start, end } in own() {
        let page = std::ptr::with_exposed_provenance_mut::<c_void>(start);
        // SAFETY: nothing was ever written there, so that the next access finds what the file has.
        unsafe { libc::madvise(page, end - start, libc::MADV_DONTNEED) };
    }
}

/// Where the file lies, as far as nothing was written there; nowhere without `/proc`.
fn own() -> Vec<Range<usize>> {
    let Ok(path) = std::fs::read_link("/proc/self/exe") else { return Vec::new() };
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return Vec::new() };
    maps.lines().filter_map(|line| unwritten(line, &path.to_string_lossy())).collect()
}

/// The addresses of a line of `/proc/self/maps`, if they are of this file and nothing was written there:
/// its code, and the constants at its beginning. What the loader relocates is neither.
fn unwritten(line: &str, path: &str) -> Option<Range<usize>> {
    let mut fields = line.strip_suffix(path)?.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let (access, offset) = (fields.next()?, fields.next()?);
    let address = |text| usize::from_str_radix(text, 16).ok();
    let is_unwritten = access == "r-xp" || (access == "r--p" && address(offset)? == 0);
    if is_unwritten { Some(address(start)?..address(end)?) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_loader_wrote_or_another_file_has_is_left_alone() {
        let found = |line: &str| unwritten(line, "/opt/fresnel (deleted)");
        let line = |access: &str, offset: &str| {
            format!(
                "55be1000-55bf3000 {access} {offset} fe:00 10010745                   /opt/fresnel (deleted)"
            )
        };
        let all = Some(0x55be_1000..0x55bf_3000);
        assert_eq!(found(&line("r-xp", "02389000")), all);
        assert_eq!(found(&line("r--p", "00000000")), all);
        assert_eq!(found(&line("r--p", "07c81000")), None);
        assert_eq!(found(&line("rw-p", "0811e000")), None);
        assert_eq!(found("7f36fe2ee000-7f36fe444000 r-xp 00026000 fe:00 326279 /usr/lib/libc.so.6"), None);
        assert_eq!(found("294df400000-2951f400000 rw-p 00000000 00:00 0 "), None);
    }

    #[test]
    fn the_program_runs_on_without_what_was_let_go() {
        let before = own();
        let here = forget_start as *const () as usize;
        assert!(before.iter().any(|range| range.contains(&here)), "{before:?}");
        forget_start();
        assert_eq!(own(), before);
    }
}
