//! Commands, native and through the adapter.

use wasmtime::Trap;

use super::host::{Event, Host, Outcome};
use super::{LIMITS, pattern};
use crate::component::glue::{CliBudgets, GlueError, SolveLimits, cli_adapter, cli_native};
use crate::component::link::LinkError;
use crate::component::link::tests::echo;

const BUDGETS: CliBudgets = CliBudgets { max_stdin_bytes: 100_000, max_stdout_bytes: 150_000, max_stderr_bytes: 1000 };

const READ_FAILED: &str = "x07-diag-code: X07WASM_COMPONENT_RUN_STDIN_READ_FAILED\n";
const STDIN: &str = "x07-diag-code: X07WASM_BUDGET_EXCEEDED_CLI_STDIN\n";
const STDOUT: &str = "x07-diag-code: X07WASM_BUDGET_EXCEEDED_CLI_STDOUT\n";

fn native(budgets: &CliBudgets) -> Host {
    Host::new(&cli_native(&echo(), LIMITS, budgets).unwrap())
}

fn adapter(budgets: &CliBudgets) -> Host {
    Host::new(&cli_adapter(budgets).unwrap())
}

fn bytes(bytes: &[u8]) -> Vec<Event> {
    vec![Event::Bytes(bytes.to_vec())]
}

fn done(stdout: &[u8]) -> Result<Outcome, Trap> {
    Ok(Outcome { state: 0, stdout: stdout.to_vec(), stderr: String::new() })
}

fn failed(stdout: &[u8], stderr: &str) -> Result<Outcome, Trap> {
    Ok(Outcome { state: 1, stdout: stdout.to_vec(), stderr: stderr.to_owned() })
}

#[test]
fn a_thousand_runs_of_one_instance_do_not_grow_its_memory() {
    let large = pattern(90_000);
    let mut reversed = large.clone();
    reversed.reverse();
    let (mut native, mut adapter) = (native(&BUDGETS), adapter(&BUDGETS));
    let sizes = |native: &mut Host, adapter: &mut Host| [native, adapter].map(|h| h.memory().size(&h.store));
    let before = sizes(&mut native, &mut adapter);
    // Together far more than the bump region holds.
    for _ in 0..1000 {
        assert_eq!(native.run(bytes(&large)), done(&large));
        assert_eq!(adapter.run(bytes(&large)), done(&reversed));
    }
    assert_eq!(sizes(&mut native, &mut adapter), before);
    assert_eq!(native.run(Vec::new()), done(b"nothing"));
    assert_eq!(native.run(bytes(b"abc")), done(b"abc"));
    assert_eq!(adapter.run(Vec::new()), done(b""));
    assert_eq!(adapter.run(bytes(b"abc")), done(b"cba"));
}

#[test]
fn pieces_of_input_come_together() {
    let all = pattern(80_000);
    let pieces = [0, 1, 1, 2, 4099, 4099, 75_000, 80_000, 80_000];
    let events = || pieces.windows(2).map(|ends| Event::Bytes(all[ends[0]..ends[1]].to_vec())).collect::<Vec<_>>();
    let mut native = native(&BUDGETS);
    assert_eq!(native.run(events()), done(&all));
    assert_eq!(native.store.data().asked, 65_536);
    let mut reversed = all.clone();
    reversed.reverse();
    assert_eq!(adapter(&BUDGETS).run(events()), done(&reversed));
}

#[test]
fn input_is_bounded_to_the_byte() {
    let budgets = CliBudgets { max_stdin_bytes: 10, ..BUDGETS };
    for mut host in [native(&budgets), adapter(&budgets)] {
        assert_eq!(host.run(bytes(&[7; 10])), done(&[7; 10]));
        assert_eq!(host.store.data().asked, 11);
        assert_eq!(host.run(bytes(&[7; 11])), failed(b"", STDIN));
        assert_eq!(host.run(bytes(&[7; 1000])), failed(b"", STDIN));
        assert_eq!(host.run(bytes(&[7; 10])), done(&[7; 10]));
    }
    let budgets = CliBudgets { max_stdin_bytes: 0, ..BUDGETS };
    assert_eq!(native(&budgets).run(Vec::new()), done(b"nothing"));
    assert_eq!(native(&budgets).run(bytes(b"x")), failed(b"", STDIN));
}

#[test]
fn input_that_fails_is_reported() {
    for mut host in [native(&BUDGETS), adapter(&BUDGETS)] {
        assert_eq!(host.run(vec![Event::Fail]), failed(b"", READ_FAILED));
        assert_eq!(host.run(vec![Event::Bytes(vec![1, 2]), Event::Fail]), failed(b"", READ_FAILED));
        assert_eq!(host.run(bytes(b"x")), done(b"x"));
    }
}

#[test]
fn output_is_bounded_to_the_byte() {
    let budgets = CliBudgets { max_stdout_bytes: 7, ..BUDGETS };
    for mut host in [native(&budgets), adapter(&budgets)] {
        assert_eq!(host.run(bytes(&[7; 7])), done(&[7; 7]));
        assert_eq!(host.run(bytes(&[7; 8])), failed(b"", STDOUT));
    }
}

#[test]
fn output_that_fails_is_reported() {
    let large = pattern(10_000);
    for mut host in [native(&BUDGETS), adapter(&BUDGETS)] {
        let outcome = host.run_with(bytes(&large), 9000).unwrap();
        assert_eq!((outcome.state, outcome.stdout.len(), outcome.stderr.as_str()), (1, 8192, STDOUT));
        assert_eq!(host.run_with(bytes(&large), 0), failed(b"", STDOUT));
    }
}

#[test]
fn standard_error_is_bounded() {
    for (max, want) in [(0, ""), (20, ""), (STDIN.len() as u64, STDIN)] {
        let budgets = CliBudgets { max_stdin_bytes: 0, max_stderr_bytes: max, ..BUDGETS };
        assert_eq!(native(&budgets).run(bytes(b"x")), failed(b"", want));
    }
}

#[test]
fn an_output_over_the_limit_of_the_program_traps() {
    let limits = SolveLimits { max_output: 4, ..LIMITS };
    let mut host = Host::new(&cli_native(&echo(), limits, &BUDGETS).unwrap());
    assert_eq!(host.run(bytes(b"abcd")), done(b"abcd"));
    assert_eq!(host.run(bytes(b"abcde")), Err(Trap::UnreachableCodeReached));
}

#[test]
fn budgets_that_no_memory_holds_are_refused() {
    let budgets = CliBudgets { max_stdin_bytes: u64::MAX, ..BUDGETS };
    for made in [cli_native(&echo(), LIMITS, &budgets), cli_adapter(&budgets)] {
        assert!(matches!(made, Err(GlueError::Link(LinkError::MemoryTooLarge { .. }))), "{made:?}");
    }
}

#[test]
fn the_same_program_gives_the_same_bytes() {
    assert_eq!(cli_native(&echo(), LIMITS, &BUDGETS), cli_native(&echo(), LIMITS, &BUDGETS));
    assert_eq!(cli_adapter(&BUDGETS), cli_adapter(&BUDGETS));
}
