//! The inputs of property tests: made from a seed, and made smaller when the property fails.
//!
//! An input is laid out as the module `std.pbt.case_v1` reads it: the number of arguments as a
//! 32-bit word, that many offsets and one more, and the arguments. An i32 has four bytes, little
//! endian. The same seed gives the same inputs on every machine.

/// How the inputs of a property are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Number of inputs.
    pub cases: u32,
    /// What they depend on.
    pub seed: u32,
    /// Most calls that are spent on smaller arguments.
    pub max_shrinks: u32,
    /// The arguments.
    pub params: Vec<Param>,
}

/// One argument of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Its values.
    pub kind: Kind,
}

/// The values that an argument may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Numbers from `min` to `max`, both included.
    I32 {
        /// The least.
        min: i32,
        /// The greatest, not less than the least.
        max: i32,
    },
    /// Bytes.
    Bytes {
        /// Their greatest length.
        max_len: u32,
    },
}

/// A value of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    I32(i32),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Places of bytes in which a smaller value is tried.
const MAX_PLACES: usize = 64;

impl Property {
    /// The arguments of a case. The first case has the smallest ones; of the others about every
    /// fourth value lies at a bound.
    #[must_use]
    pub fn case(&self, index: u32) -> Vec<Value> {
        let mut random = Random((u64::from(self.seed) << 32) | u64::from(index));
        self.params.iter().map(|p| if index == 0 { least(p.kind) } else { random.value(p.kind) }).collect()
    }

    /// Arguments as people write them: names and values.
    #[must_use]
    pub fn describe(&self, values: &[Value]) -> String {
        let shown = self.params.iter().zip(values).map(|(param, value)| match value {
            Value::I32(n) => format!("{} = {n}", param.name),
            Value::Bytes(bytes) => format!("{} = {:?}", param.name, String::from_utf8_lossy(bytes)),
        });
        let shown: Vec<String> = shown.collect();
        if shown.is_empty() { "no arguments".to_owned() } else { shown.join(", ") }
    }

    /// Arguments that are smaller than these in one place, the smallest first.
    #[must_use]
    pub fn smaller(&self, values: &[Value]) -> Vec<Vec<Value>> {
        let mut out = Vec::new();
        for (i, (param, value)) in self.params.iter().zip(values).enumerate() {
            for candidate in smaller(param.kind, value) {
                let mut changed = values.to_vec();
                if let Some(place) = changed.get_mut(i) {
                    *place = candidate;
                }
                out.push(changed);
            }
        }
        out
    }
}

/// The bytes of a case.
#[must_use]
pub fn encode(values: &[Value]) -> Vec<u8> {
    let mut payload = Vec::new();
    let mut offsets = vec![0];
    for value in values {
        match value {
            Value::I32(n) => payload.extend(n.to_le_bytes()),
            Value::Bytes(bytes) => payload.extend(bytes),
        }
        offsets.push(word(payload.len()));
    }
    let mut out = Vec::from(word(values.len()).to_le_bytes());
    offsets.iter().for_each(|offset| out.extend(offset.to_le_bytes()));
    out.extend(payload);
    out
}

