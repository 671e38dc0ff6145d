//! What a component says about its own failure: a diagnostic code and its data.
//!
//! | channel | code | data |
//! |---|---|---|
//! | HTTP: headers of the response | `x-x07-diag-code` | `x-x07-diag-data-b64` |
//! | CLI: lines of standard error, within its first 8192 bytes | `x07-diag-code: ` | `x07-diag-data-b64: ` |
//!
//! The guest is not trusted: what it says passes every rule below or is reported as the rule that
//! it breaks. A code that passes is an error of the guest, never one of the host
//! ([`Context::push_guest`](crate::report::Context::push_guest)).

use crate::contract::load;
use crate::report::{Code, Diag};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use serde_json::{Map, Value};

/// Header that carries a code.
pub const CODE_HEADER: &str = "x-x07-diag-code";
/// Header that carries data.
pub const DATA_HEADER: &str = "x-x07-diag-data-b64";

const CODE_LINE: &[u8] = b"x07-diag-code: ";
const DATA_LINE: &[u8] = b"x07-diag-data-b64: ";

/// Bytes of standard error that are looked through.
pub const MAX_SCANNED_BYTES: usize = 8192;
/// Longest code, which is what a report can carry.
pub const MAX_CODE_BYTES: usize = 64;
/// Longest data as base64 text.
pub const MAX_DATA_TEXT_BYTES: usize = 8192;
/// Longest data once it is decoded.
pub const MAX_DATA_BYTES: usize = 4096;

/// Padding must be there; the bits that it leaves over may be anything.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// A diagnostic that a component raised and that keeps every rule.
#[derive(Clone, Debug, PartialEq)]
pub struct GuestDiagnostic {
    code: String,
    data: Option<Map<String, Value>>,
}

/// How a diagnostic came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// In the headers of a response.
    Http,
    /// On standard error.
    Cli,
}

/// A rule that a component breaks. Where it breaks several, the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// More than one code.
    CodeDuplicate,
    /// Data more than once.
    DataDuplicate,
    /// Data without a code.
    DataOrphan,
    /// The code is not one.
    CodeInvalid,
    /// The data is not a small JSON object in base64.
    DataInvalid,
}

impl GuestDiagnostic {
    /// The code: 1 to 64 of `A`–`Z`, `0`–`9` and `_`, with a letter first.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The members of the data, if there is any.
    #[must_use]
    pub fn data(&self) -> Option<&Map<String, Value>> {
        self.data.as_ref()
    }
}

/// Looks for a diagnostic in the headers of a response.
///
/// # Errors
/// The first rule that is broken; of two duplicates the one that comes first.
pub fn from_headers(headers: &HeaderMap) -> Result<Option<GuestDiagnostic>, Rule> {
    let (mut code, mut data) = (None, None);
    for (name, value) in headers {
        let (slot, rule) = match name.as_str() {
            CODE_HEADER => (&mut code, Rule::CodeDuplicate),
            DATA_HEADER => (&mut data, Rule::DataDuplicate),
            _ => continue,
        };
        if slot.replace(value.as_bytes()).is_some() {
            return Err(rule);
        }
    }
    read(code, data)
}

/// Looks for a diagnostic in what a component wrote to standard error.
///
/// # Errors
/// The first rule that is broken.
pub fn from_stderr(stderr: &[u8]) -> Result<Option<GuestDiagnostic>, Rule> {
    let scanned = stderr.get(..MAX_SCANNED_BYTES).unwrap_or(stderr);
    let lines = || scanned.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut codes = lines().filter_map(|line| line.strip_prefix(CODE_LINE));
    let mut data = lines().filter_map(|line| line.strip_prefix(DATA_LINE));
    let (code, first) = (codes.next(), data.next());
    if codes.next().is_some() {
        return Err(Rule::CodeDuplicate);
    }
    if data.next().is_some() {
        return Err(Rule::DataDuplicate);
    }
    read(code, first)
}

