//! The allocator, driven from outside through exported helpers.

use proptest::prelude::*;
use wasmtime::TypedFunc;

use super::harness::*;
use crate::compiler::ir::{Expr, Op, Trap, Ty};
use crate::compiler::runtime::Helper;
use crate::compiler::runtime::layout::TABLES_SIZE;

/// Bytes of the tables at the start of an arena.
const TABLES: u32 = TABLES_SIZE as u32;

/// An arena that was set up by a run of a program that does nothing.
struct Heap {
    machine: Machine,
    start: u32,
    end: u32,
    alloc: TypedFunc<u32, u32>,
    free: TypedFunc<u32, ()>,
    realloc: TypedFunc<(u32, u32, u32), u32>,
}

impl Heap {
    fn new(size: u32) -> Self {
        let empty = program(vec![solve(vec![], op(Op::BytesEmpty, vec![]))], &[]);
        let mut machine = Machine::with_helpers(&empty, &[Helper::Alloc, Helper::Free, Helper::Realloc]);
        assert_eq!(machine.solve(b"", size), Ok(Vec::new()));
        let start = machine.arena(b"");
        let alloc = machine.instance.get_typed_func(&mut machine.store, Helper::Alloc.symbol()).unwrap();
        let free = machine.instance.get_typed_func(&mut machine.store, Helper::Free.symbol()).unwrap();
        let realloc = machine.instance.get_typed_func(&mut machine.store, Helper::Realloc.symbol()).unwrap();
        Self { machine, start, end: start + size, alloc, free, realloc }
    }

    /// `None` when there is no room.
    fn alloc(&mut self, size: u32) -> Option<u32> {
        self.alloc.call(&mut self.machine.store, size).ok()
    }

    fn free(&mut self, address: u32) {
        self.free.call(&mut self.machine.store, address).unwrap();
    }

    fn realloc(&mut self, address: u32, keep: u32, size: u32) -> Option<u32> {
        self.realloc.call(&mut self.machine.store, (address, keep, size)).ok()
    }

    fn bytes(&mut self, address: u32, size: u32) -> &mut [u8] {
        &mut self.machine.memory.data_mut(&mut self.machine.store)[address as usize..][..size as usize]
    }

    /// The largest block that an empty arena has room for.
    fn largest(&self) -> u32 {
        let start = self.start.next_multiple_of(8) + TABLES;
        self.end / 8 * 8 - start - 8
    }
}

#[derive(Clone, Debug)]
enum Step {
    Alloc(u32),
    /// Of the live blocks, the one with this number, modulo how many there are.
    Free(usize),
    Realloc(usize, u32),
}

fn size() -> impl Strategy<Value = u32> {
    prop_oneof![1..40_u32, 1..40_u32, 1..700_u32, 1..5000_u32]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => size().prop_map(Step::Alloc),
        3 => any::<usize>().prop_map(Step::Free),
        2 => (any::<usize>(), size()).prop_map(|(which, size)| Step::Realloc(which, size)),
    ]
}

/// A live block and the byte that fills it.
struct Block {
    address: u32,
    size: u32,
    fill: u8,
}

/// Checks a block just given out against all others, and fills it.
fn admit(heap: &mut Heap, blocks: &mut Vec<Block>, address: u32, size: u32, fill: u8) {
    assert_eq!(address % 8, 0);
    assert!(heap.start + TABLES <= address && address + size <= heap.end, "outside the arena");
    for other in blocks.iter() {
        let apart = address + size <= other.address || other.address + other.size <= address;
        assert!(apart, "blocks overlap");
    }
    heap.bytes(address, size).fill(fill);
    blocks.push(Block { address, size, fill });
}

fn check(heap: &mut Heap, block: &Block, size: u32) {
    assert!(heap.bytes(block.address, size).iter().all(|byte| *byte == block.fill), "contents changed");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn blocks_are_apart_and_keep_their_contents(steps in prop::collection::vec(step(), 1..300)) {
        let mut heap = Heap::new(TABLES + 20_000);
        let mut blocks: Vec<Block> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            let fill = number as u8;
            match step {
                Step::Alloc(size) => {
                    if let Some(address) = heap.alloc(size) {
                        admit(&mut heap, &mut blocks, address, size, fill);
                    }
                }
                Step::Free(which) if !blocks.is_empty() => {
                    let block = blocks.swap_remove(which % blocks.len());
                    check(&mut heap, &block, block.size);
                    heap.free(block.address);
                }
                Step::Realloc(which, size) if !blocks.is_empty() => {
                    let block = blocks.swap_remove(which % blocks.len());
                    let keep = block.size.min(size);
                    match heap.realloc(block.address, keep, size) {
                        Some(address) => {
                            let moved = Block { address, size, fill: block.fill };
                            check(&mut heap, &moved, keep);
                            admit(&mut heap, &mut blocks, address, size, fill);
                        }
                        None => blocks.push(block),
                    }
                }
                Step::Free(_) | Step::Realloc(..) => {}
            }
        }
        for block in &blocks {
            check(&mut heap, block, block.size);
        }
        for block in blocks {
            heap.free(block.address);
        }
        let largest = heap.largest();
        let address = heap.alloc(largest).expect("an empty arena has room for its largest block");
        heap.free(address);
        assert_eq!(heap.alloc(largest + 1), None);
    }
}

