//! Timing for the benchmarks: medians, and ratios between things that were measured in turn.
//!
//! Machines are noisy, so only ratios within one run say something; absolute times are shown to
//! make the ratios readable.

use std::time::{Duration, Instant};

/// Something to measure, and its name.
pub type Thing = (String, Box<dyn FnMut()>);

/// How often each thing is measured: fewer times with `--quick`.
pub fn rounds() -> usize {
    if std::env::args().any(|a| a == "--quick") { 3 } else { 15 }
}

/// Median times of several things, measured in turn so that a busy moment meets all of them.
pub fn medians(rounds: usize, things: &mut [Thing]) -> Vec<(String, Duration)> {
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); things.len()];
    for (_, thing) in things.iter_mut() {
        thing();
    }
    for _ in 0..rounds {
        for ((_, thing), times) in things.iter_mut().zip(&mut times) {
            let started = Instant::now();
            thing();
            times.push(started.elapsed());
        }
    }
    let median = |mut t: Vec<Duration>| {
        t.sort();
        t.get(t.len() / 2).copied().unwrap_or_default()
    };
    things.iter().map(|(name, _)| name.clone()).zip(times.into_iter().map(median)).collect()
}

/// Prints a table; the ratio is to the row named `peer`.
pub fn table(title: &str, rows: &[(String, Duration)], peer: &str) {
    let base = rows.iter().find(|(name, _)| name == peer).map_or(0.0, |(_, t)| t.as_secs_f64());
    println!("\n{title}");
    for (name, time) in rows {
        let ratio = if base > 0.0 { time.as_secs_f64() / base } else { 0.0 };
        println!("  {name:<44} {:>10.3} ms  {ratio:>8.2} × {peer}", time.as_secs_f64() * 1e3);
    }
}
