//! The values that numbers and lengths have, as far as they can be told apart.
//!
//! A [`Value`] stands for one number, which never changes: an assignment gives a variable another
//! value, it does not change the value. So what is known about values stays true. Equal values are
//! equal numbers; different ones may be equal or not. All comparisons here are unsigned.

use std::collections::{HashMap, HashSet};

use super::fold;
use crate::compiler::ir::Op;

/// The most bytes a buffer has: all of the memory but the allocator's tables.
pub(super) const MOST_BYTES: u32 = u32::MAX - 895;
/// The largest constant that is added to an index whose neighbours are known.
const NEAR: u32 = 64;
/// How many neighbours of an index are tried.
const NEIGHBOURS: u32 = 4;
/// Bytes in a word.
const WORD: u32 = 4;

/// A number that the program computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Value(u32);

/// How a value comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Source {
    Constant(u32),
    /// From somewhere that is not looked into.
    Unknown(u32),
    /// Never one of two constants.
    Op(Op, Value, Value),
}

/// Something that holds from a place on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fact {
    /// The first is less than the second.
    Below(Value, Value),
    /// Four more than the first, without wrapping around, is not more than the second.
    Word(Value, Value),
}

/// All values of a function, and what is known about them.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    sources: Vec<Source>,
    /// For each value, a number that it does not exceed.
    most: Vec<u32>,
    known: HashMap<Source, Value>,
    /// What holds now, and in the order in which it became known.
    facts: HashSet<Fact>,
    order: Vec<Fact>,
}

impl Numbers {
    fn add(&mut self, source: Source, most: u32) -> Value {
        // One value for each node at most, so their number fits 32 bits.
        let value = Value(self.sources.len() as u32);
        self.sources.push(source);
        self.most.push(most);
        self.known.insert(source, value);
        value
    }

    /// A value about which only a limit is known.
    pub(super) fn unknown(&mut self, most: u32) -> Value {
        self.add(Source::Unknown(self.sources.len() as u32), most)
    }

    /// The value of a constant.
    pub(super) fn constant(&mut self, number: u32) -> Value {
        let source = Source::Constant(number);
        match self.known.get(&source) {
            Some(value) => *value,
            None => self.add(source, number),
        }
    }

    fn source(&self, value: Value) -> Source {
        // Values are positions in this list, which never shrinks.
        self.sources[value.0 as usize]
    }

    /// A number that the value does not exceed.
    pub(super) fn most(&self, value: Value) -> u32 {
        // As in `source`.
        self.most[value.0 as usize]
    }

    /// The number, if it is a constant.
    pub(super) fn as_constant(&self, value: Value) -> Option<u32> {
        match self.source(value) {
            Source::Constant(number) => Some(number),
            _ => None,
        }
    }

    /// The value of an operation on two numbers.
    pub(super) fn operation(&mut self, op: Op, left: Value, right: Value) -> Value {
        let (mut op, mut left, mut right) = (op, left, right);
        if let (Some(a), Some(b)) = (self.as_constant(left), self.as_constant(right))
            && let Some(number) = fold::constant(op, a as i32, b as i32)
        {
            return self.constant(number as u32);
        }
        if matches!(op, Op::Add | Op::Mul | Op::And | Op::Or | Op::Xor | Op::Eq | Op::Ne)
            && (self.as_constant(left).is_some() || (self.as_constant(right).is_none() && right < left))
        {
            std::mem::swap(&mut left, &mut right);
        }
        // One form for what can be written in several ways.
        if let Some(number) = self.as_constant(right) {
            match op {
                Op::Sub => {
                    op = Op::Add;
                    right = self.constant(number.wrapping_neg());
                }
                Op::Shl => {
                    op = Op::Mul;
                    right = self.constant(1 << (number & 31));
                }
                Op::ShrU => {
                    op = Op::DivU;
                    right = self.constant(1 << (number & 31));
                }
                _ => {}
            }
        }
        if let Some(number) = self.as_constant(right) {
            if matches!((op, number), (Op::Add | Op::Or | Op::Xor, 0) | (Op::Mul | Op::DivU, 1)) {
                return left;
            }
            if op == Op::Add
                && let Source::Op(Op::Add, inner, constant) = self.source(left)
                && let Some(other) = self.as_constant(constant)
            {
                let sum = self.constant(number.wrapping_add(other));
                return self.operation(Op::Add, inner, sum);
            }
        }
        let source = Source::Op(op, left, right);
        if let Some(value) = self.known.get(&source) {
            return *value;
        }
        let most = self.most_of(op, left, right);
        self.add(source, most)
    }

