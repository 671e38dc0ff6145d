//! Primitive operations, one after another as their descriptions say.

use x07_wasm::compiler::ir::{Op, Trap, Ty};

use super::eval::{At, World};
use super::store::{BufferId, part};
use super::values::{Flow, Span, Stop, Value, defect, number};

/// The operands of an operation, in order.
pub struct Operands {
    rest: std::vec::IntoIter<Value>,
}

impl Operands {
    pub fn new(values: Vec<Value>) -> Self {
        Self { rest: values.into_iter() }
    }

    pub fn value(&mut self) -> Flow<Value> {
        match self.rest.next() {
            Some(value) => Ok(value),
            None => defect("an operation lacks an operand"),
        }
    }

    pub fn number(&mut self) -> Flow<i32> {
        self.value()?.as_number()
    }

    pub fn size(&mut self) -> Flow<usize> {
        self.value()?.as_size()
    }

    pub fn float(&mut self) -> Flow<f64> {
        self.value()?.as_float()
    }

    pub fn view(&mut self) -> Flow<Span> {
        self.value()?.as_view()
    }

    pub fn bytes(&mut self) -> Flow<Option<BufferId>> {
        self.value()?.as_bytes()
    }

    pub fn vector(&mut self) -> Flow<Option<BufferId>> {
        self.value()?.as_vector()
    }

    /// That there are no more.
    pub fn end(&mut self) -> Flow<()> {
        match self.rest.next() {
            None => Ok(()),
            Some(value) => defect(format!("an operation has the operand {value:?} too many")),
        }
    }
}

impl World {
    /// A fresh buffer; traps when there is certainly no room for it.
    pub fn fresh(&mut self, bytes: Vec<u8>, at: At) -> Flow<Option<BufferId>> {
        if bytes.is_empty() {
            return Ok(None);
        }
        if !self.store.has_room(bytes.len()) {
            return Err(at.trap(Trap::OutOfMemory));
        }
        let capacity = bytes.len();
        Ok(Some(self.store.make(bytes, capacity)))
    }

    pub fn fresh_bytes(&mut self, bytes: Vec<u8>, at: At) -> Flow<Value> {
        self.fresh(bytes, at).map(Value::Bytes)
    }

    /// Performs an operation. `borrowed` says that the first operand is a variable that was only
    /// read, so that it is not freed.
    pub fn apply(&mut self, op: Op, args: Vec<Value>, borrowed: bool, at: At) -> Flow<Value> {
        if let Op::Unchecked(unchecked) = op {
            return match self.apply(unchecked.checked(), args, borrowed, at) {
                Err(Stop::Trap { trap, .. }) => {
                    defect(format!("{unchecked:?} runs with operands that need its check: {trap:?}"))
                }
                other => other,
            };
        }
        if let Some(result) = self.parts_op(op, &args, at) {
            return result;
        }
        let mut args = Operands::new(args);
        let a = &mut args;
        let value = if is_number_op(op) {
            numbers(op, a)?
        } else if let Some(value) = self.buffer_op(op, a, at)? {
            value
        } else if let Some(value) = self.vector_op(op, a, borrowed, at)? {
            value
        } else if let Some(value) = self.choice_op(op, a, borrowed)? {
            value
        } else if let Some(value) = self.float_op(op, a, at)? {
            value
        } else if let Some(value) = self.account_op(op, a, at)? {
            value
        } else if let Op::Library(op) = op {
            self.library_op(op, a, at)?
        } else {
            return Err(Stop::Beyond("it uses an operation that the interpreter does not know"));
        };
        args.end()?;
        Ok(value)
    }

    /// Operations with any number of operands.
    fn parts_op(&mut self, op: Op, args: &[Value], at: At) -> Option<Flow<Value>> {
        match op {
            Op::BytesConcat => Some(self.concat(args, at)),
            Op::WordsToBytes => {
                let words: Flow<Vec<i32>> = args.iter().map(Value::as_number).collect();
                Some(
                    words.and_then(|words| {
                        self.fresh_bytes(words.iter().flat_map(|word| word.to_le_bytes()).collect(), at)
                    }),
                )
            }
            _ => None,
        }
    }