/// A length as a word; the manifest bounds all of them.
fn word(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The value that shrinking aims at.
fn least(kind: Kind) -> Value {
    match kind {
        Kind::I32 { min, max } => Value::I32(0_i32.clamp(min, max)),
        Kind::Bytes { .. } => Value::Bytes(Vec::new()),
    }
}

fn smaller(kind: Kind, value: &Value) -> Vec<Value> {
    match (kind, value) {
        (Kind::I32 { min, max }, Value::I32(n)) => {
            let (from, to) = (i64::from(*n), i64::from(0_i32.clamp(min, max)));
            let mut out = Vec::new();
            let mut distance = from - to;
            while distance != 0 {
                // Between the value and the aim, both of which are an i32.
                out.extend(i32::try_from(from - distance).ok().map(Value::I32));
                distance /= 2;
            }
            out
        }
        (Kind::Bytes { .. }, Value::Bytes(bytes)) => {
            let mut out = Vec::new();
            let mut cut = bytes.len();
            while cut != 0 {
                out.push(Value::Bytes(bytes.iter().take(bytes.len() - cut).copied().collect()));
                cut /= 2;
            }
            for (i, byte) in bytes.iter().enumerate().take(MAX_PLACES) {
                for candidate in [0, byte / 2, byte.saturating_sub(1)] {
                    let mut changed = bytes.clone();
                    if let Some(place) = changed.get_mut(i).filter(|_| candidate < *byte) {
                        *place = candidate;
                        out.push(Value::Bytes(changed));
                    }
                }
            }
            out
        }
        _ => Vec::new(),
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is at most 2³².
    fn below(&mut self, bound: u64) -> u64 {
        ((self.next() >> 32) * bound) >> 32
    }

    fn value(&mut self, kind: Kind) -> Value {
        match kind {
            Kind::I32 { min, max } => {
                if self.below(4) == 0 {
                    let special = [min, max, 0, 1, -1];
                    let chosen = usize::try_from(self.below(5)).ok().and_then(|i| special.get(i)).copied();
                    return Value::I32(chosen.unwrap_or(0).clamp(min, max));
                }
                let span = (i64::from(max) - i64::from(min) + 1).unsigned_abs();
                let above = i64::try_from(self.below(span)).unwrap_or(0);
                Value::I32(i32::try_from(i64::from(min) + above).unwrap_or(max))
            }
            Kind::Bytes { max_len } => {
                let longest = u64::from(max_len);
                let len = match self.below(8) {
                    0 => 0,
                    1 => longest,
                    _ => self.below(longest + 1),
                };
                Value::Bytes((0..len).map(|_| self.next().to_le_bytes()[7]).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property() -> Property {
        let params = vec![
            Param { name: "n".to_owned(), kind: Kind::I32 { min: -3, max: 9 } },
            Param { name: "b".to_owned(), kind: Kind::Bytes { max_len: 4 } },
        ];
        Property { cases: 10, seed: 7, max_shrinks: 10, params }
    }

    #[test]
    fn a_case_is_laid_out_in_words_and_payload() {
        let bytes = encode(&[Value::I32(-2), Value::Bytes(b"xyz".to_vec())]);
        let mut expected = Vec::new();
        for word in [2_u32, 0, 4, 7] {
            expected.extend(word.to_le_bytes());
        }
        expected.extend([0xfe, 0xff, 0xff, 0xff]);
        expected.extend(b"xyz");
        assert_eq!(bytes, expected);
        assert_eq!(encode(&[]), [0; 8]);
    }

    #[test]
    fn cases_are_repeatable_and_within_bounds() {
        let property = property();
        assert_eq!(property.case(0), [Value::I32(0), Value::Bytes(Vec::new())]);
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..2000 {
            let case = property.case(index);
            assert_eq!(case, property.case(index));
            let [Value::I32(n), Value::Bytes(bytes)] = case.as_slice() else { panic!("{case:?}") };
            assert!((-3..=9).contains(n) && bytes.len() <= 4, "{case:?}");
            seen.insert(*n);
        }
        assert_eq!(seen.len(), 13, "every number comes up: {seen:?}");
        assert_ne!(property.case(5), Property { seed: 8, ..property }.case(5));
    }

    #[test]
    fn the_whole_range_of_numbers_can_be_made() {
        let params = vec![Param { name: "n".to_owned(), kind: Kind::I32 { min: i32::MIN, max: i32::MAX } }];
        let property = Property { cases: 1, seed: 1, max_shrinks: 0, params };
        let numbers: Vec<i32> = (1..200)
            .filter_map(|i| match property.case(i).first() {
                Some(Value::I32(n)) => Some(*n),
                _ => None,
            })
            .collect();
        assert!(numbers.contains(&i32::MIN) && numbers.contains(&i32::MAX));
        assert!(numbers.iter().any(|n| *n > 1 << 30) && numbers.iter().any(|n| *n < -(1 << 30)));
    }

    #[test]
    fn smaller_arguments_lead_to_the_smallest() {
        let property = property();
        let mut values = vec![Value::I32(9), Value::Bytes(b"zzzz".to_vec())];
        let mut steps = 0;
        // A property that holds only for numbers below 5 and for fewer than two bytes.
        let fails = |values: &[Value]| matches!(values, [Value::I32(n), Value::Bytes(b)] if *n >= 5 && b.len() > 1);
        while let Some(next) = property.smaller(&values).into_iter().find(|v| fails(v)) {
            values = next;
            steps += 1;
            assert!(steps < 100);
        }
        assert_eq!(values, [Value::I32(5), Value::Bytes(vec![0, 0])]);
        assert_eq!(property.smaller(&[Value::I32(0), Value::Bytes(Vec::new())]), Vec::<Vec<Value>>::new());
    }
}
