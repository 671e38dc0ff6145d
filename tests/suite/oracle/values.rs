//! Values of the interpreter, and why an evaluation ends before its end.

use x07_wasm::compiler::ir::{FuncId, SiteId, Trap, Ty};

use super::store::{BufferId, NOTHING};

/// A part of a buffer, as it was when the view was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub buffer: BufferId,
    /// How often the buffer had changed.
    pub version: u32,
    pub start: usize,
    pub len: usize,
}

impl Span {
    /// A view of nothing.
    pub const EMPTY: Self = Self { buffer: NOTHING, version: 0, start: 0, len: 0 };
}

/// A value. Options, results and interfaces of all types have one form each; handles, slots and
/// events are numbers.
#[derive(Clone, Debug)]
pub enum Value {
    Unit,
    Number(i32),
    Float(f64),
    /// Owned; `None` is the empty value, which owns nothing.
    Bytes(Option<BufferId>),
    View(Span),
    /// Owned, as bytes are.
    Vector(Option<BufferId>),
    Option(Option<Box<Value>>),
    Result(Result<Box<Value>, i32>),
    Interface(i32, i32),
}

/// Why an evaluation ends before its end.
#[derive(Clone, Debug)]
pub enum Stop {
    /// The function is left with this result.
    Return(Value),
    /// The program ends.
    Trap { trap: Trap, site: SiteId, function: FuncId },
    /// The task was canceled while it waited.
    Canceled,
    /// The program breaks a rule that the checker promises: the compiler has a mistake.
    Defect(String),
    /// The run is longer or larger than the interpreter goes, or uses what it does not model.
    Beyond(&'static str),
}

/// The outcome of a step.
pub type Flow<T> = Result<T, Stop>;

/// A mistake of the compiler.
pub fn defect<T>(what: impl Into<String>) -> Flow<T> {
    Err(Stop::Defect(what.into()))
}

/// A size or offset: numbers are read unsigned.
pub fn size(number: i32) -> usize {
    number.cast_unsigned() as usize
}

/// A size as a number of the language. Sizes never pass 32 bits: the store refuses such buffers.
pub fn number(size: usize) -> i32 {
    u32::try_from(size).expect("buffers are small").cast_signed()
}

impl Value {
    /// The empty value of a type: what all words zero mean.
    pub fn empty(ty: Ty) -> Self {
        match ty {
            Ty::Unit | Ty::Never => Self::Unit,
            Ty::I32 | Ty::TaskBytes | Ty::TaskResult | Ty::Slot | Ty::Event => Self::Number(0),
            Ty::F64 => Self::Float(0.0),
            Ty::Bytes => Self::Bytes(None),
            Ty::View => Self::View(Span::EMPTY),
            Ty::Vec => Self::Vector(None),
            Ty::OptionI32 | Ty::OptionBytes | Ty::OptionView | Ty::OptionEvent => Self::Option(None),
            Ty::ResultI32 | Ty::ResultBytes | Ty::ResultView | Ty::ResultResultBytes => Self::Result(Err(0)),
            Ty::Iface => Self::Interface(0, 0),
        }
    }

    /// Whether a value is one of a type.
    pub fn is(&self, ty: Ty) -> bool {
        match (self, ty) {
            (Self::Unit, Ty::Unit)
            | (Self::Number(_), Ty::I32 | Ty::TaskBytes | Ty::TaskResult | Ty::Slot | Ty::Event)
            | (Self::Float(_), Ty::F64)
            | (Self::Bytes(_), Ty::Bytes)
            | (Self::View(_), Ty::View)
            | (Self::Vector(_), Ty::Vec)
            | (Self::Interface(..), Ty::Iface) => true,
            (Self::Option(inner), Ty::OptionI32 | Ty::OptionBytes | Ty::OptionView | Ty::OptionEvent) => {
                inner.as_ref().is_none_or(|inner| inner.is(ty.payload()))
            }
            (Self::Result(inner), Ty::ResultI32 | Ty::ResultBytes | Ty::ResultView | Ty::ResultResultBytes) => {
                match inner {
                    Ok(inner) => inner.is(ty.payload()),
                    Err(_) => true,
                }
            }
            _ => false,
        }
    }

    /// The buffers that the value owns.
    pub fn owned(&self) -> Option<BufferId> {
        match self {
            Self::Bytes(buffer) | Self::Vector(buffer) => *buffer,
            Self::Option(Some(inner)) | Self::Result(Ok(inner)) => inner.owned(),
            _ => None,
        }
    }

    pub fn some(value: Self) -> Self {
        Self::Option(Some(Box::new(value)))
    }

    pub fn ok(value: Self) -> Self {
        Self::Result(Ok(Box::new(value)))
    }

    pub fn err(code: i32) -> Self {
        Self::Result(Err(code))
    }

    pub fn truth(value: bool) -> Self {
        Self::Number(i32::from(value))
    }

    pub fn as_number(&self) -> Flow<i32> {
        match self {
            Self::Number(number) => Ok(*number),
            other => defect(format!("{other:?} stands where a number is wanted")),
        }
    }

    pub fn as_size(&self) -> Flow<usize> {
        self.as_number().map(size)
    }

    pub fn as_float(&self) -> Flow<f64> {
        match self {
            Self::Float(float) => Ok(*float),
            other => defect(format!("{other:?} stands where a float is wanted")),
        }
    }

    pub fn as_view(&self) -> Flow<Span> {
        match self {
            Self::View(span) => Ok(*span),
            other => defect(format!("{other:?} stands where a view is wanted")),
        }
    }

    pub fn as_bytes(&self) -> Flow<Option<BufferId>> {
        match self {
            Self::Bytes(buffer) => Ok(*buffer),
            other => defect(format!("{other:?} stands where bytes are wanted")),
        }
    }

    pub fn as_vector(&self) -> Flow<Option<BufferId>> {
        match self {
            Self::Vector(buffer) => Ok(*buffer),
            other => defect(format!("{other:?} stands where a vector is wanted")),
        }
    }

    pub fn into_option(self) -> Flow<Option<Box<Self>>> {
        match self {
            Self::Option(inner) => Ok(inner),
            other => defect(format!("{other:?} stands where an option is wanted")),
        }
    }

    pub fn into_result(self) -> Flow<Result<Box<Self>, i32>> {
        match self {
            Self::Result(inner) => Ok(inner),
            other => defect(format!("{other:?} stands where a result is wanted")),
        }
    }
}