fn read(code: Option<&[u8]>, data: Option<&[u8]>) -> Result<Option<GuestDiagnostic>, Rule> {
    match (code, data) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Rule::DataOrphan),
        (Some(code), data) => {
            let code = code_of(trimmed(code)).ok_or(Rule::CodeInvalid)?;
            let data = data.map(|d| data_of(trimmed(d)).ok_or(Rule::DataInvalid)).transpose()?;
            Ok(Some(GuestDiagnostic { code, data }))
        }
    }
}

/// Without blanks and tabs at both ends; other white space stays and makes the value invalid.
fn trimmed(value: &[u8]) -> &[u8] {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let start = value.iter().position(|b| !blank(b)).unwrap_or(value.len());
    let end = value.iter().rposition(|b| !blank(b)).map_or(start, |last| last + 1);
    value.get(start..end).unwrap_or_default()
}

fn code_of(code: &[u8]) -> Option<String> {
    let part = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_';
    let good = code.len() <= MAX_CODE_BYTES && code.first()?.is_ascii_uppercase() && code.iter().all(part);
    good.then(|| String::from_utf8_lossy(code).into_owned())
}

fn data_of(text: &[u8]) -> Option<Map<String, Value>> {
    if text.len() > MAX_DATA_TEXT_BYTES {
        return None;
    }
    let bytes = BASE64.decode(text).ok().filter(|b| b.len() <= MAX_DATA_BYTES)?;
    match load::json_from_bytes("the data", &bytes).ok()? {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// The diagnostic for a report; it is the guest's and goes to `push_guest`.
#[must_use]
pub fn diagnose(found: &GuestDiagnostic) -> Diag {
    let message = match Code::find(&found.code) {
        Some(code) => format!("the component says: {}", code.info().summary),
        None => "the component says that it failed, with a code of its own".to_owned(),
    };
    found
        .data
        .iter()
        .flatten()
        .fold(Diag::of_guest(&found.code, message), |diag, (key, value)| diag.data(key, value.clone()))
}

/// The diagnostic of a broken rule; it is the host's.
#[must_use]
pub fn broken(channel: Channel, rule: Rule) -> Diag {
    let (place, code_name, data_name) = match channel {
        Channel::Http => ("its response", "the header x-x07-diag-code", "the header x-x07-diag-data-b64"),
        Channel::Cli => ("its standard error", "a line x07-diag-code", "a line x07-diag-data-b64"),
    };
    let what = match rule {
        Rule::CodeDuplicate => format!("has {code_name} more than once; it must report one code"),
        Rule::DataDuplicate => format!("has {data_name} more than once; it must report data once"),
        Rule::DataOrphan => format!("has {data_name} and no code; it must report both or none"),
        Rule::CodeInvalid => format!(
            "has {code_name} that is no code; a code has 1 to {MAX_CODE_BYTES} of A-Z, 0-9 and _, with a letter first"
        ),
        Rule::DataInvalid => format!(
            "has {data_name} that cannot be used; data is a JSON object of at most {MAX_DATA_BYTES} bytes in base64 with padding"
        ),
    };
    Diag::new(code_of_rule(channel, rule), format!("the component reports a diagnostic, but {place} {what}"))
}

const fn code_of_rule(channel: Channel, rule: Rule) -> Code {
    match (channel, rule) {
        (Channel::Http, Rule::CodeDuplicate) => Code::HostDiagHttpDiagCodeDuplicate,
        (Channel::Http, Rule::DataDuplicate) => Code::HostDiagHttpDiagDataDuplicate,
        (Channel::Http, Rule::DataOrphan) => Code::HostDiagHttpDiagDataOrphan,
        (Channel::Http, Rule::CodeInvalid) => Code::HostDiagHttpDiagCodeInvalid,
        (Channel::Http, Rule::DataInvalid) => Code::HostDiagHttpDiagDataInvalid,
        (Channel::Cli, Rule::CodeDuplicate) => Code::HostDiagCliDiagCodeDuplicate,
        (Channel::Cli, Rule::DataDuplicate) => Code::HostDiagCliDiagDataDuplicate,
        (Channel::Cli, Rule::DataOrphan) => Code::HostDiagCliDiagDataOrphan,
        (Channel::Cli, Rule::CodeInvalid) => Code::HostDiagCliDiagCodeInvalid,
        (Channel::Cli, Rule::DataInvalid) => Code::HostDiagCliDiagDataInvalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Context, Stage};
    use base64::engine::general_purpose;
    use http::{HeaderName, HeaderValue};
    use serde_json::json;
    use std::time::Instant;

    fn base64(bytes: &[u8]) -> String {
        general_purpose::STANDARD.encode(bytes)
    }

    /// What both channels say about a code and data; they must agree.
    #[track_caller]
    fn both(code: Option<&str>, data: Option<&str>) -> Result<Option<GuestDiagnostic>, Rule> {
        let mut headers = HeaderMap::new();
        let mut stderr = String::from("something else\n");
        if let Some(code) = code {
            headers.append("X-X07-Diag-Code", HeaderValue::from_str(code).expect("a header"));
            stderr.push_str(&format!("x07-diag-code: {code}\n"));
        }
        if let Some(data) = data {
            headers.append("X-X07-Diag-Data-B64", HeaderValue::from_str(data).expect("a header"));
            stderr.push_str(&format!("x07-diag-data-b64: {data}\n"));
        }
        let http = from_headers(&headers);
        // Long data lies beyond what is scanned of standard error.
        if stderr.len() <= MAX_SCANNED_BYTES {
            assert_eq!(http, from_stderr(stderr.as_bytes()), "{stderr}");
        }
        http
    }

    fn raised(code: &str, data: Option<Value>) -> Result<Option<GuestDiagnostic>, Rule> {
        let data = data.map(|d| d.as_object().expect("an object").clone());
        Ok(Some(GuestDiagnostic { code: code.to_owned(), data }))
    }

    #[test]
    fn codes() {
        let longest = format!("A{}", "B".repeat(MAX_CODE_BYTES - 1));
        for good in ["A", "X07WASM_BUDGET_EXCEEDED_CLI_STDIN", "A_0", &longest] {
            assert_eq!(both(Some(good), None), raised(good, None), "{good}");
            assert_eq!(both(Some(&format!(" \t{good}\t ")), None), raised(good, None), "{good} with blanks");
        }
        let too_long = format!("{longest}B");
        for bad in ["", " ", "a", "Ab", "A-B", "A B", "1A", "_A", "A.", "Ä", &too_long] {
            assert_eq!(from_stderr(format!("x07-diag-code: {bad}\n").as_bytes()), Err(Rule::CodeInvalid), "{bad:?}");
            let mut headers = HeaderMap::new();
            headers.append(CODE_HEADER, HeaderValue::from_bytes(bad.as_bytes()).expect("a header"));
            assert_eq!(from_headers(&headers), Err(Rule::CodeInvalid), "{bad:?}");
        }
    }

    #[test]
    fn data() {
        for good in [json!({}), json!({ "a": 1, "b": [null, "ü"] })] {
            let text = base64(good.to_string().as_bytes());
            assert_eq!(both(Some("A"), Some(&text)), raised("A", Some(good.clone())));
            assert_eq!(both(Some("A"), Some(&format!("\t{text} "))), raised("A", Some(good)));
        }
        let object = base64(b"{}");
        assert_eq!(object, "e30=");
        let bad = [
            String::new(),
            "e30".to_owned(),
            "e30==".to_owned(),
            "e3 0=".to_owned(),
            "e30=e30=".to_owned(),
            "=e30".to_owned(),
            "e3-_".to_owned(),
            base64(b"[]"),
            base64(b"1"),
            base64(b"{"),
            base64(b"{} x"),
            base64(b"{\"a\":1,\"a\":2}"),
            base64(b"{\"a\":\"\xff\"}"),
        ];
        for text in bad {
            assert_eq!(both(Some("A"), Some(&text)), Err(Rule::DataInvalid), "{text:?}");
        }
        // The bits that padding leaves over are not looked at.
        assert_eq!(both(Some("A"), Some("e31=")), raised("A", Some(json!({}))));
    }

    #[test]
    fn data_has_4096_bytes_at_most() {
        let object = |len: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(len - 8));
        let fits = base64(object(MAX_DATA_BYTES).as_bytes());
        assert!(fits.len() < MAX_DATA_TEXT_BYTES);
        assert!(both(Some("A"), Some(&fits)).is_ok_and(|d| d.is_some()));
        let too_long = base64(object(MAX_DATA_BYTES + 1).as_bytes());
        assert!(too_long.len() < MAX_DATA_TEXT_BYTES);
        assert_eq!(both(Some("A"), Some(&too_long)), Err(Rule::DataInvalid));
        assert_eq!(both(Some("A"), Some(&"A".repeat(MAX_DATA_TEXT_BYTES + 4))), Err(Rule::DataInvalid));
    }

    #[test]
    fn rules_come_in_their_order() {
        let rule = |text: &str| from_stderr(text.replace('|', "\n").replace('*', "x07-diag-").as_bytes()).err();
        assert_eq!(rule("*data-b64: ?|*data-b64: ?|*code: ?|*code: ?"), Some(Rule::CodeDuplicate));
        assert_eq!(rule("*data-b64: ?|*data-b64: ?|*code: ?"), Some(Rule::DataDuplicate));
        assert_eq!(rule("*data-b64: ?|*data-b64: ?"), Some(Rule::DataDuplicate));
        assert_eq!(rule("*data-b64: ?"), Some(Rule::DataOrphan));
        assert_eq!(rule("*data-b64: ?|*code: ?"), Some(Rule::CodeInvalid));
        assert_eq!(rule("*data-b64: ?|*code: A"), Some(Rule::DataInvalid));
        assert_eq!(rule("*data-b64: e30=|*code: A"), None);
        // The same value twice is still twice.
        assert_eq!(rule("*code: A|*code: A"), Some(Rule::CodeDuplicate));
    }

    #[test]
    fn of_two_duplicated_headers_the_first_wins() {
        let headers = |names: &[&str]| {
            let mut headers = HeaderMap::new();
            for name in names {
                headers.append(HeaderName::from_bytes(name.as_bytes()).expect("a name"), HeaderValue::from_static("A"));
            }
            from_headers(&headers)
        };
        assert_eq!(headers(&[DATA_HEADER, DATA_HEADER, CODE_HEADER, CODE_HEADER]), Err(Rule::DataDuplicate));
        assert_eq!(headers(&[CODE_HEADER, CODE_HEADER, DATA_HEADER, DATA_HEADER]), Err(Rule::CodeDuplicate));
        assert_eq!(headers(&[DATA_HEADER]), Err(Rule::DataOrphan));
        assert_eq!(headers(&["content-type", "x-x07-diag-codes"]), Ok(None));
    }

    #[test]
    fn lines_of_standard_error() {
        let found = |text: &[u8]| from_stderr(text);
        assert_eq!(found(b""), Ok(None));
        assert_eq!(found(b"no code here\n"), Ok(None));
        // At the start, after a line feed, at the end without one, with a carriage return.
        for text in ["x07-diag-code: A\n", "one\nx07-diag-code: A", "\nx07-diag-code: A\r\n", "x07-diag-code: A\r"] {
            assert_eq!(found(text.as_bytes()), raised("A", None), "{text:?}");
        }
        // One carriage return belongs to the line end, a second one to the value.
        assert_eq!(found(b"x07-diag-code: A\r\r\n"), Err(Rule::CodeInvalid));
        // Not at the start of a line, another case, no blank.
        for text in [" x07-diag-code: A", "x x07-diag-code: A", "X07-DIAG-CODE: A", "x07-diag-code:A"] {
            assert_eq!(found(text.as_bytes()), Ok(None), "{text:?}");
        }
        // What is no text does not matter on other lines.
        assert_eq!(found(b"\xff\xfe\nx07-diag-code: A\n\x00"), raised("A", None));
    }

    #[test]
    fn standard_error_is_scanned_for_8192_bytes() {
        let line = "x07-diag-code: A";
        let at = |before: usize| {
            let mut text = "-".repeat(before - 1);
            text.push('\n');
            text.push_str(line);
            from_stderr(text.as_bytes())
        };
        assert_eq!(at(MAX_SCANNED_BYTES - line.len()), raised("A", None));
        // The value is cut off, and with it the code.
        assert_eq!(at(MAX_SCANNED_BYTES - line.len() + 1), Err(Rule::CodeInvalid));
        assert_eq!(at(MAX_SCANNED_BYTES), Ok(None));
        // A second code beyond the limit is not seen.
        let mut text = format!("{line}\n{}\n", "-".repeat(MAX_SCANNED_BYTES));
        text.push_str(line);
        assert_eq!(from_stderr(text.as_bytes()), raised("A", None));
    }

    #[test]
    fn a_known_code_has_its_exit_class_and_cannot_blame_the_host() {
        let exit = |code: &str| {
            let mut context = Context::new(Vec::new(), true, Instant::now());
            let found = from_stderr(format!("x07-diag-code: {code}\n").as_bytes()).expect("valid").expect("there");
            context.push_guest(diagnose(&found));
            context.exit_code()
        };
        assert_eq!(exit("X07WASM_BUDGET_EXCEEDED_CLI_STDIN"), 4);
        assert_eq!(exit("X07WASM_BUDGET_EXCEEDED_HTTP_REQUEST_BODY"), 4);
        assert_eq!(exit("X07WASM_OUTPUT_WRITE_FAILED"), 1);
        assert_eq!(exit("X07WASM_SCHEMA_INVALID"), 1, "a guest has no stage but run");
        assert_eq!(exit("MY_OWN"), 1);
    }

    #[test]
    fn the_data_becomes_that_of_the_diagnostic() {
        let found = both(Some("MY_OWN"), Some(&base64(b"{\"limit\":7}"))).expect("valid").expect("there");
        let diagnostic = diagnose(&found).build();
        assert_eq!((diagnostic.code.as_str(), diagnostic.stage), ("MY_OWN", Stage::Run));
        assert_eq!(diagnostic.data.map(Value::Object), Some(json!({ "limit": 7 })));
        assert_eq!((found.code(), found.data().map(Map::len)), ("MY_OWN", Some(1)));
    }

    #[test]
    fn every_rule_of_every_channel_has_its_code() {
        use Channel::{Cli, Http};
        let expected = [
            (Http, Rule::CodeDuplicate, "X07WASM_HOST_DIAG_HTTP_DIAG_CODE_DUPLICATE"),
            (Http, Rule::DataDuplicate, "X07WASM_HOST_DIAG_HTTP_DIAG_DATA_DUPLICATE"),
            (Http, Rule::DataOrphan, "X07WASM_HOST_DIAG_HTTP_DIAG_DATA_ORPHAN"),
            (Http, Rule::CodeInvalid, "X07WASM_HOST_DIAG_HTTP_DIAG_CODE_INVALID"),
            (Http, Rule::DataInvalid, "X07WASM_HOST_DIAG_HTTP_DIAG_DATA_INVALID"),
            (Cli, Rule::CodeDuplicate, "X07WASM_HOST_DIAG_CLI_DIAG_CODE_DUPLICATE"),
            (Cli, Rule::DataDuplicate, "X07WASM_HOST_DIAG_CLI_DIAG_DATA_DUPLICATE"),
            (Cli, Rule::DataOrphan, "X07WASM_HOST_DIAG_CLI_DIAG_DATA_ORPHAN"),
            (Cli, Rule::CodeInvalid, "X07WASM_HOST_DIAG_CLI_DIAG_CODE_INVALID"),
            (Cli, Rule::DataInvalid, "X07WASM_HOST_DIAG_CLI_DIAG_DATA_INVALID"),
        ];
        for (channel, rule, code) in expected {
            let diagnostic = broken(channel, rule).build();
            assert_eq!(diagnostic.code, code);
            assert!(diagnostic.message.len() > 40, "{}", diagnostic.message);
        }
    }
}
