//! How large JSON values are once they are written, so that what a command leaves behind can be read
//! again.

use serde_json::Value;

/// What values take in a file that is written with indentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes, and rather a few too many than one too few.
    pub bytes: u64,
    /// JSON values.
    pub values: u64,
    /// Levels of lists and objects.
    pub levels: u64,
}

impl Size {
    /// The size of a value that stands `depth` levels deep.
    #[must_use]
    pub fn of(value: &Value, depth: u64) -> Self {
        let mut size = Self::default();
        size.add(value, depth);
        size
    }

    /// Both in one file.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            values: self.values.saturating_add(other.values),
            levels: self.levels.max(other.levels),
        }
    }

    /// Whether it is nowhere more than `limit`.
    #[must_use]
    pub fn fits(self, limit: Self) -> bool {
        self.bytes <= limit.bytes && self.values <= limit.values && self.levels <= limit.levels
    }

    /// Values come from documents, which are at most 256 levels deep.
    fn add(&mut self, value: &Value, depth: u64) {
        // A line of its own, with its indentation and a comma.
        let line = 2 * depth + 2;
        self.values += 1;
        self.bytes += line;
        match value {
            Value::Null | Value::Bool(_) => self.bytes += 5,
            Value::Number(number) => self.bytes += number.to_string().len() as u64,
            Value::String(text) => self.bytes += quoted(text),
            Value::Array(items) => {
                self.open(line, depth);
                items.iter().for_each(|item| self.add(item, depth + 1));
            }
            Value::Object(members) => {
                self.open(line, depth);
                for (name, member) in members {
                    self.bytes += quoted(name) + 2;
                    self.add(member, depth + 1);
                }
            }
        }
    }

    /// Both brackets, of which the second has a line of its own.
    fn open(&mut self, line: u64, depth: u64) {
        self.bytes += line + 2;
        self.levels = self.levels.max(depth + 1);
    }
}

/// Bytes of a text in quotation marks, with its escapes.
fn quoted(text: &str) -> u64 {
    let written = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    2 + text.bytes().map(written).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::json::canonical;
    use serde_json::json;

    #[test]
    fn no_value_is_larger_than_its_size() {
        for value in [
            Value::Null,
            json!(-1.5e300),
            json!([]),
            json!({}),
            json!("a\"\\\u{1}\n\u{e9}"),
            json!({"a\n": [1, [2, [true, {"b": "c"}]], u64::MAX], "d": {"e": {}}}),
            json!(vec![json!("\u{0}"); 100]),
        ] {
            let size = Size::of(&value, 0);
            let written = canonical::pretty(&value).len() as u64;
            assert!((written..=2 * written + 16).contains(&size.bytes), "{value}: {} {written}", size.bytes);
        }
    }

    #[test]
    fn values_and_levels_are_exact() {
        let size = Size::of(&json!({"a": [1, [2]], "b": null}), 3);
        assert_eq!((size.values, size.levels), (6, 6));
        assert_eq!(Size::of(&json!(1), 3).levels, 0);
        let both = size.and(Size { bytes: 1, values: 1, levels: 1 });
        assert_eq!((both.bytes, both.values, both.levels), (size.bytes + 1, 7, 6));
        assert!(size.fits(size) && !both.fits(size));
        assert!(!size.fits(Size { levels: 5, ..size }));
    }
}