    fn most_of(&self, op: Op, left: Value, right: Value) -> u32 {
        let (a, b) = (self.most(left), self.most(right));
        match op {
            Op::Eq | Op::Ne | Op::LtS | Op::LeS | Op::GtS | Op::GeS | Op::LtU | Op::LeU | Op::GtU | Op::GeU => 1,
            Op::Add => a.saturating_add(b),
            Op::Mul => a.saturating_mul(b),
            Op::And => a.min(b),
            // All bits up to the highest one.
            Op::Or | Op::Xor => u32::MAX.checked_shr((a | b).leading_zeros()).unwrap_or(0),
            Op::ShrU => a,
            Op::DivU => match self.as_constant(right) {
                Some(divisor) => a.checked_div(divisor).unwrap_or(0),
                None => a,
            },
            Op::RemU => match self.as_constant(right) {
                Some(divisor) if divisor > 0 => a.min(divisor - 1),
                _ => a,
            },
            _ => u32::MAX,
        }
    }

    /// The present state, for [`Numbers::forget`].
    pub(super) fn mark(&self) -> usize {
        self.order.len()
    }

    /// Forgets what became known since [`Numbers::mark`].
    pub(super) fn forget(&mut self, mark: usize) {
        while self.order.len() > mark {
            if let Some(fact) = self.order.pop() {
                self.facts.remove(&fact);
            }
        }
    }

    /// Notes something that holds from here on.
    pub(super) fn learn(&mut self, fact: Fact) {
        if self.facts.insert(fact) {
            self.order.push(fact);
        }
    }

    fn holds(&self, fact: Fact) -> bool {
        self.facts.contains(&fact)
    }

    /// The value of an operation, if the program computes it.
    fn find(&self, op: Op, left: Value, right: u32) -> Option<Value> {
        let right = *self.known.get(&Source::Constant(right))?;
        self.known.get(&Source::Op(op, left, right)).copied()
    }

    /// A value as another one plus a constant.
    fn split_sum(&self, value: Value) -> (Value, u32) {
        if let Source::Op(Op::Add, base, constant) = self.source(value)
            && let Some(number) = self.as_constant(constant)
        {
            return (base, number);
        }
        (value, 0)
    }

    /// Whether an index is certainly below the length of a buffer.
    pub(super) fn is_below(&self, index: Value, length: Value) -> bool {
        if let Some(number) = self.as_constant(length)
            && self.most(index) < number
        {
            return true;
        }
        if self.holds(Fact::Below(index, length)) || self.holds(Fact::Word(index, length)) {
            return true;
        }
        let (base, offset) = self.split_sum(index);
        if offset > NEAR {
            return false;
        }
        (offset < WORD && self.holds(Fact::Word(base, length)))
            || self.is_in_record(base, offset, 1, length)
            || self.is_before_known(base, offset, length)
    }

    /// Whether a word at an offset certainly fits a buffer of this length.
    pub(super) fn word_fits(&self, offset: Value, length: Value) -> bool {
        if let Some(number) = self.as_constant(length)
            && u64::from(self.most(offset)) + u64::from(WORD) <= u64::from(number)
        {
            return true;
        }
        if self.holds(Fact::Word(offset, length)) {
            return true;
        }
        let (base, distance) = self.split_sum(offset);
        distance <= NEAR && self.is_in_record(base, distance, WORD, length)
    }

    /// Whether `base` is the start of the `i`th of some records of `n` bytes, `base = i * n`, of
    /// which the buffer has more than `i`, and `size` bytes from `offset` on lie in that record.
    fn is_in_record(&self, base: Value, offset: u32, size: u32, length: Value) -> bool {
        let Source::Op(Op::Mul, number, record) = self.source(base) else { return false };
        let Some(record) = self.as_constant(record) else { return false };
        if record == 0 || offset.checked_add(size).is_none_or(|end| end > record) {
            return false;
        }
        // number < length / record, hence (number + 1) * record <= length.
        self.find(Op::DivU, length, record).is_some_and(|count| self.holds(Fact::Below(number, count)))
    }

