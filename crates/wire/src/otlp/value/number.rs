/// The digits of the numbers below 1000, and how many there are.
const SHORT: [[u8; 4]; 1000] = short_table();

const fn short_table() -> [[u8; 4]; 1000] {
    let mut table = [[0; 4]; 1000];
    let mut number = 0;
    while number < 1000 {
        let digits =
            [b'0' + (number / 100) as u8, b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8];
        table[number] = match number {
            0..10 => [digits[2], 0, 0, 1],
            10..100 => [digits[1], digits[2], 0, 2],
            _ => [digits[0], digits[1], digits[2], 3],
        };
        number += 1;
    }
    table
}

/// Appends a number that is nearly always short, such as a status code.
#[inline(always)]
pub(super) fn short(out: &mut Vec<u8>, value: u16) {
    match SHORT.get(usize::from(value)) {
        Some(digits) => {
            let start = out.len();
            out.extend_from_slice(digits);
            out.truncate(start + usize::from(digits[3]));
        }
        None => int(out, i64::from(value)),
    }
}

/// Appends an integer.
pub(super) fn int(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    for (index, to) in digits.iter_mut().enumerate().rev() {
        *to = b'0' + (rest % 10).to_le_bytes()[0];
        rest /= 10;
        at = index;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// Appends the shortest text that reads as the same double; JSON has no word for some of them.
pub(super) fn double(out: &mut Vec<u8>, value: f64) {
    let word: &[u8] = match value {
        value if value.is_nan() => b"\"NaN\"",
        f64::INFINITY => b"\"Infinity\"",
        f64::NEG_INFINITY => b"\"-Infinity\"",
        _ => return serde_json::to_writer(out, &value).expect("a Vec takes every byte"),
    };
    out.extend_from_slice(word);
}