    fn concat(&mut self, args: &[Value], at: At) -> Flow<Value> {
        let mut whole = Vec::new();
        for arg in args {
            match arg {
                Value::Bytes(buffer) => whole.extend_from_slice(self.store.bytes(*buffer)?),
                Value::View(span) => whole.extend_from_slice(self.store.read(*span)?),
                other => return defect(format!("{other:?} is concatenated")),
            }
        }
        // The parts are still there when the whole is made.
        let made = self.fresh_bytes(whole, at)?;
        for arg in args {
            self.store.release(arg)?;
        }
        Ok(made)
    }

    fn buffer_op(&mut self, op: Op, args: &mut Operands, at: At) -> Flow<Option<Value>> {
        Ok(Some(match op {
            Op::ViewLen => {
                let view = args.view()?;
                Value::Number(number(self.store.read(view)?.len()))
            }
            Op::ViewGet => {
                let (view, index) = (args.view()?, args.size()?);
                match self.store.read(view)?.get(index) {
                    Some(byte) => Value::Number(i32::from(*byte)),
                    None => return Err(at.trap(Trap::OutOfBounds)),
                }
            }
            Op::ViewSlice => {
                let (view, start, len) = (args.view()?, args.size()?, args.size()?);
                self.store.read(view)?;
                Value::View(part(view, start, len).ok_or_else(|| at.trap(Trap::OutOfBounds))?)
            }
            Op::ViewToBytes => {
                let bytes = self.store.read(args.view()?)?.to_vec();
                self.fresh_bytes(bytes, at)?
            }
            Op::ViewEq => {
                let (a, b) = (args.view()?, args.view()?);
                Value::truth(self.store.read(a)? == self.store.read(b)?)
            }
            Op::ViewCmpRange => {
                let (a, a_start, a_len) = (args.view()?, args.size()?, args.size()?);
                let (b, b_start, b_len) = (args.view()?, args.size()?, args.size()?);
                let (Some(a), Some(b)) = (part(a, a_start, a_len), part(b, b_start, b_len)) else {
                    return Err(at.trap(Trap::OutOfBounds));
                };
                Value::Number(self.store.read(a)?.cmp(self.store.read(b)?) as i32)
            }
            Op::BytesAlloc => {
                let len = args.size()?;
                if !self.store.has_room(len) {
                    return Err(at.trap(Trap::OutOfMemory));
                }
                self.fresh_bytes(vec![0; len], at)?
            }
            Op::Bytes1 => {
                let byte = args.number()?.to_le_bytes()[0];
                self.fresh_bytes(vec![byte], at)?
            }
            Op::BytesEmpty => Value::Bytes(None),
            Op::BytesSet | Op::BytesSetU32Le => {
                let (buffer, index, value) = (args.bytes()?, args.size()?, args.number()?);
                Value::Bytes(self.write(buffer, index, value, op == Op::BytesSetU32Le, at)?)
            }
            Op::BytesCopy => {
                let (source, target) = (args.bytes()?, args.bytes()?);
                let bytes = self.store.bytes(source)?.to_vec();
                let room = self.store.bytes(target)?.len();
                if bytes.len() > room {
                    return Err(at.trap(Trap::OutOfBounds));
                }
                if let Some(source) = source {
                    self.store.free(source)?;
                }
                Value::Bytes(match target {
                    None => None,
                    Some(_) => {
                        let capacity = self.store.capacity(target)?;
                        Some(self.store.change(target, capacity, |to| to[..bytes.len()].copy_from_slice(&bytes))?)
                    }
                })
            }
            Op::ReadU32Le => {
                let (view, offset) = (args.view()?, args.size()?);
                let word = part(view, offset, 4).ok_or_else(|| at.trap(Trap::OutOfBounds))?;
                let word = self.store.read(word)?;
                Value::Number(i32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            }
            Op::WordFits => {
                let (view, offset) = (args.view()?, args.size()?);
                Value::truth(part(view, offset, 4).is_some())
            }
            Op::WriteU32Le => {
                let word = args.number()?.to_le_bytes();
                self.fresh_bytes(word.to_vec(), at)?
            }
            Op::FmtU32 => {
                let text = args.number()?.cast_unsigned().to_string();
                self.fresh_bytes(text.into_bytes(), at)?
            }
            Op::FmtS32 => {
                let text = args.number()?.to_string();
                self.fresh_bytes(text.into_bytes(), at)?
            }
            Op::ParseU32 => {
                let view = args.view()?;
                self.parse(view, at)?
            }
            Op::ParseU32At => {
                let (view, offset) = (args.view()?, args.size()?);
                let rest = view.len.checked_sub(offset).and_then(|rest| part(view, offset, rest));
                self.parse(rest.ok_or_else(|| at.trap(Trap::OutOfBounds))?, at)?
            }
            Op::DocIsErr => {
                let view = args.view()?;
                Value::truth(self.store.read(view)?.first() != Some(&1))
            }
            _ => return Ok(None),
        }))
    }

    fn parse(&self, view: Span, at: At) -> Flow<Value> {
        let digits = self.store.read(view)?;
        let mut all: Option<u32> = if digits.is_empty() { None } else { Some(0) };
        for digit in digits {
            let digit = if digit.is_ascii_digit() { Some(u32::from(*digit - b'0')) } else { None };
            all = all.zip(digit).and_then(|(all, digit)| all.checked_mul(10)?.checked_add(digit));
        }
        all.map(|all| Value::Number(all.cast_signed())).ok_or_else(|| at.trap(Trap::ParseFailed))
    }

    /// Writes the low byte, or the four bytes, of a value into a buffer.
    fn write(
        &mut self,
        buffer: Option<BufferId>,
        index: usize,
        value: i32,
        word: bool,
        at: At,
    ) -> Flow<Option<BufferId>> {
        let bytes = value.to_le_bytes();
        let bytes = if word { &bytes[..] } else { &bytes[..1] };
        let len = self.store.bytes(buffer)?.len();
        if index > len || bytes.len() > len - index {
            return Err(at.trap(Trap::OutOfBounds));
        }
        let capacity = self.store.capacity(buffer)?;
        self.store.change(buffer, capacity, |to| to[index..index + bytes.len()].copy_from_slice(bytes)).map(Some)
    }

    fn vector_op(&mut self, op: Op, args: &mut Operands, borrowed: bool, at: At) -> Flow<Option<Value>> {
        Ok(Some(match op {
            Op::VecWithCapacity => {
                let capacity = args.size()?;
                if !self.store.has_room(capacity) {
                    return Err(at.trap(Trap::OutOfMemory));
                }
                let buffer = if capacity == 0 { None } else { Some(self.store.make(Vec::new(), capacity)) };
                Value::Vector(buffer)
            }
            Op::VecLen | Op::VecCap | Op::VecGet => {
                let vector = args.vector()?;
                let found = match op {
                    Op::VecLen => number(self.store.bytes(vector)?.len()),
                    Op::VecCap => number(self.store.capacity(vector)?),
                    _ => {
                        let index = args.size()?;
                        let byte = self.store.bytes(vector)?.get(index).copied();
                        byte.map(i32::from).ok_or_else(|| at.trap(Trap::OutOfBounds))?
                    }
                };
                if let Some(vector) = vector.filter(|_| !borrowed) {
                    self.store.free(vector)?;
                }
                Value::Number(found)
            }
            Op::VecSet | Op::VecSetU32Le => {
                let (vector, index, value) = (args.vector()?, args.size()?, args.number()?);
                Value::Vector(self.write(vector, index, value, op == Op::VecSetU32Le, at)?)
            }
            Op::VecPush => {
                let (vector, value) = (args.vector()?, args.number()?);
                let capacity = self.store.capacity(vector)?;
                let full = self.store.bytes(vector)?.len() == capacity;
                let capacity = if full { (capacity * 2).max(1) } else { capacity };
                Value::Vector(self.extend(vector, &value.to_le_bytes()[..1], capacity, at)?)
            }
            Op::VecPushU32Le => {
                let (vector, value) = (args.vector()?, args.number()?);
                Value::Vector(self.append(vector, &value.to_le_bytes(), at)?)
            }
            Op::VecClear => {
                let vector = args.vector()?;
                let capacity = self.store.capacity(vector)?;
                Value::Vector(match vector {
                    None => None,
                    some => Some(self.store.change(some, capacity, Vec::clear)?),
                })
            }
            Op::VecReserveExact => {
                let (vector, more) = (args.vector()?, args.size()?);
                let wanted = self.store.bytes(vector)?.len() + more;
                let capacity = self.store.capacity(vector)?.max(wanted);
                Value::Vector(self.extend(vector, &[], capacity, at)?)
            }
            Op::VecExtendZeroes => {
                let (vector, more) = (args.vector()?, args.size()?);
                if !self.store.has_room(more) {
                    return Err(at.trap(Trap::OutOfMemory));
                }
                Value::Vector(self.append(vector, &vec![0; more], at)?)
            }
            Op::VecExtendView => {
                let (vector, view) = (args.vector()?, args.view()?);
                let added = self.store.read(view)?.to_vec();
                Value::Vector(self.append(vector, &added, at)?)
            }
            Op::VecExtendRange => {
                let (vector, view, start, len) = (args.vector()?, args.view()?, args.size()?, args.size()?);
                let range = part(view, start, len).ok_or_else(|| at.trap(Trap::OutOfBounds))?;
                let added = self.store.read(range)?.to_vec();
                Value::Vector(self.append(vector, &added, at)?)
            }
            Op::VecIntoBytes => Value::Bytes(args.vector()?),
            _ => return Ok(None),
        }))
    }

    /// Appends, with the growth of the operations that append many bytes.
    fn append(&mut self, vector: Option<BufferId>, added: &[u8], at: At) -> Flow<Option<BufferId>> {
        let needed = self.store.bytes(vector)?.len() + added.len();
        let mut capacity = self.store.capacity(vector)?;
        if capacity < needed {
            capacity = capacity.max(1);
            while capacity < needed && capacity < 1 << 31 {
                capacity *= 2;
            }
            capacity = if capacity > 1 << 31 { needed } else { capacity };
        }
        self.extend(vector, added, capacity, at)
    }

    /// Appends to a vector that has this capacity then.
    fn extend(&mut self, vector: Option<BufferId>, added: &[u8], capacity: usize, at: At) -> Flow<Option<BufferId>> {
        let before = self.store.capacity(vector)?;
        if vector.is_none() && capacity == 0 {
            return Ok(None);
        }
        if !self.store.has_room(capacity.saturating_sub(before)) {
            return Err(at.trap(Trap::OutOfMemory));
        }
        self.store.change(vector, capacity, |bytes| bytes.extend_from_slice(added)).map(Some)
    }

    /// Options and results.
    fn choice_op(&mut self, op: Op, args: &mut Operands, borrowed: bool) -> Flow<Option<Value>> {
        let checked = |value: Value, ty: Ty| {
            if value.is(ty) { Ok(value) } else { defect(format!("{op:?} gives {value:?}")) }
        };
        Ok(Some(match op {
            Op::OptionNone(ty) => checked(Value::Option(None), ty)?,
            Op::OptionSome(ty) => checked(Value::some(args.value()?), ty)?,
            Op::ResultOk(ty) => checked(Value::ok(args.value()?), ty)?,
            Op::ResultErr(ty) => checked(Value::err(args.number()?), ty)?,
            Op::OptionIsSome(_) => {
                let value = args.value()?;
                self.looked_at(&value, borrowed)?;
                Value::truth(value.into_option()?.is_some())
            }
            Op::ResultIsOk(_) => {
                let value = args.value()?;
                self.looked_at(&value, borrowed)?;
                Value::truth(value.into_result()?.is_ok())
            }
            Op::ResultErrCode(_) => {
                let value = args.value()?;
                self.looked_at(&value, borrowed)?;
                Value::Number(value.into_result()?.err().unwrap_or(0))
            }
            Op::OptionUnwrapOr(ty) => {
                let (option, default) = (args.value()?.into_option()?, args.value()?);
                checked(self.either(option, default)?, ty.payload())?
            }
            Op::ResultUnwrapOr(ty) => {
                let (result, default) = (args.value()?.into_result()?, args.value()?);
                checked(self.either(result.ok(), default)?, ty.payload())?
            }
            _ => return Ok(None),
        }))
    }

    fn looked_at(&mut self, value: &Value, borrowed: bool) -> Flow<()> {
        if borrowed { Ok(()) } else { self.store.release(value) }
    }

    fn either(&mut self, payload: Option<Box<Value>>, default: Value) -> Flow<Value> {
        match payload {
            None => Ok(default),
            Some(payload) => {
                self.store.release(&default)?;
                Ok(*payload)
            }
        }
    }

    fn float_op(&mut self, op: Op, args: &mut Operands, at: At) -> Flow<Option<Value>> {
        let mut two = || -> Flow<(f64, f64)> { Ok((args.float()?, args.float()?)) };
        Ok(Some(match op {
            Op::F64Add => two().map(|(a, b)| Value::Float(a + b))?,
            Op::F64Sub => two().map(|(a, b)| Value::Float(a - b))?,
            Op::F64Mul => two().map(|(a, b)| Value::Float(a * b))?,
            Op::F64Div => two().map(|(a, b)| Value::Float(a / b))?,
            Op::F64Min => two().map(|(a, b)| Value::Float(smaller(a, b)))?,
            Op::F64Max => two().map(|(a, b)| Value::Float(-smaller(-a, -b)))?,
            Op::F64OfI32 => Value::Float(f64::from(args.number()?)),
            Op::F64ToI32 => Value::Number(args.float()? as i32),
            Op::F64FitsI32 => {
                let float = args.float()?;
                Value::truth(float > -2_147_483_649.0 && float < 2_147_483_648.0)
            }
            Op::F64Sqrt => Value::Float(args.float()?.sqrt()),
            Op::F64Neg => Value::Float(-args.float()?),
            Op::F64Abs => Value::Float(args.float()?.abs()),
            Op::F64Floor => Value::Float(args.float()?.floor()),
            Op::F64Ceil => Value::Float(args.float()?.ceil()),
            Op::F64FromBytes => {
                let view = args.view()?;
                let bytes: Result<[u8; 8], _> = self.store.read(view)?.try_into();
                Value::Float(f64::from_le_bytes(bytes.map_err(|_| at.trap(Trap::BadNumber))?))
            }
            Op::F64ToBytes => {
                let bytes = args.float()?.to_le_bytes();
                self.fresh_bytes(bytes.to_vec(), at)?
            }
            _ => return Ok(None),
        }))
    }
}

/// The smaller float, of two zeros the negative one; when one is no number, the other.
fn smaller(a: f64, b: f64) -> f64 {
    if a.is_nan() {
        b
    } else if b.is_nan() || a < b || (a == b && a.is_sign_negative()) {
        a
    } else {
        b
    }
}

const NUMBER_OPS: [Op; 22] = [
    Op::Add,
    Op::Sub,
    Op::Mul,
    Op::DivU,
    Op::RemU,
    Op::And,
    Op::Or,
    Op::Xor,
    Op::Shl,
    Op::ShrU,
    Op::Eq,
    Op::Ne,
    Op::LtS,
    Op::LeS,
    Op::GtS,
    Op::GeS,
    Op::LtU,
    Op::LeU,
    Op::GtU,
    Op::GeU,
    Op::PrngLcgNext,
    Op::SetExitCode,
];

fn is_number_op(op: Op) -> bool {
    NUMBER_OPS.contains(&op)
}

fn numbers(op: Op, args: &mut Operands) -> Flow<Value> {
    let a = args.number()?;
    match op {
        Op::PrngLcgNext => return Ok(Value::Number(a.wrapping_mul(1_103_515_245).wrapping_add(12_345))),
        Op::SetExitCode => return Ok(Value::Number(a)),
        _ => {}
    }
    let b = args.number()?;
    let (x, y) = (a.cast_unsigned(), b.cast_unsigned());
    Ok(Value::Number(match op {
        Op::Add => a.wrapping_add(b),
        Op::Sub => a.wrapping_sub(b),
        Op::Mul => a.wrapping_mul(b),
        Op::DivU => x.checked_div(y).unwrap_or(0).cast_signed(),
        Op::RemU => x.checked_rem(y).unwrap_or(x).cast_signed(),
        Op::And => a & b,
        Op::Or => a | b,
        Op::Xor => a ^ b,
        Op::Shl => (x << (y & 31)).cast_signed(),
        Op::ShrU => (x >> (y & 31)).cast_signed(),
        Op::Eq => i32::from(a == b),
        Op::Ne => i32::from(a != b),
        Op::LtS => i32::from(a < b),
        Op::LeS => i32::from(a <= b),
        Op::GtS => i32::from(a > b),
        Op::GeS => i32::from(a >= b),
        Op::LtU => i32::from(x < y),
        Op::LeU => i32::from(x <= y),
        Op::GtU => i32::from(x > y),
        Op::GeU => i32::from(x >= y),
        other => return defect(format!("{other:?} is no operation on numbers")),
    }))
}

#[test]
fn minima_of_floats() {
    assert!(smaller(0.0, -0.0).is_sign_negative() && smaller(-0.0, 0.0).is_sign_negative());
    assert_eq!(smaller(f64::NAN, 1.0).to_bits(), 1.0_f64.to_bits());
    assert_eq!(smaller(2.0, f64::NAN).to_bits(), 2.0_f64.to_bits());
}
