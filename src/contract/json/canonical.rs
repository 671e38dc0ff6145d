//! The canonical form of JSON: what is written, and what hashes are taken over.
//!
//! Members sorted by code point, no blanks (or two spaces of indentation when pretty), shortest
//! decimals without a plus sign in the exponent, only the escapes that JSON demands, one line feed at
//! the end. `serde_json` with its sorted map gives all of this but the exponent.

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};
use std::io::{self, Write};

/// Compact canonical bytes, with the final line feed.
#[must_use]
pub fn compact(value: &Value) -> Vec<u8> {
    write(value, CompactFormatter)
}

/// Pretty canonical bytes, with the final line feed.
#[must_use]
pub fn pretty(value: &Value) -> Vec<u8> {
    write(value, PrettyFormatter::with_indent(b"  "))
}

fn write<F: Formatter>(value: &Value, layout: F) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing a value to memory cannot fail: it has string keys only and finite numbers only.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut out, Canonical(layout)));
    out.push(b'\n');
    out
}

/// A layout whose exponents carry no plus sign.
struct Canonical<F>(F);

impl<F: Formatter> Formatter for Canonical<F> {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let mut text = Vec::new();
        self.0.write_f64(&mut text, value)?;
        text.retain(|b| *b != b'+');
        writer.write_all(&text)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn text(value: &Value) -> String {
        String::from_utf8(compact(value)).expect("JSON is UTF-8")
    }

    #[test]
    fn the_rules_of_the_table() {
        assert_eq!(text(&json!({"b":1,"a":{"d":[],"c":{}}})), "{\"a\":{\"c\":{},\"d\":[]},\"b\":1}\n");
        assert_eq!(
            text(&json!("\"\\\u{8}\u{c}\n\r\t\u{1}\u{1f}/\u{7f}é😀")),
            "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f/\u{7f}é😀\"\n"
        );
        assert_eq!(
            text(&json!([u64::MAX, i64::MIN, 1.0, 1e30, 1e-7, 0.1, -0.0, 1.5])),
            "[18446744073709551615,-9223372036854775808,1.0,1e30,1e-7,0.1,-0.0,1.5]\n"
        );
        // Code points, not UTF-16 units: U+FFFD comes before U+10000.
        assert_eq!(text(&json!({"\u{10000}":1,"\u{fffd}":2})), "{\"\u{fffd}\":2,\"\u{10000}\":1}\n");
        assert_eq!(
            pretty(&json!({"a":[],"b":{},"c":[1,{"d":null}]})),
            b"{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    {\n      \"d\": null\n    }\n  ]\n}\n"
        );
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn reading_and_writing_again_changes_no_byte(value in any_value()) {
            let once = compact(&value);
            let read = super::super::tree::Tree::parse(std::str::from_utf8(&once).expect("UTF-8"), super::super::tree::Limits::DOCUMENT).expect("valid");
            prop_assert_eq!(&compact(&read.to_value(read.root())), &once);
            let again: Value = serde_json::from_slice(&pretty(&value)).expect("valid");
            prop_assert_eq!(compact(&again), once);
        }
    }
}
