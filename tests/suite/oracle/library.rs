//! Operations of the run-time library: containers, scratch buffers, readers.

use std::collections::{BTreeMap, BTreeSet};

use x07_wasm::compiler::ir::library::Element;
use x07_wasm::compiler::ir::{LibraryOp, Trap};

use super::eval::{At, World};
use super::ops::Operands;
use super::store::{BufferId, part};
use super::values::{Flow, Span, Value, number, size};

/// The second word of the interface of a reader over bytes.
const READER: i32 = 1;

/// The key that no table of numbers may hold.
const NO_KEY: u32 = u32::MAX;

/// The error of a write that does not fit.
const NO_ROOM: i32 = 8;

/// A table of numbers: slots with key and value.
struct Table {
    slots: Vec<Option<(u32, i32)>>,
}

/// A vector of values; `ty` is the kind of its elements.
struct Vector {
    ty: Element,
    elements: Vec<Value>,
}

/// What keys are told apart by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(i32),
    Bytes(Vec<u8>),
}

struct Map {
    key: Element,
    value: Element,
    entries: BTreeMap<Key, Value>,
}

struct Scratch {
    buffer: BufferId,
    capacity: usize,
    written: usize,
}

/// A reader: what it reads from, how far it is.
struct Reader {
    rest: Span,
}

struct Buffered {
    reader: usize,
    capacity: usize,
    window: Span,
}

/// All things that have handles.
#[derive(Default)]
pub struct Library {
    tables: Vec<Table>,
    vectors: Vec<Vector>,
    maps: Vec<Map>,
    scratch: Vec<Option<Scratch>>,
    free_scratch: BTreeSet<usize>,
    readers: Vec<Reader>,
    buffered: Vec<Buffered>,
}

/// The thing with a handle; handles count from 1.
fn find<T>(things: &mut [T], handle: i32, at: At) -> Flow<&mut T> {
    let index = size(handle).checked_sub(1);
    index.and_then(|index| things.get_mut(index)).ok_or_else(|| at.trap(Trap::InvalidHandle))
}

/// The kind of elements with a type id.
fn element(id: i32, at: At) -> Flow<Element> {
    match id {
        1 | 2 => Ok(Element::Number),
        3 => Ok(Element::Bytes),
        4 => Ok(Element::View),
        _ => Err(at.trap(Trap::TypeMismatch)),
    }
}

fn same(found: Element, wanted: Element, at: At) -> Flow<()> {
    if found == wanted { Ok(()) } else { Err(at.trap(Trap::TypeMismatch)) }
}

impl Table {
    fn mask(&self) -> u32 {
        u32::try_from(self.slots.len() - 1).expect("a small table")
    }

    /// The slot of a key, or the free slot where it would go; `None` when it is nowhere and the
    /// table is full.
    fn slot(&self, key: u32) -> Option<usize> {
        let first = key.wrapping_mul(2_654_435_769) & self.mask();
        let order = (0..self.slots.len()).map(|step| (first as usize + step) % self.slots.len());
        order.into_iter().find(|&slot| self.slots[slot].is_none_or(|(found, _)| found == key))
    }

    fn get(&self, key: u32) -> Option<i32> {
        let (_, value) = self.slots[self.slot(key)?]?;
        Some(value)
    }

    /// Whether the key is new; `None` when there is no room for it.
    fn set(&mut self, key: u32, value: i32) -> Option<bool> {
        let slot = self.slot(key)?;
        Some(self.slots[slot].replace((key, value)).is_none())
    }

    /// Takes a key out, and puts those of the run behind it in again.
    fn remove(&mut self, key: u32) -> bool {
        let Some(slot) = self.slot(key).filter(|slot| self.slots[*slot].is_some()) else { return false };
        self.slots[slot] = None;
        let mut next = (slot + 1) % self.slots.len();
        while let Some((key, value)) = self.slots[next].take() {
            self.set(key, value);
            next = (next + 1) % self.slots.len();
        }
        true
    }

    fn entries(&self) -> impl Iterator<Item = (u32, i32)> {
        self.slots.iter().flatten().copied()
    }
}

