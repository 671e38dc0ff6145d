//! What the writer of random programs knows: types, variables, functions.

/// The types of expressions that are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Number,
    Float,
    Bytes,
    View,
    Vector,
    OptionNumber,
    OptionBytes,
    ResultNumber,
    ResultBytes,
}

impl Kind {
    pub const ALL: [Self; 9] = [
        Self::Number,
        Self::Bytes,
        Self::View,
        Self::Vector,
        Self::OptionBytes,
        Self::ResultBytes,
        Self::OptionNumber,
        Self::ResultNumber,
        Self::Float,
    ];

    /// How programs write the type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Number => "i32",
            Self::Float => "f64",
            Self::Bytes => "bytes",
            Self::View => "bytes_view",
            Self::Vector => "vec_u8",
            Self::OptionNumber => "option_i32",
            Self::OptionBytes => "option_bytes",
            Self::ResultNumber => "result_i32",
            Self::ResultBytes => "result_bytes",
        }
    }

    pub const fn is_owned(self) -> bool {
        matches!(self, Self::Bytes | Self::Vector | Self::OptionBytes | Self::ResultBytes)
    }
}

/// What a variable is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It may be read, moved and assigned.
    Plain,
    /// It may only be read: a counter.
    Counter,
    /// A handle: a map of numbers, a vector of bytes, a map of bytes, a scratch buffer, a buffered
    /// reader, a channel.
    Map,
    Values,
    Dictionary,
    Scratch,
    Reader,
    Channel,
}

pub struct Var {
    pub name: String,
    pub kind: Kind,
    pub role: Role,
    pub moved: bool,
    /// How many views of it are alive.
    pub pinned: usize,
    /// The variables that this view pins.
    pub roots: Vec<usize>,
}

/// A function that can be called.
#[derive(Clone)]
pub struct Signature {
    pub name: String,
    pub params: Vec<Kind>,
    pub result: Kind,
}

/// Which parts of the language are used.
#[derive(Clone, Copy, Default)]
pub struct Features {
    /// Containers, buffers, readers, generic functions, records, enums, brands.
    pub library: bool,
    /// Tasks and channels.
    pub tasks: bool,
}
