//! Byte offsets as lines and columns.

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Byte offset, from 0.
    pub offset: u32,
}

/// Finds lines and columns in one text.
pub struct LineIndex<'t> {
    text: &'t str,
    starts: Vec<u32>,
}

impl<'t> LineIndex<'t> {
    /// Indexes a text; only `\n` ends a line.
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        let ends = text.bytes().enumerate().filter(|&(_, b)| b == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(i, _)| saturate(i + 1))).collect();
        Self { text, starts }
    }

    /// The position of a byte offset; offsets beyond the text count as its end.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let offset = saturate(offset.min(self.text.len()));
        let line = self.starts.partition_point(|&s| s <= offset).max(1) - 1;
        let start = self.starts.get(line).copied().unwrap_or(0);
        let before = self.text.as_bytes().get(start as usize..offset as usize).unwrap_or_default();
        // Continuation bytes belong to the character that a byte before them began.
        let column = before.iter().filter(|b| **b & 0xC0 != 0x80).count() + 1;
        Position { line: saturate(line + 1), column: saturate(column), offset }
    }
}

fn saturate(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let text = "aé\nb\n";
        let index = LineIndex::new(text);
        let at = |offset| {
            let p = index.position(offset);
            (p.line, p.column)
        };
        assert_eq!(
            [at(0), at(1), at(3), at(4), at(5), at(6), at(99)],
            [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (3, 1), (3, 1)]
        );
    }
}
