//! Operations that are functions of the run-time library: containers, scratch buffers, readers.
//!
//! Containers, buffers and readers are known by handles, numbers from 1 on in the order in which
//! things of one kind were made; maps and sets of numbers count as one kind. An operation traps
//! [`Trap::InvalidHandle`](super::Trap::InvalidHandle) when nothing of its kind has the handle.
//!
//! # Ownership
//!
//! Owned operands are consumed. A container owns its `bytes` and yields copies of them. A view that
//! is put into a container is copied, and the copy stays until the run ends, even when it was
//! replaced or removed. So a view that is read from a container points into run-time storage and
//! borrows from nothing; only the default, when that is what is read, is what was passed in. The
//! views of scratch buffers and buffered readers stay valid as well.

use super::Ty;

/// What a container of values holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Element {
    /// [`Ty::I32`], type id 1 or 2.
    Number,
    /// [`Ty::Bytes`], type id 3.
    Bytes,
    /// [`Ty::View`], type id 4.
    View,
}

impl Element {
    /// The type of such an element as operand or result.
    #[must_use]
    pub const fn ty(self) -> Ty {
        match self {
            Self::Number => Ty::I32,
            Self::Bytes => Ty::Bytes,
            Self::View => Ty::View,
        }
    }
}

/// An operation of the run-time library: `(operand types) -> result type`. Traps are those of
/// [`Trap`](super::Trap).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LibraryOp {
    // --- maps and sets of numbers, of fixed capacity; all with a key trap `InvalidKey` for -1
    /// `(I32 capacity) -> I32` a new map or set; traps `InvalidCapacity` unless the capacity is a
    /// power of two.
    MapU32New,
    /// `(I32 handle) -> I32` the number of keys.
    MapU32Len,
    /// `(I32 handle, I32 key, I32 default) -> I32` the key's value.
    MapU32Get,
    /// `(I32 handle, I32 key, I32 value) -> I32` 1 when the key is new, else 0; traps `MapFull`.
    MapU32Set,
    /// `(I32 handle, I32 key) -> I32` 1 or 0.
    MapU32Contains,
    /// `(I32 handle, I32 key) -> I32` 1 when the key was there, else 0.
    MapU32Remove,
    /// `(I32 handle, I32 key) -> I32` 1 when the key is new, else 0; traps `MapFull`.
    SetU32Add,
    /// `(I32 handle) -> Bytes` keys and values, 4 bytes each, in the order of the table.
    MapU32Dump,
    /// `(I32 handle) -> Bytes` keys, 4 bytes each, in the order of the table.
    SetU32Dump,

    // --- vectors of values
    /// `(I32 type id, I32 capacity) -> I32` a new vector; traps `TypeMismatch` when there is no such
    /// type. All with an element trap `TypeMismatch` when the vector holds others.
    VecValueNew,
    /// `(I32 handle) -> I32` the number of elements.
    VecValueLen,
    /// `(I32 handle, I32 n) -> I32` the handle; makes room for n more elements.
    VecValueReserve,
    /// `(I32 handle, element) -> I32` the handle.
    VecValuePush(Element),
    /// `(I32 handle, I32 index, element default) -> element`; the default outside the vector.
    VecValueGet(Element),
    /// `(I32 handle, I32 index, element) -> I32` the handle; traps `OutOfBounds`.
    VecValueSet(Element),
    /// `(I32 handle) -> I32` the handle; nothing happens to an empty vector.
    VecValuePop,
    /// `(I32 handle) -> I32` the handle.
    VecValueClear,

    // --- maps of values: kinds of key and value
    /// `(I32 key type id, I32 value type id, I32 capacity) -> I32` a new map; traps `TypeMismatch`
    /// when there is no such type, and `InvalidCapacity` unless the capacity is a power of two. The
    /// map grows beyond it. All with an element trap `TypeMismatch` when the map holds others.
    MapValueNew,
    /// `(I32 handle) -> I32` the number of keys.
    MapValueLen,
    /// `(I32 handle) -> I32` the handle.
    MapValueClear,
    /// `(I32 handle, key) -> I32` 1 or 0.
    MapValueContains(Element),
    /// `(I32 handle, key) -> I32` the handle.
    MapValueRemove(Element),
    /// `(I32 handle, key, value default) -> value`.
    MapValueGet(Element, Element),
    /// `(I32 handle, key, value) -> I32` the handle.
    MapValueSet(Element, Element),

    // --- scratch buffers
    /// `(I32 capacity) -> I32` a new buffer; the lowest handle that is free.
    ScratchNew,
    /// `(I32 handle) -> I32` the handle; nothing is written any more.
    ScratchClear,
    /// `(I32 handle) -> I32` how many bytes are written.
    ScratchLen,
    /// `(I32 handle) -> I32`.
    ScratchCap,
    /// `(I32 handle) -> View` of what is written.
    ScratchAsView,
    /// `(I32 handle, View) -> ResultI32` the length of what was written, or error 8 when there is no
    /// room for it.
    ScratchTryWrite,
    /// `(I32 handle) -> I32` 1, or 0 when no buffer that is alive has the handle.
    ScratchDrop,

    // --- readers
    /// `(I32 data, I32 functions) -> Iface`.
    IfaceMake,
    /// `(Bytes) -> Iface` a reader of these bytes.
    ReaderOpen,
    /// `(View) -> Iface` a reader of a copy of these bytes.
    ReaderOpenView,
    /// `(Iface, I32 most) -> Bytes` what comes next, empty at the end; traps `ReaderUnsupported`
    /// for an interface of other functions than [`LibraryOp::ReaderOpen`] gives.
    ReaderRead,
    /// `(Iface, I32 capacity) -> I32` a new buffered reader; traps `InvalidCapacity` for 0, and
    /// `ReaderUnsupported`.
    BufferedNew,
    /// `(I32 handle) -> View` what is not consumed, or else as much as fits of what comes next.
    BufferedFill,
    /// `(I32 handle, I32 n) -> I32` 0; traps `OutOfBounds` when less is not consumed.
    BufferedConsume,
}