/// A key of a table of numbers.
fn table_key(key: i32, at: At) -> Flow<u32> {
    let key = key.cast_unsigned();
    if key == NO_KEY { Err(at.trap(Trap::InvalidKey)) } else { Ok(key) }
}

impl World {
    pub fn library_op(&mut self, op: LibraryOp, args: &mut Operands, at: At) -> Flow<Value> {
        match op {
            LibraryOp::MapU32New
            | LibraryOp::MapU32Len
            | LibraryOp::MapU32Get
            | LibraryOp::MapU32Set
            | LibraryOp::MapU32Contains
            | LibraryOp::MapU32Remove
            | LibraryOp::SetU32Add
            | LibraryOp::MapU32Dump
            | LibraryOp::SetU32Dump => self.table_op(op, args, at),
            LibraryOp::VecValueNew
            | LibraryOp::VecValueLen
            | LibraryOp::VecValueReserve
            | LibraryOp::VecValuePush(_)
            | LibraryOp::VecValueGet(_)
            | LibraryOp::VecValueSet(_)
            | LibraryOp::VecValuePop
            | LibraryOp::VecValueClear => self.vector_of_values(op, args, at),
            LibraryOp::MapValueNew
            | LibraryOp::MapValueLen
            | LibraryOp::MapValueClear
            | LibraryOp::MapValueContains(_)
            | LibraryOp::MapValueRemove(_)
            | LibraryOp::MapValueGet(..)
            | LibraryOp::MapValueSet(..) => self.map_of_values(op, args, at),
            LibraryOp::ScratchNew
            | LibraryOp::ScratchClear
            | LibraryOp::ScratchLen
            | LibraryOp::ScratchCap
            | LibraryOp::ScratchAsView
            | LibraryOp::ScratchTryWrite
            | LibraryOp::ScratchDrop => self.scratch_op(op, args, at),
            LibraryOp::IfaceMake
            | LibraryOp::ReaderOpen
            | LibraryOp::ReaderOpenView
            | LibraryOp::ReaderRead
            | LibraryOp::BufferedNew
            | LibraryOp::BufferedFill
            | LibraryOp::BufferedConsume => self.reader_op(op, args, at),
        }
    }

    fn table_op(&mut self, op: LibraryOp, args: &mut Operands, at: At) -> Flow<Value> {
        if op == LibraryOp::MapU32New {
            let capacity = args.size()?;
            if !capacity.is_power_of_two() {
                return Err(at.trap(Trap::InvalidCapacity));
            }
            if !self.store.has_room(capacity * 8) {
                return Err(at.trap(Trap::OutOfMemory));
            }
            self.library.tables.push(Table { slots: vec![None; capacity] });
            return Ok(Value::Number(number(self.library.tables.len())));
        }
        let handle = args.number()?;
        let table = find(&mut self.library.tables, handle, at)?;
        let value = match op {
            LibraryOp::MapU32Len => number(table.entries().count()),
            LibraryOp::MapU32Dump | LibraryOp::SetU32Dump => {
                let mut dump = Vec::new();
                for (key, value) in table.entries() {
                    dump.extend(key.to_le_bytes());
                    if op == LibraryOp::MapU32Dump {
                        dump.extend(value.to_le_bytes());
                    }
                }
                return self.fresh_bytes(dump, at);
            }
            LibraryOp::MapU32Get => {
                let (key, default) = (args.number()?, args.number()?);
                table.get(table_key(key, at)?).unwrap_or(default)
            }
            LibraryOp::MapU32Set | LibraryOp::SetU32Add => {
                let key = args.number()?;
                let value = if op == LibraryOp::MapU32Set { args.number()? } else { 0 };
                let key = table_key(key, at)?;
                i32::from(table.set(key, value).ok_or_else(|| at.trap(Trap::MapFull))?)
            }
            LibraryOp::MapU32Contains => i32::from(table.get(table_key(args.number()?, at)?).is_some()),
            _ => i32::from(table.remove(table_key(args.number()?, at)?)),
        };
        Ok(Value::Number(value))
    }

