/// The longest name of a file that file systems take, in bytes.
pub const FILE_NAME_BYTES_MAX: usize = 255;

/// Names that Windows keeps for devices, with any extension.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// A name of a file that a stranger chose, as one that is safe to create in a folder and to show.
///
/// Only what follows the last separator is kept. Characters that some file system or shell takes
/// for something else, control characters, invisible ones, marks that turn the direction of text, and
/// look-alikes of `/`, `\` and `.` become `_`. Dots and blanks at the ends go, names of devices get
/// a `_` in front, and the rest is cut to [`FILE_NAME_BYTES_MAX`], the extension kept. The answer
/// is never empty, never `.` or `..`, and giving it back in changes nothing.
///
/// It is no promise that the name is free: create with `create_new`.
///
/// ```
/// use fresnel_sdk::security::file_name;
///
/// assert_eq!(file_name("../../etc/passwd"), "passwd");
/// assert_eq!(file_name("r\u{e9}sum\u{e9} 2024.pdf"), "résumé 2024.pdf");
/// assert_eq!(file_name("invoice\u{202e}fdp.exe"), "invoice_fdp.exe");
/// assert_eq!(file_name("con.txt"), "_con.txt");
/// ```
pub fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let safe: String = last.chars().map(|it| if is_unsafe(it) { '_' } else { it }).collect();
    let trimmed = safe.trim_matches(|it: char| it == '.' || it.is_whitespace());
    let named = if trimmed.is_empty() {
        "_".to_owned()
    } else if is_device(trimmed) {
        format!("_{trimmed}")
    } else {
        trimmed.to_owned()
    };
    shorten(named)
}

fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '<' | '>' | ':' | '"' | '|' | '?' | '*' | '\u{fffd}')
        || is_invisible(character)
        || is_look_alike(character)
}

/// Without width, or turning the direction: what is shown would not be what is there.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// What normalising turns into `/`, `\`, `.` or `:`, or what looks like one.
fn is_look_alike(character: char) -> bool {
    matches!(
        character,
        '\u{2024}'
            ..='\u{2026}'
                | '\u{2044}'
                | '\u{2215}'
                | '\u{2216}'
                | '\u{29f5}'
                | '\u{29f8}'
                | '\u{29f9}'
                | '\u{fe13}'
                | '\u{fe19}'
                | '\u{fe30}'
                | '\u{fe52}'
                | '\u{fe55}'
                | '\u{fe68}'
                | '\u{ff0e}'
                | '\u{ff0f}'
                | '\u{ff1a}'
                | '\u{ff3c}'
                | '\u{a789}'
                | '\u{2571}'
                | '\u{1735}'
    )
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let is_port = |prefix: &str| {
        let rest = stem.strip_prefix(prefix).unwrap_or_default();
        let mut digits = rest.chars();
        let digit = digits.next().is_some_and(|it| it.is_ascii_digit() || matches!(it, '¹' | '²' | '³'));
        digit && digits.next().is_none()
    };
    DEVICES.contains(&stem.as_str()) || is_port("com") || is_port("lpt")
}

/// Cuts the stem; an extension that is longer than 32 bytes is none.
fn shorten(name: String) -> String {
    if name.len() <= FILE_NAME_BYTES_MAX {
        return name;
    }
    let extension = match name.rfind('.') {
        Some(dot) if name.len() - dot <= 32 => &name[dot..],
        _ => "",
    };
    let mut end = FILE_NAME_BYTES_MAX - extension.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let stem = name[..end].trim_end_matches(|it: char| it == '.' || it.is_whitespace());
    format!("{stem}{extension}")
}