/// A handle, then these.
const fn with(element: Element) -> &'static [Ty] {
    match element {
        Element::Number => &[Ty::I32, Ty::I32],
        Element::Bytes => &[Ty::I32, Ty::Bytes],
        Element::View => &[Ty::I32, Ty::View],
    }
}

/// A handle, then these.
const fn with_both(first: Element, second: Element) -> &'static [Ty] {
    use Element::{Bytes, Number, View};
    match (first, second) {
        (Number, Number) => &[Ty::I32, Ty::I32, Ty::I32],
        (Number, Bytes) => &[Ty::I32, Ty::I32, Ty::Bytes],
        (Number, View) => &[Ty::I32, Ty::I32, Ty::View],
        (Bytes, Number) => &[Ty::I32, Ty::Bytes, Ty::I32],
        (Bytes, Bytes) => &[Ty::I32, Ty::Bytes, Ty::Bytes],
        (Bytes, View) => &[Ty::I32, Ty::Bytes, Ty::View],
        (View, Number) => &[Ty::I32, Ty::View, Ty::I32],
        (View, Bytes) => &[Ty::I32, Ty::View, Ty::Bytes],
        (View, View) => &[Ty::I32, Ty::View, Ty::View],
    }
}

impl LibraryOp {
    /// The types of its operands.
    #[must_use]
    pub const fn params(self) -> &'static [Ty] {
        match self {
            Self::MapU32New
            | Self::MapU32Len
            | Self::MapU32Dump
            | Self::SetU32Dump
            | Self::VecValueLen
            | Self::VecValuePop
            | Self::VecValueClear
            | Self::MapValueLen
            | Self::MapValueClear
            | Self::ScratchNew
            | Self::ScratchClear
            | Self::ScratchLen
            | Self::ScratchCap
            | Self::ScratchAsView
            | Self::ScratchDrop
            | Self::BufferedFill => &[Ty::I32],
            Self::MapU32Contains
            | Self::MapU32Remove
            | Self::SetU32Add
            | Self::VecValueNew
            | Self::VecValueReserve
            | Self::IfaceMake
            | Self::BufferedConsume => &[Ty::I32, Ty::I32],
            Self::MapU32Get | Self::MapU32Set | Self::MapValueNew => &[Ty::I32, Ty::I32, Ty::I32],
            Self::VecValuePush(element) | Self::MapValueContains(element) | Self::MapValueRemove(element) => {
                with(element)
            }
            Self::VecValueGet(element) | Self::VecValueSet(element) => with_both(Element::Number, element),
            Self::MapValueGet(key, value) | Self::MapValueSet(key, value) => with_both(key, value),
            Self::ScratchTryWrite => &[Ty::I32, Ty::View],
            Self::ReaderOpen => &[Ty::Bytes],
            Self::ReaderOpenView => &[Ty::View],
            Self::ReaderRead | Self::BufferedNew => &[Ty::Iface, Ty::I32],
        }
    }

    /// The type of its result.
    #[must_use]
    pub const fn result(self) -> Ty {
        match self {
            Self::MapU32New
            | Self::MapU32Len
            | Self::MapU32Get
            | Self::MapU32Set
            | Self::MapU32Contains
            | Self::MapU32Remove
            | Self::SetU32Add
            | Self::VecValueNew
            | Self::VecValueLen
            | Self::VecValueReserve
            | Self::VecValuePush(_)
            | Self::VecValueSet(_)
            | Self::VecValuePop
            | Self::VecValueClear
            | Self::MapValueNew
            | Self::MapValueLen
            | Self::MapValueClear
            | Self::MapValueContains(_)
            | Self::MapValueRemove(_)
            | Self::MapValueSet(..)
            | Self::ScratchNew
            | Self::ScratchClear
            | Self::ScratchLen
            | Self::ScratchCap
            | Self::ScratchDrop
            | Self::BufferedNew
            | Self::BufferedConsume => Ty::I32,
            Self::VecValueGet(element) | Self::MapValueGet(_, element) => element.ty(),
            Self::MapU32Dump | Self::SetU32Dump | Self::ReaderRead => Ty::Bytes,
            Self::ScratchAsView | Self::BufferedFill => Ty::View,
            Self::ScratchTryWrite => Ty::ResultI32,
            Self::IfaceMake | Self::ReaderOpen | Self::ReaderOpenView => Ty::Iface,
        }
    }
}
