//! Buffers: who owns them, and whether a view of one still shows what it showed.

use super::values::{Flow, Span, Value, defect, number};

/// The number of a buffer. No number is used twice, so that what outlives its buffer is found.
pub type BufferId = usize;

/// The buffer of the empty view.
pub const NOTHING: BufferId = 0;

/// What becomes of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is there for the whole run: literals, the input.
    Static,
    /// A value owns it, and somebody must free it.
    Owned,
    /// The run-time library owns it; it may stay to the end.
    Kept,
    /// It was freed.
    Freed,
}

struct Buffer {
    bytes: Vec<u8>,
    /// How many bytes a vector has room for; other buffers have room for what they hold.
    capacity: usize,
    /// Counts changes: a view of an earlier version must not be read.
    version: u32,
    state: State,
}

/// All buffers of a run.
pub struct Store {
    buffers: Vec<Buffer>,
    /// Bytes in owned and kept buffers.
    live: usize,
    /// The most there ever were.
    peak: usize,
    /// Bytes beyond which there certainly is no memory.
    most: usize,
    /// How many bytes, and how often.
    allocated: (i32, i32),
}

impl Default for Store {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Store {
    /// A store that holds nothing, for a run with this much memory.
    pub fn new(most: usize) -> Self {
        let nothing = Buffer { bytes: Vec::new(), capacity: 0, version: 0, state: State::Static };
        Self { buffers: vec![nothing], live: 0, peak: 0, most, allocated: (0, 0) }
    }

    /// The most bytes that were in use at a time, not counting what any allocator needs for itself.
    pub fn peak(&self) -> usize {
        self.peak
    }

    /// How many bytes were allocated so far, roughly, and how often; both wrap around.
    pub fn allocated(&self) -> (i32, i32) {
        self.allocated
    }

    /// A buffer that is there for the whole run.
    pub fn fixed(&mut self, bytes: Vec<u8>) -> BufferId {
        let capacity = bytes.len();
        self.buffers.push(Buffer { bytes, capacity, version: 0, state: State::Static });
        self.buffers.len() - 1
    }

    /// Whether so many more bytes could be had; if not, the program has used up its memory.
    pub fn has_room(&self, more: usize) -> bool {
        more <= self.most.saturating_sub(self.live)
    }

    /// A buffer that somebody must free. [`Store::has_room`] was asked before.
    pub fn make(&mut self, bytes: Vec<u8>, capacity: usize) -> BufferId {
        self.buffers.push(Buffer { bytes, capacity, version: 0, state: State::Owned });
        self.grow(capacity);
        self.buffers.len() - 1
    }

    fn grow(&mut self, bytes: usize) {
        let (all, calls) = self.allocated;
        self.allocated = (all.wrapping_add(number(bytes)), calls.wrapping_add(1));
        self.live += bytes;
        self.peak = self.peak.max(self.live);
    }

    fn owned(&mut self, id: BufferId) -> Flow<&mut Buffer> {
        match self.buffers.get_mut(id) {
            Some(buffer) if matches!(buffer.state, State::Owned | State::Kept) => Ok(buffer),
            Some(buffer) => defect(format!("buffer {id} is {:?} and is used by an owner", buffer.state)),
            None => defect(format!("there is no buffer {id}")),
        }
    }

    /// Ends a buffer.
    pub fn free(&mut self, id: BufferId) -> Flow<()> {
        let buffer = self.owned(id)?;
        buffer.state = State::Freed;
        buffer.bytes = Vec::new();
        let freed = buffer.capacity;
        self.live -= freed;
        Ok(())
    }

    /// Ends what a value owns.
    pub fn release(&mut self, value: &Value) -> Flow<()> {
        value.owned().map_or(Ok(()), |id| self.free(id))
    }

    /// Hands a buffer to the run-time library.
    pub fn keep(&mut self, id: BufferId) -> Flow<()> {
        self.owned(id)?.state = State::Kept;
        Ok(())
    }

    /// The bytes of an owner.
    pub fn bytes(&self, owner: Option<BufferId>) -> Flow<&[u8]> {
        let Some(id) = owner else { return Ok(&[]) };
        match self.buffers.get(id) {
            Some(buffer) if buffer.state != State::Freed => Ok(&buffer.bytes),
            _ => defect(format!("buffer {id} is read by its owner after it was freed")),
        }
    }

    /// How many bytes a vector has room for.
    pub fn capacity(&self, owner: Option<BufferId>) -> Flow<usize> {
        self.bytes(owner)?;
        Ok(owner.map_or(0, |id| self.buffers[id].capacity))
    }

    /// The whole of an owner as a view.
    pub fn view(&self, owner: Option<BufferId>) -> Flow<Span> {
        let len = self.bytes(owner)?.len();
        let buffer = owner.unwrap_or(NOTHING);
        Ok(Span { buffer, version: self.buffers[buffer].version, start: 0, len })
    }

    /// What a view shows.
    pub fn read(&self, span: Span) -> Flow<&[u8]> {
        let Some(buffer) = self.buffers.get(span.buffer) else {
            return defect(format!("there is no buffer {}", span.buffer));
        };
        if buffer.state == State::Freed {
            return defect(format!("a view is read after its buffer {} was freed", span.buffer));
        }
        if buffer.version != span.version {
            return defect(format!("a view is read after its buffer {} was changed", span.buffer));
        }
        match buffer.bytes.get(span.start..span.start + span.len) {
            Some(bytes) => Ok(bytes),
            None => defect(format!("a view reaches beyond its buffer {}", span.buffer)),
        }
    }

    /// Changes the bytes of an owner, which stay within its capacity, or gives it a new one. Views
    /// of it end. `None` is given for the empty value, which owns a buffer afterwards.
    pub fn change(
        &mut self,
        owner: Option<BufferId>,
        capacity: usize,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> Flow<BufferId> {
        let id = match owner {
            Some(id) => id,
            None => self.make(Vec::new(), 0),
        };
        let buffer = self.owned(id)?;
        change(&mut buffer.bytes);
        buffer.version += 1;
        let before = std::mem::replace(&mut buffer.capacity, capacity);
        assert!(buffer.bytes.len() <= capacity, "the interpreter reckons capacities");
        if before != capacity {
            self.live -= before;
            self.grow(capacity);
        }
        Ok(id)
    }

    /// Writes into a buffer of the run-time library; views of it stay and show what was written.
    pub fn overwrite(&mut self, id: BufferId, start: usize, bytes: &[u8]) -> Flow<()> {
        let buffer = self.owned(id)?;
        buffer.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    /// The buffers that somebody should have freed.
    pub fn leaked(&self) -> Vec<BufferId> {
        let owned = self.buffers.iter().enumerate().filter(|(_, buffer)| buffer.state == State::Owned);
        owned.map(|(id, _)| id).collect()
    }
}

/// A part of a view; `None` when it does not fit.
pub fn part(span: Span, start: usize, len: usize) -> Option<Span> {
    if start > span.len || len > span.len - start {
        return None;
    }
    Some(Span { start: span.start + start, len, ..span })
}
