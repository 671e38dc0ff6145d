//! The start of the codec's inputs, which the glue has in static data.

use crate::component::glue::{HttpBudgets, StateDoc};

/// Bytes of a prefix.
pub const PREFIX: usize = 28;

/// What the codec is asked for: the first byte of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Whether a request is refused for what stands before its body.
    Check = 0,
    /// The input of the program for a request.
    Encode = 1,
    /// The response for an output of the program.
    Decode = 2,
    /// The response for a failure of the host.
    Fail = 3,
}

/// A failure that only the glue sees: the second byte of an input for [`Operation::Fail`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostFailure {
    /// The body of the request cannot be read.
    BodyUnread = 0,
    /// The host does not take the status or the headers of a response.
    ResponseRefused = 1,
}

/// What an input for one of the first three operations begins with: operation, whether there is a
/// state, two bytes of nothing, then the most bytes of a path, the most bytes of a query, the most
/// headers, their most bytes, the most bytes of a body (that of the request, or for
/// [`Operation::Decode`] that of the response), and the most bytes of an envelope.
#[must_use]
pub fn prefix(operation: Operation, budgets: &HttpBudgets, state: StateDoc) -> [u8; PREFIX] {
    let body = match operation {
        Operation::Decode => budgets.max_response_body_bytes,
        Operation::Check | Operation::Encode | Operation::Fail => budgets.max_request_body_bytes,
    };
    let limits = [
        budgets.max_path_bytes,
        budgets.max_query_bytes,
        u64::from(budgets.max_headers),
        budgets.max_header_bytes_total,
        body,
        budgets.max_envelope_bytes,
    ];
    let mut prefix = [0; PREFIX];
    let (start, words) = prefix.split_at_mut(4);
    start.copy_from_slice(&[operation as u8, u8::from(state == StateDoc::Header), 0, 0]);
    for (word, limit) in words.chunks_exact_mut(4).zip(limits) {
        // No memory holds more.
        word.copy_from_slice(&u32::try_from(limit).unwrap_or(u32::MAX).to_le_bytes());
    }
    prefix
}

/// The input that asks for the response to a failure of the host.
#[must_use]
pub const fn failure(failure: HostFailure) -> [u8; 2] {
    [Operation::Fail as u8, failure as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGETS: HttpBudgets = HttpBudgets {
        max_request_body_bytes: 5,
        max_response_body_bytes: 6,
        max_headers: 3,
        max_header_bytes_total: 0x0102_0304,
        max_path_bytes: 1,
        max_query_bytes: 2,
        max_envelope_bytes: u64::MAX,
    };

    #[test]
    fn a_prefix_has_operation_state_and_limits() {
        let words: [[u8; 4]; 6] = [[1, 0, 0, 0], [2, 0, 0, 0], [3, 0, 0, 0], [4, 3, 2, 1], [5, 0, 0, 0], [255; 4]];
        let check = prefix(Operation::Check, &BUDGETS, StateDoc::None);
        assert_eq!(check.as_slice(), [&[0; 4][..], words.as_flattened()].concat());
        let decode = prefix(Operation::Decode, &BUDGETS, StateDoc::Header);
        assert_eq!((&decode[..4], decode[20]), (&[2, 1, 0, 0][..], 6));
    }

    #[test]
    fn failures_are_two_bytes() {
        assert_eq!(failure(HostFailure::BodyUnread), [3, 0]);
        assert_eq!(failure(HostFailure::ResponseRefused), [3, 1]);
    }
}