#[test]
fn growing_in_place() {
    let mut heap = Heap::new(TABLES + 4096);
    // At the end of what was given out.
    let first = heap.alloc(10).unwrap();
    assert_eq!(heap.realloc(first, 10, 100), Some(first));
    // Into a free block behind it.
    let second = heap.alloc(200).unwrap();
    let third = heap.alloc(10).unwrap();
    heap.free(second);
    assert_eq!(heap.realloc(first, 100, 150), Some(first));
    // Within the block.
    assert_eq!(heap.realloc(first, 150, 20), Some(first));
    // No longer: it moves, with its contents.
    heap.bytes(first, 150).fill(9);
    let moved = heap.realloc(first, 150, 1000).unwrap();
    assert!(moved > third);
    assert!(heap.bytes(moved, 150).iter().all(|byte| *byte == 9));
    // Nothing from nothing.
    assert_eq!(heap.alloc(0), Some(0));
    heap.free(0);
    let fresh = heap.realloc(0, 0, 16).unwrap();
    assert_ne!(fresh, 0);
    for impossible in [u32::MAX, u32::MAX - 8, u32::MAX - 24, 1 << 31] {
        assert_eq!(heap.alloc(impossible), None);
        assert_eq!(heap.realloc(fresh, 0, impossible), None);
    }
}

#[test]
fn a_full_arena_still_gives_what_fits() {
    let mut heap = Heap::new(TABLES + 4096);
    // Fill it, free one block, and ask for exactly that again: rounding up to bins must not hide it.
    let victim = heap.alloc(1030).unwrap();
    while heap.alloc(8).is_some() {}
    assert_eq!(heap.alloc(1030), None);
    heap.free(victim);
    assert_eq!(heap.alloc(1030), Some(victim));
}

#[test]
fn arenas_may_be_tiny_but_must_hold_the_tables() {
    let empty = program(vec![solve(vec![], op(Op::BytesEmpty, vec![]))], &[]);
    let mut machine = Machine::of(&empty);
    let padding = machine.arena(b"").next_multiple_of(8) - machine.arena(b"");
    assert_eq!(machine.solve(b"", TABLES + padding), Ok(Vec::new()));
    for size in [TABLES + padding - 1, 8, 0] {
        let fault = machine.solve(b"", size).unwrap_err();
        assert_eq!(fault.trap, Some(Trap::ArenaTooSmall));
        assert_eq!(fault.symbol, "");
    }
    assert_eq!(machine.solve(b"", TABLES + padding), Ok(Vec::new()));
}

#[test]
fn an_arena_beyond_the_address_space_is_refused() {
    let empty = program(vec![solve(vec![], op(Op::BytesEmpty, vec![]))], &[]);
    let mut machine = Machine::of(&empty);
    let solve =
        machine.instance.get_typed_func::<(u32, u32, u32, u32, u32), ()>(&mut machine.store, "x07_solve_v2").unwrap();
    assert!(solve.call(&mut machine.store, (16, 0xffff_ff00, 0x1000, 24, 0)).is_err());
}

#[test]
fn large_temporaries_do_not_pile_up() {
    // A thousand times 512 KiB in an arena of 600 KiB.
    let body = block(
        vec![repeat(0, num(0), num(1000), discard(op(Op::BytesAlloc, vec![num(512 << 10)])))],
        op(Op::BytesEmpty, vec![]),
    );
    let outcome = run_in(&program(vec![solve(vec![Ty::I32], body)], &[]), b"", 600 << 10);
    assert_eq!(outcome, Ok(Vec::new()));
}

#[test]
fn a_growing_vector_reuses_its_arena() {
    // 400 000 pushes, byte by byte, twice, where the vector's final capacity just fits.
    let fill = || {
        vec![
            store(1, op(Op::VecWithCapacity, vec![num(0)])),
            repeat(0, num(0), num(400_000), update(Op::VecPush, 1, vec![get(0)])),
        ]
    };
    let mut body = fill();
    body.extend(fill());
    let last = op(Op::VecGet, vec![get(1), op(Op::Sub, vec![op(Op::VecLen, vec![get(1)]), num(1)])]);
    let value = block(body, bytes_of(last));
    let outcome = run_in(&program(vec![solve(vec![Ty::I32, Ty::Vec], value)], &[]), b"", 540_000);
    assert_eq!(outcome, Ok(vec![(399_999 % 256) as u8, 0, 0, 0]));
}

#[test]
fn zeroed_memory_is_zero_after_use() {
    let dirty = update(Op::BytesSet, 1, vec![num(5), num(77)]);
    let body = block(
        vec![
            store(1, op(Op::BytesAlloc, vec![num(40)])),
            dirty,
            Expr::Drop(crate::compiler::ir::Local(1)),
            store(1, op(Op::BytesAlloc, vec![num(40)])),
        ],
        take(1),
    );
    assert_eq!(eval(vec![Ty::I32, Ty::Bytes], body, &[]), Ok(vec![0; 40]));
}
