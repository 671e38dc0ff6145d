//! Commands.

use std::sync::Arc;

use bytes::Bytes;

use super::super::*;
use super::guests::{command, command_with};
use super::{limits, runtime};
use crate::engine::{Limits, Runtime};

fn call(grant: Grant) -> CommandCall {
    CommandCall { args: Vec::new(), stdin: Bytes::new(), max_output_bytes: 1000, grant }
}

fn run_in(runtime: &Arc<Runtime>, bytes: &[u8], call: CommandCall) -> CommandOutcome {
    let component = Component::compile(runtime, bytes).unwrap();
    let service = CommandService::prepare(Arc::clone(runtime), &component).unwrap();
    block_on(service.call(call))
}

/// Runs a command without input or grant.
fn run(limits: Limits, bytes: &[u8]) -> CommandOutcome {
    run_in(&runtime(limits), bytes, call(Grant::nothing()))
}

fn failure(limits: Limits, bytes: &[u8]) -> CallError {
    run(limits, bytes).exit.unwrap_err()
}

const ECHO: &str = "
    (call $read (call $stdin) (i64.const 4096) (i32.const 0))
    (call $write (call $stdout) (i32.load (i32.const 4)) (i32.load (i32.const 8)) (i32.const 0))
    (i32.const 0)";

/// Writes five bytes to standard output.
const SAY: &str = "(call $write (local.get $s) (i32.const 64) (i32.const 5) (i32.const 0))";

#[test]
fn returning_and_exiting_are_the_same() {
    for (body, want) in [
        ("(i32.const 0)", Exit::Ok),
        ("(i32.const 1)", Exit::Err),
        ("(call $exit (i32.const 0)) (unreachable)", Exit::Ok),
        ("(call $exit (i32.const 1)) (unreachable)", Exit::Err),
    ] {
        let outcome = run(limits(), &command(body));
        assert_eq!(outcome.exit, Ok(want), "{body}");
        assert!(outcome.stdout.is_empty() && outcome.stderr.is_empty() && outcome.denials.is_empty() && !outcome.sent);
    }
}

#[test]
fn input_and_output_are_bytes() {
    let runtime = runtime(limits());
    let stdin = Bytes::from_static(b"a\0b\xff");
    let outcome = run_in(&runtime, &command(ECHO), CommandCall { stdin, ..call(Grant::nothing()) });
    assert_eq!(outcome.exit, Ok(Exit::Ok));
    assert_eq!(outcome.stdout, b"a\0b\xff");
    assert!(outcome.stderr.is_empty());

    let body = format!("(local.set $s (call $stderr)) {SAY} (i32.const 0)");
    let outcome = run(limits(), &command_with("(data (i32.const 64) \"hello\")", &body));
    assert_eq!((outcome.stdout.as_slice(), outcome.stderr.as_slice()), (&b""[..], &b"hello"[..]));
}

#[test]
fn arguments_are_exactly_those_that_are_given() {
    let body = "
        (call $arguments (i32.const 0))
        (if (i32.ne (i32.load (i32.const 4)) (i32.const 2)) (then (unreachable)))
        (local.set $s (i32.load (i32.const 0)))
        (call $write (call $stdout) (i32.load (local.get $s)) (i32.load offset=4 (local.get $s)) (i32.const 0))
        (i32.const 0)";
    let args = vec!["first".to_owned(), "second".to_owned()];
    let outcome = run_in(&runtime(limits()), &command(body), CommandCall { args, ..call(Grant::nothing()) });
    assert_eq!(outcome.exit, Ok(Exit::Ok));
    assert_eq!(outcome.stdout, b"first");
}

#[test]
fn the_environment_is_what_is_granted() {
    let count = "(call $environment (i32.const 0)) (i32.ne (i32.load (i32.const 4)) (i32.const 1))";
    let bytes = command(count);
    assert_eq!(run(limits(), &bytes).exit, Ok(Exit::Err), "none");
    let grant = Grant { env: vec![("A".to_owned(), "b".to_owned())], ..Grant::nothing() };
    assert_eq!(run_in(&runtime(limits()), &bytes, call(grant)).exit, Ok(Exit::Ok), "one");
}

