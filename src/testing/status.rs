//! The status record: what the function of a test returns.
//!
//! | bytes | content |
//! |---|---|
//! | 0 | 1 pass, 0 fail, 2 skip |
//! | 1–4 | code of a failure, little endian; 0 otherwise |
//!
//! A failure with the code 1003 may go on: `X7T1`, one byte with the most bytes that are kept of an
//! operand, the lengths of both operands as 32-bit words, and the first bytes of each.

/// The code of a failed comparison of bytes, the only one with details.
pub const CODE_BYTES_DIFFER: u32 = 1003;

const MAGIC: &[u8] = b"X7T1";
const PASS: u8 = 1;
const FAIL: u8 = 0;
const SKIP: u8 = 2;

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// The test passed.
    Pass,
    /// It failed.
    Fail {
        /// Its code.
        code: u32,
        /// The operands of the comparison that failed.
        details: Option<Details>,
    },
    /// It does not apply.
    Skip,
}

/// The operands of a failed comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// Most bytes that are kept of each.
    pub prefix_limit: u8,
    /// What the program had.
    pub got: Excerpt,
    /// What it was compared with.
    pub expected: Excerpt,
}

/// The beginning of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// Length of the whole.
    pub len: u32,
    /// The first of them.
    pub prefix: Vec<u8>,
}

/// Reads a record.
///
/// # Errors
/// What is wrong with it, as the end of a sentence that begins with the test.
pub fn read(bytes: &[u8]) -> Result<Status, String> {
    let Some((&[tag, c0, c1, c2, c3], rest)) = bytes.split_first_chunk::<5>() else {
        return Err(format!("returned {} bytes, but a status record has at least 5", bytes.len()));
    };
    let code = u32::from_le_bytes([c0, c1, c2, c3]);
    match tag {
        FAIL if rest.is_empty() => Ok(Status::Fail { code, details: None }),
        FAIL if code == CODE_BYTES_DIFFER => match details(rest) {
            Some(details) => Ok(Status::Fail { code, details: Some(details) }),
            None => Err(format!("returned a status record whose details, {} bytes, are malformed", rest.len())),
        },
        PASS | SKIP if rest.is_empty() && code == 0 => Ok(if tag == PASS { Status::Pass } else { Status::Skip }),
        PASS | SKIP if rest.is_empty() => {
            Err(format!("returned a status record with the tag {tag} and the code {code}, which only failures have"))
        }
        PASS | FAIL | SKIP => Err(format!("returned a status record of {} bytes, but it must have 5", bytes.len())),
        _ => Err(format!("returned a status record with the unknown tag {tag}; use 0, 1 or 2")),
    }
}

fn details(bytes: &[u8]) -> Option<Details> {
    let bytes = bytes.strip_prefix(MAGIC)?;
    let (&prefix_limit, bytes) = bytes.split_first()?;
    let (got_len, bytes) = bytes.split_first_chunk::<4>()?;
    let (expected_len, bytes) = bytes.split_first_chunk::<4>()?;
    let (got_len, expected_len) = (u32::from_le_bytes(*got_len), u32::from_le_bytes(*expected_len));
    let kept = |len: u32| usize::try_from(len.min(u32::from(prefix_limit))).unwrap_or(usize::MAX);
    if bytes.len() != kept(got_len) + kept(expected_len) {
        return None;
    }
    let (got, expected) = bytes.split_at_checked(kept(got_len))?;
    Some(Details {
        prefix_limit,
        got: Excerpt { len: got_len, prefix: got.to_vec() },
        expected: Excerpt { len: expected_len, prefix: expected.to_vec() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_bytes_say_it_all() {
        assert_eq!(read(&[1, 0, 0, 0, 0]), Ok(Status::Pass));
        assert_eq!(read(&[2, 0, 0, 0, 0]), Ok(Status::Skip));
        assert_eq!(read(&[0, 1, 2, 0, 0]), Ok(Status::Fail { code: 513, details: None }));
        assert_eq!(read(&[0, 0xeb, 3, 0, 0]), Ok(Status::Fail { code: 1003, details: None }));
    }

    #[test]
    fn anything_else_is_an_error() {
        for odd in
            [&[][..], &[1, 0, 0, 0], &[3, 0, 0, 0, 0], &[1, 1, 0, 0, 0], &[1, 0, 0, 0, 0, 0], &[0, 1, 0, 0, 0, 9]]
        {
            assert!(read(odd).is_err(), "{odd:?}");
        }
    }

    /// A record with details.
    fn record(limit: u8, got: u32, expected: u32, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![0, 0xeb, 3, 0, 0];
        out.extend(b"X7T1");
        out.push(limit);
        out.extend(got.to_le_bytes());
        out.extend(expected.to_le_bytes());
        out.extend(bytes);
        out
    }

    #[test]
    fn details_hold_the_first_bytes_of_both_operands() {
        let whole = Details {
            prefix_limit: 64,
            got: Excerpt { len: 2, prefix: b"ab".to_vec() },
            expected: Excerpt { len: 0, prefix: Vec::new() },
        };
        assert_eq!(read(&record(64, 2, 0, b"ab")), Ok(Status::Fail { code: 1003, details: Some(whole) }));
        let cut = Details {
            prefix_limit: 1,
            got: Excerpt { len: 2, prefix: b"a".to_vec() },
            expected: Excerpt { len: u32::MAX, prefix: b"x".to_vec() },
        };
        assert_eq!(read(&record(1, 2, u32::MAX, b"ax")), Ok(Status::Fail { code: 1003, details: Some(cut) }));
        for (limit, got, expected, bytes) in [(64, 2, 0, &b"a"[..]), (64, 2, 0, &b"abc"[..]), (64, 9, 9, &b""[..])] {
            assert!(read(&record(limit, got, expected, bytes)).is_err());
        }
        for len in 6..record(64, 0, 0, b"").len() {
            assert!(read(&record(64, 0, 0, b"")[..len]).is_err(), "{len}");
        }
    }
}