    /// An element as a container holds it: it owns bytes, and a copy of a view.
    fn stored(&mut self, value: Value, at: At) -> Flow<Value> {
        match value {
            Value::Bytes(Some(buffer)) => self.store.keep(buffer)?,
            Value::View(span) => {
                let copy = self.store.read(span)?.to_vec();
                let made = self.fresh(copy, at)?;
                if let Some(made) = made {
                    self.store.keep(made)?;
                }
                return Ok(Value::View(self.store.view(made)?));
            }
            _ => {}
        }
        Ok(value)
    }

    /// An element as a program gets it: a copy of bytes. The default is freed when it is not what
    /// the program gets.
    fn shown(&mut self, element: Option<Value>, default: Value, at: At) -> Flow<Value> {
        let Some(element) = element else { return Ok(default) };
        let shown = match element {
            Value::Bytes(buffer) => {
                let copy = self.store.bytes(buffer)?.to_vec();
                self.fresh_bytes(copy, at)?
            }
            other => other,
        };
        self.store.release(&default)?;
        Ok(shown)
    }

    fn vector_of_values(&mut self, op: LibraryOp, args: &mut Operands, at: At) -> Flow<Value> {
        if op == LibraryOp::VecValueNew {
            let (ty, capacity) = (element(args.number()?, at)?, args.size()?);
            if !self.store.has_room(capacity.saturating_mul(4)) {
                return Err(at.trap(Trap::OutOfMemory));
            }
            self.library.vectors.push(Vector { ty, elements: Vec::new() });
            return Ok(Value::Number(number(self.library.vectors.len())));
        }
        let handle = args.number()?;
        let vector = find(&mut self.library.vectors, handle, at)?;
        match op {
            LibraryOp::VecValueLen => return Ok(Value::Number(number(vector.elements.len()))),
            LibraryOp::VecValueReserve => {
                let more = args.size()?;
                if !self.store.has_room(more.saturating_mul(4)) {
                    return Err(at.trap(Trap::OutOfMemory));
                }
            }
            LibraryOp::VecValuePush(wanted) => {
                same(vector.ty, wanted, at)?;
                let value = self.stored(args.value()?, at)?;
                find(&mut self.library.vectors, handle, at)?.elements.push(value);
            }
            LibraryOp::VecValueGet(wanted) => {
                same(vector.ty, wanted, at)?;
                let found = vector.elements.get(args.size()?).cloned();
                return self.shown(found, args.value()?, at);
            }
            LibraryOp::VecValueSet(wanted) => {
                same(vector.ty, wanted, at)?;
                let index = args.size()?;
                if index >= vector.elements.len() {
                    return Err(at.trap(Trap::OutOfBounds));
                }
                let value = self.stored(args.value()?, at)?;
                let vector = find(&mut self.library.vectors, handle, at)?;
                let old = std::mem::replace(&mut vector.elements[index], value);
                self.store.release(&old)?;
            }
            LibraryOp::VecValuePop => {
                if let Some(old) = vector.elements.pop() {
                    self.store.release(&old)?;
                }
            }
            _ => {
                for old in std::mem::take(&mut vector.elements) {
                    self.store.release(&old)?;
                }
            }
        }
        Ok(Value::Number(handle))
    }

    /// The key that an operand stands for; bytes are consumed.
    fn map_key(&mut self, operand: &Value) -> Flow<Key> {
        let key = match operand {
            Value::Number(number) => Key::Number(*number),
            Value::View(span) => Key::Bytes(self.store.read(*span)?.to_vec()),
            other => Key::Bytes(self.store.bytes(other.as_bytes()?)?.to_vec()),
        };
        self.store.release(operand)?;
        Ok(key)
    }