#[test]
fn zero_clocks_and_zero_random_numbers_say_zero() {
    let body = "
        (call $wall (i32.const 0))
        (i64.ne (i64.const 0)
          (i64.or (i64.or (call $now) (call $random))
            (i64.or (i64.load (i32.const 0)) (i64.load32_u (i32.const 8)))))";
    let bytes = command(body);
    let grant = Grant { clocks: Clocks::Zero, random: Randomness::Zero, ..Grant::nothing() };
    assert_eq!(run_in(&runtime(limits()), &bytes, call(grant)).exit, Ok(Exit::Ok));
    assert_eq!(run(limits(), &bytes).exit, Ok(Exit::Err), "the host's are not zero");
}

#[test]
fn clocks_and_random_numbers_come_from_the_source_that_is_given() {
    struct Fixed;
    impl ClockSource for Fixed {
        fn wall_ns(&self) -> u64 {
            3_000_000_007
        }
        fn monotonic_ns(&self) -> u64 {
            5
        }
    }
    impl RandomSource for Fixed {
        fn secure(&self, out: &mut [u8]) {
            out.fill(1);
        }
        fn insecure(&self, _out: &mut [u8]) {}
        fn insecure_seed(&self) -> u128 {
            0
        }
    }
    let body = "
        (call $wall (i32.const 0))
        (i32.eqz (i32.and
          (i32.and (i64.eq (call $now) (i64.const 5)) (i64.eq (call $random) (i64.const 0x0101010101010101)))
          (i32.and (i64.eq (i64.load (i32.const 0)) (i64.const 3)) (i32.eq (i32.load (i32.const 8)) (i32.const 7)))))";
    let grant = Grant {
        clocks: Clocks::Source(Arc::new(Fixed)),
        random: Randomness::Source(Arc::new(Fixed)),
        ..Grant::nothing()
    };
    assert_eq!(run_in(&runtime(limits()), &command(body), call(grant)).exit, Ok(Exit::Ok));
}

#[test]
fn output_is_kept_up_to_its_limit_and_one_byte_more_ends_the_guest() {
    let runtime = runtime(limits());
    let bytes = command(ECHO);
    let stdin = Bytes::from_static(b"hello");
    let exact = CommandCall { stdin: stdin.clone(), max_output_bytes: 5, ..call(Grant::nothing()) };
    let outcome = run_in(&runtime, &bytes, exact);
    assert_eq!((outcome.exit, outcome.stdout.as_slice()), (Ok(Exit::Ok), &b"hello"[..]));

    let short = CommandCall { stdin, max_output_bytes: 4, ..call(Grant::nothing()) };
    let outcome = run_in(&runtime, &bytes, short);
    assert_eq!((outcome.exit, outcome.stdout.as_slice()), (Err(CallError::OutputTooLarge { limit: 4 }), &b"hell"[..]));
}

#[test]
fn output_without_end_ends() {
    let body = format!("(local.set $s (call $stdout)) (loop $again {SAY} (br $again)) (unreachable)");
    assert_eq!(failure(limits(), &command(&body)), CallError::OutputTooLarge { limit: 1000 });
}

#[test]
fn a_trap_names_its_frames_and_their_place_in_the_component() {
    let bytes = command_with("(func $inner (unreachable))", "(call $inner) (i32.const 0)");
    let CallError::Trap(trap) = failure(limits(), &bytes) else {
        panic!("no trap");
    };
    assert!(trap.message.contains("unreachable"), "{}", trap.message);
    assert!(trap.frames.len() >= 2, "{:?}", trap.frames);
    let inner = &trap.frames[0];
    let at = usize::try_from(inner.module_offset.unwrap()).unwrap();
    assert_eq!(bytes[at], 0x00, "the opcode of unreachable");
    assert!(u64::from(inner.code_offset.unwrap()) < inner.module_offset.unwrap());
}

