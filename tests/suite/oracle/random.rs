//! Choices from a tape of numbers: the same tape makes the same choices, and a shorter tape, or one
//! with more zeroes, makes simpler ones. The number 0 stands for the simplest choice everywhere, and
//! so does the end of the tape.

/// A tape that is read.
pub struct Choices<'t> {
    tape: std::slice::Iter<'t, u32>,
}

impl<'t> Choices<'t> {
    pub fn new(tape: &'t [u32]) -> Self {
        Self { tape: tape.iter() }
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.tape.next().map_or(0, |number| *number as usize % bound)
    }

    /// True one time in so many, and never at the end of the tape.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    pub fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

/// The tape of a seed (SplitMix64).
pub fn tape(seed: u64, length: usize) -> Vec<u32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) >> 32
    };
    (0..length).map(|_| u32::try_from(next()).unwrap_or(0)).collect()
}

/// Makes a tape on which something fails simpler, as long as it still fails; tries at most so often.
pub fn shrink(tape: &[u32], tries: usize, fails: impl Fn(&[u32]) -> bool) -> Vec<u32> {
    let mut best = tape.to_vec();
    let mut left = tries;
    let mut chunk = best.len().max(1);
    while chunk > 0 && left > 0 {
        let mut start = 0;
        while start < best.len() && left > 0 {
            let end = (start + chunk).min(best.len());
            let mut without = best.clone();
            without.drain(start..end);
            let mut zeroed = best.clone();
            zeroed[start..end].fill(0);
            left -= 1;
            if fails(&without) {
                best = without;
                continue;
            }
            if zeroed != best && fails(&zeroed) {
                best = zeroed;
            }
            start = end;
        }
        chunk /= 2;
    }
    best
}

#[test]
fn tapes_shrink_to_what_matters() {
    let long = tape(7, 50);
    assert_eq!(tape(7, 50), long);
    let mut long = long;
    long[33] = 5;
    assert_eq!(shrink(&long, 1000, |tape| tape.contains(&5)), [5]);
}