    /// Whether an index a little larger is known to be in the buffer, and no index in between
    /// wraps around.
    fn is_before_known(&self, base: Value, offset: u32, length: Value) -> bool {
        // A buffer's length leaves room for `NEAR` above it.
        let no_wrap = self.most(base) <= MOST_BYTES
            || self.holds(Fact::Below(base, length))
            || self.holds(Fact::Word(base, length));
        no_wrap
            && (1..=NEIGHBOURS).any(|step| {
                let further = offset + step;
                self.find(Op::Add, base, further).is_some_and(|known| {
                    further <= NEAR && (self.holds(Fact::Below(known, length)) || self.holds(Fact::Word(known, length)))
                })
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_same_number_are_one() {
        let mut numbers = Numbers::default();
        let x = numbers.unknown(u32::MAX);
        let four = numbers.constant(4);
        let two = numbers.constant(2);
        let product = numbers.operation(Op::Mul, four, x);
        assert_eq!(numbers.operation(Op::Shl, x, two), product);
        let a = numbers.operation(Op::Add, x, two);
        let a = numbers.operation(Op::Add, a, two);
        assert_eq!(numbers.operation(Op::Add, four, x), a);
        assert_eq!(numbers.operation(Op::Sub, a, four), x);
        assert_ne!(numbers.unknown(7), x);
    }

    #[test]
    fn limits_follow_operations() {
        let mut numbers = Numbers::default();
        let byte = numbers.unknown(255);
        let any = numbers.unknown(u32::MAX);
        let number = |numbers: &mut Numbers, n| numbers.constant(n);
        let four = number(&mut numbers, 4);
        let product = numbers.operation(Op::Mul, byte, four);
        assert_eq!(numbers.most(product), 1020);
        let mask = number(&mut numbers, 63);
        let masked = numbers.operation(Op::And, any, mask);
        assert_eq!(numbers.most(masked), 63);
        let shifted = numbers.operation(Op::ShrU, any, four);
        assert_eq!(numbers.most(shifted), u32::MAX >> 4);
        let remainder = numbers.operation(Op::RemU, any, mask);
        assert_eq!(numbers.most(remainder), 62);
        let either = numbers.operation(Op::Or, byte, mask);
        assert_eq!(numbers.most(either), 255);
        let sum = numbers.operation(Op::Add, any, byte);
        assert_eq!(numbers.most(sum), u32::MAX);
        let zero = number(&mut numbers, 0);
        let unchanged = numbers.operation(Op::RemU, any, zero);
        assert_eq!(numbers.most(unchanged), u32::MAX);
        let wrapped = numbers.operation(Op::Sub, byte, any);
        assert_eq!(numbers.most(wrapped), u32::MAX);
    }

    #[test]
    fn neighbours_are_known_unless_they_may_wrap() {
        let mut numbers = Numbers::default();
        let length = numbers.unknown(MOST_BYTES);
        let index = numbers.unknown(u32::MAX);
        let two = numbers.constant(2);
        let one = numbers.constant(1);
        let far = numbers.operation(Op::Add, index, two);
        let near = numbers.operation(Op::Add, index, one);
        let mark = numbers.mark();
        numbers.learn(Fact::Below(far, length));
        assert!(numbers.is_below(far, length));
        // The index may be the largest number, and two more than that is 1.
        assert!(!numbers.is_below(index, length));
        assert!(!numbers.is_below(near, length));
        numbers.learn(Fact::Below(index, length));
        assert!(numbers.is_below(near, length));
        numbers.forget(mark);
        assert!(!numbers.is_below(far, length));
        let small = numbers.unknown(1000);
        let further = numbers.operation(Op::Add, small, one);
        numbers.learn(Fact::Below(further, length));
        assert!(numbers.is_below(small, length));
    }

    #[test]
    fn records_fit_when_their_number_does() {
        let mut numbers = Numbers::default();
        let length = numbers.unknown(MOST_BYTES);
        let i = numbers.unknown(u32::MAX);
        let four = numbers.constant(4);
        let two = numbers.constant(2);
        let count = numbers.operation(Op::ShrU, length, two);
        let offset = numbers.operation(Op::Mul, i, four);
        assert!(!numbers.word_fits(offset, length));
        numbers.learn(Fact::Below(i, count));
        assert!(numbers.word_fits(offset, length));
        let next = numbers.operation(Op::Add, offset, four);
        assert!(!numbers.word_fits(next, length));
        let one = numbers.constant(1);
        let inside = numbers.operation(Op::Add, offset, one);
        assert!(numbers.is_below(inside, length));
        assert!(!numbers.word_fits(inside, length));
        let other = numbers.unknown(MOST_BYTES);
        assert!(!numbers.word_fits(offset, other));
    }
}