#[test]
fn a_guest_that_misuses_the_host_traps() {
    // There is no handle 77.
    let error = failure(limits(), &command("(call $block (i32.const 77)) (i32.const 0)"));
    assert!(matches!(&error, CallError::Trap(trap) if trap.message.contains("handle")), "{error:?}");
    // A bool of 2, so to speak: `run` returns neither ok nor err.
    let error = failure(limits(), &command("(i32.const 2)"));
    assert!(matches!(error, CallError::Trap(_)), "{error:?}");
}

#[test]
fn a_trap_while_starting_is_no_trap_of_the_call() {
    let error = failure(limits(), &command_with("(func $s (unreachable)) (start $s)", "(i32.const 0)"));
    assert!(matches!(error, CallError::Instantiate { .. }), "{error:?}");
}

const ENDLESS: &str = "(loop $again (br $again)) (i32.const 0)";

#[test]
fn fuel_ends_an_endless_loop_and_is_counted() {
    let fuel = Limits { fuel: Some(100_000), ..limits() };
    let outcome = run(fuel, &command(ENDLESS));
    assert_eq!((outcome.exit, outcome.fuel_used), (Err(CallError::Fuel), Some(100_000)));

    let used = || run(fuel, &command("(i32.const 0)")).fuel_used.unwrap();
    assert!(used() < 100_000);
    assert_eq!(used(), used());
    assert_eq!(run(limits(), &command("(i32.const 0)")).fuel_used, None);
    assert_eq!(failure(Limits { fuel: Some(0), ..limits() }, &command(ENDLESS)), CallError::Fuel);
}

#[test]
fn the_clock_ends_a_guest_that_runs_and_one_that_waits() {
    let brief = Limits { wall_ms: Some(50), ..limits() };
    assert_eq!(failure(brief, &command(ENDLESS)), CallError::WallTime { ms: 50 });
    // An hour.
    let waiting = "(call $block (call $after (i64.const 3600000000000))) (i32.const 0)";
    assert_eq!(failure(brief, &command(waiting)), CallError::WallTime { ms: 50 });
    let starting = command_with("(func $s (loop $again (br $again))) (start $s)", "(i32.const 0)");
    assert_eq!(failure(brief, &starting), CallError::WallTime { ms: 50 });
}

#[test]
fn memory_tables_and_stack_are_bounded() {
    let bomb = "(loop $again (drop (memory.grow (i32.const 1))) (br $again)) (i32.const 0)";
    let error = failure(limits(), &command(bomb));
    assert_eq!(error, CallError::Memory { wanted: 5 * 65_536, limit: 4 * 65_536 });

    let table = command_with("(table $t 1 funcref)", "(table.grow $t (ref.null func) (i32.const 1000))");
    assert_eq!(failure(limits(), &table), CallError::Table { wanted: 1001, limit: 1000 });

    let deep =
        command_with("(func $down (call $down) (i32.store (i32.const 0) (i32.const 1)))", "(call $down) (i32.const 0)");
    assert_eq!(failure(limits(), &deep), CallError::WasmStack);
}

#[test]
fn runs_do_not_see_each_other() {
    let runtime = runtime(limits());
    let bytes = command("(i32.load8_u (i32.const 200)) (i32.store8 (i32.const 200) (i32.const 1))");
    let component = Component::compile(&runtime, &bytes).unwrap();
    let service = CommandService::prepare(runtime, &component).unwrap();
    for _ in 0..3 {
        assert_eq!(block_on(service.call(call(Grant::nothing()))).exit, Ok(Exit::Ok));
    }
}

#[test]
fn a_directory_that_cannot_be_opened_ends_the_call_before_it_begins() {
    let place = tempfile::tempdir().unwrap();
    let preopens = vec![Preopen { host: place.path().join("absent"), guest: "data".to_owned(), writable: true }];
    let outcome = run_in(&runtime(limits()), &command(ENDLESS), call(Grant { preopens, ..Grant::nothing() }));
    assert!(matches!(outcome.exit, Err(CallError::Grant { .. })), "{:?}", outcome.exit);
    assert_eq!(outcome.fuel_used, None);
}