    fn map_of_values(&mut self, op: LibraryOp, args: &mut Operands, at: At) -> Flow<Value> {
        if op == LibraryOp::MapValueNew {
            let (key, value) = (element(args.number()?, at)?, element(args.number()?, at)?);
            if !args.size()?.is_power_of_two() {
                return Err(at.trap(Trap::InvalidCapacity));
            }
            self.library.maps.push(Map { key, value, entries: BTreeMap::new() });
            return Ok(Value::Number(number(self.library.maps.len())));
        }
        let handle = args.number()?;
        let map = find(&mut self.library.maps, handle, at)?;
        let (key_ty, value_ty) = (map.key, map.value);
        match op {
            LibraryOp::MapValueLen => return Ok(Value::Number(number(map.entries.len()))),
            LibraryOp::MapValueClear => {
                for old in std::mem::take(&mut map.entries).into_values() {
                    self.store.release(&old)?;
                }
            }
            LibraryOp::MapValueContains(wanted) => {
                same(key_ty, wanted, at)?;
                let key = self.map_key(&args.value()?)?;
                let map = find(&mut self.library.maps, handle, at)?;
                return Ok(Value::truth(map.entries.contains_key(&key)));
            }
            LibraryOp::MapValueRemove(wanted) => {
                same(key_ty, wanted, at)?;
                let key = self.map_key(&args.value()?)?;
                if let Some(old) = find(&mut self.library.maps, handle, at)?.entries.remove(&key) {
                    self.store.release(&old)?;
                }
            }
            LibraryOp::MapValueGet(wanted, value) => {
                same(key_ty, wanted, at)?;
                same(value_ty, value, at)?;
                let key = self.map_key(&args.value()?)?;
                let found = find(&mut self.library.maps, handle, at)?.entries.get(&key).cloned();
                return self.shown(found, args.value()?, at);
            }
            LibraryOp::MapValueSet(wanted, value) => {
                same(key_ty, wanted, at)?;
                same(value_ty, value, at)?;
                let key = self.map_key(&args.value()?)?;
                let value = self.stored(args.value()?, at)?;
                if let Some(old) = find(&mut self.library.maps, handle, at)?.entries.insert(key, value) {
                    self.store.release(&old)?;
                }
            }
            other => return super::values::defect(format!("{other:?} is no operation on maps")),
        }
        Ok(Value::Number(handle))
    }

    fn scratch_op(&mut self, op: LibraryOp, args: &mut Operands, at: At) -> Flow<Value> {
        if op == LibraryOp::ScratchNew {
            return self.new_scratch(args.size()?, at);
        }
        let handle = args.number()?;
        if op == LibraryOp::ScratchDrop {
            let index = size(handle).wrapping_sub(1);
            let dropped = self.library.scratch.get_mut(index).and_then(Option::take).is_some();
            if dropped {
                self.library.free_scratch.insert(index);
            }
            return Ok(Value::truth(dropped));
        }
        let found = find(&mut self.library.scratch, handle, at)?;
        let Some(scratch) = found.as_mut() else { return Err(at.trap(Trap::InvalidHandle)) };
        Ok(match op {
            LibraryOp::ScratchClear => {
                scratch.written = 0;
                Value::Number(handle)
            }
            LibraryOp::ScratchLen => Value::Number(number(scratch.written)),
            LibraryOp::ScratchCap => Value::Number(number(scratch.capacity)),
            LibraryOp::ScratchAsView => {
                let (buffer, written) = (scratch.buffer, scratch.written);
                let whole = self.store.view(Some(buffer))?;
                Value::View(Span { len: written, ..whole })
            }
            _ => {
                let bytes = self.store.read(args.view()?)?.to_vec();
                if bytes.len() > scratch.capacity - scratch.written {
                    return Ok(Value::err(NO_ROOM));
                }
                let start = scratch.written;
                scratch.written += bytes.len();
                self.store.overwrite(scratch.buffer, start, &bytes)?;
                Value::ok(Value::Number(number(bytes.len())))
            }
        })
    }

    fn new_scratch(&mut self, capacity: usize, at: At) -> Flow<Value> {
        if !self.store.has_room(capacity) {
            return Err(at.trap(Trap::OutOfMemory));
        }
        let buffer = self.store.make(vec![0; capacity], capacity);
        self.store.keep(buffer)?;
        let made = Some(Scratch { buffer, capacity, written: 0 });
        let index = match self.library.free_scratch.pop_first() {
            Some(index) => {
                self.library.scratch[index] = made;
                index
            }
            None => {
                self.library.scratch.push(made);
                self.library.scratch.len() - 1
            }
        };
        Ok(Value::Number(number(index + 1)))
    }

