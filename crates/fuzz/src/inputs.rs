//! Inputs that are kept as text, one a line: printable ASCII as it is, the rest as Python's bytes are escaped.
//! `make/fuzz_inputs.py` writes the same form, and unpacks it for libFuzzer.

use std::path::Path;

/// Returns the inputs of `seeds/NAME.txt` and `corpus/NAME.txt`, and the golden file of that name if there is one.
pub fn read_inputs(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut inputs = Vec::new();
    for kind in ["seeds", "corpus"] {
        let path = folder.join(kind).join(format!("{name}.txt"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        inputs.extend(text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(unescape));
    }
    inputs.extend(std::fs::read(folder.join(format!("../../tests/golden/{name}.json"))));
    inputs
}

/// Undoes the escapes of a line.
fn unescape(line: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(line.len());
    let mut rest = line.bytes();
    while let Some(byte) = rest.next() {
        let read = if byte == b'\\' { read_escape(&mut rest) } else { Some(byte) };
        bytes.push(read.unwrap_or_else(|| panic!("an unknown escape in: {line}")));
    }
    bytes
}

fn read_escape(rest: &mut impl Iterator<Item = u8>) -> Option<u8> {
    match rest.next()? {
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b'\\' => Some(b'\\'),
        b'x' => {
            let digits = [char::from(rest.next()?), char::from(rest.next()?)].map(|digit| digit.to_digit(16));
            u8::try_from(digits[0]? * 16 + digits[1]?).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescape(r#"{"a":"\\u0061"}\r\n\t\x00\xfF"#), b"{\"a\":\"\\u0061\"}\r\n\t\x00\xff");
        for line in [r"\", r"\q", r"\x0", r"\xg0"] {
            assert!(std::panic::catch_unwind(|| unescape(line)).is_err(), "{line}");
        }
    }

    #[test]
    fn the_golden_snapshot_is_an_input() {
        assert!(read_inputs("snapshot").contains(&include_bytes!("../../../tests/golden/snapshot.json").to_vec()));
    }
}