    fn reader_op(&mut self, op: LibraryOp, args: &mut Operands, at: At) -> Flow<Value> {
        match op {
            LibraryOp::IfaceMake => Ok(Value::Interface(args.number()?, args.number()?)),
            LibraryOp::ReaderOpen => {
                let buffer = args.bytes()?;
                if let Some(buffer) = buffer {
                    self.store.keep(buffer)?;
                }
                self.open(buffer)
            }
            LibraryOp::ReaderOpenView => {
                let bytes = self.store.read(args.view()?)?.to_vec();
                let copy = self.fresh(bytes, at)?;
                if let Some(copy) = copy {
                    self.store.keep(copy)?;
                }
                self.open(copy)
            }
            LibraryOp::ReaderRead => {
                let reader = self.reader(&args.value()?, at)?;
                let most = args.size()?;
                let span = self.next(reader, most);
                let bytes = self.store.read(span)?.to_vec();
                self.fresh_bytes(bytes, at)
            }
            LibraryOp::BufferedNew => {
                let (interface, capacity) = (args.value()?, args.size()?);
                if capacity == 0 {
                    return Err(at.trap(Trap::InvalidCapacity));
                }
                let reader = self.reader(&interface, at)?;
                self.library.buffered.push(Buffered { reader, capacity, window: Span::EMPTY });
                Ok(Value::Number(number(self.library.buffered.len())))
            }
            LibraryOp::BufferedFill => {
                let handle = args.number()?;
                let buffered = find(&mut self.library.buffered, handle, at)?;
                if buffered.window.len == 0 {
                    let (reader, capacity) = (buffered.reader, buffered.capacity);
                    let window = self.next(reader, capacity);
                    find(&mut self.library.buffered, handle, at)?.window = window;
                }
                Ok(Value::View(find(&mut self.library.buffered, handle, at)?.window))
            }
            _ => {
                let (handle, count) = (args.number()?, args.size()?);
                let buffered = find(&mut self.library.buffered, handle, at)?;
                let window = buffered.window;
                let rest = window.len.checked_sub(count).and_then(|rest| part(window, count, rest));
                buffered.window = rest.ok_or_else(|| at.trap(Trap::OutOfBounds))?;
                Ok(Value::Number(0))
            }
        }
    }

    fn open(&mut self, buffer: Option<BufferId>) -> Flow<Value> {
        let rest = self.store.view(buffer)?;
        self.library.readers.push(Reader { rest });
        Ok(Value::Interface(number(self.library.readers.len()), READER))
    }

    /// The number of the reader behind an interface.
    fn reader(&mut self, interface: &Value, at: At) -> Flow<usize> {
        let Value::Interface(data, functions) = *interface else {
            return super::values::defect(format!("{interface:?} is no interface"));
        };
        if functions != READER {
            return Err(at.trap(Trap::ReaderUnsupported));
        }
        find(&mut self.library.readers, data, at)?;
        Ok(size(data) - 1)
    }

    /// What a reader gives next.
    fn next(&mut self, reader: usize, most: usize) -> Span {
        let reader = &mut self.library.readers[reader];
        let rest = reader.rest;
        let taken = rest.len.min(most);
        reader.rest = Span { start: rest.start + taken, len: rest.len - taken, ..rest };
        Span { len: taken, ..rest }
    }
}

#[test]
fn tables_keep_the_order_of_their_slots() {
    let mut table = Table { slots: vec![None; 4] };
    // Both begin at slot 1; the second goes to slot 2.
    assert_eq!((table.set(1, 10), table.set(5, 50), table.set(5, 51)), (Some(true), Some(true), Some(false)));
    assert_eq!(table.entries().collect::<Vec<_>>(), [(1, 10), (5, 51)]);
    assert!(table.remove(1) && !table.remove(1));
    assert_eq!((table.get(5), table.slot(5)), (Some(51), Some(1)));
}
