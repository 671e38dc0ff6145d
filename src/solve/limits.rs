//! Which limits a run has: the profile's, with what the command line overrides.

use crate::engine::{Allocator, CacheSource, EngineConfig, Guests, Limits};
use std::path::PathBuf;
use x07_wasm_contracts::command_line::Limit;
use x07_wasm_contracts::types::{WasmRuntimeLimits, WasmRuntimeLimitsInstanceAllocator};

/// Stack of a run whose profile says nothing: 1 MiB.
const DEFAULT_STACK_BYTES: u32 = 1 << 20;

/// Limits given on the command line; each replaces the profile's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides {
    /// Fuel.
    pub fuel: Option<Limit>,
    /// Bytes of each memory.
    pub memory_bytes: Option<Limit>,
    /// Elements of each table.
    pub table_elements: Option<Limit>,
    /// Bytes of wasm stack.
    pub wasm_stack_bytes: Option<Limit>,
    /// Milliseconds of wall time.
    pub wall_ms: Option<Limit>,
}

/// A limit that does not fit the engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option} {value} is too large; at most {most}")]
pub struct TooLarge {
    /// The option.
    pub option: &'static str,
    /// Its value.
    pub value: u64,
    /// The largest value.
    pub most: u32,
}

/// The engine configuration of a run.
///
/// `plan_stack_bytes` is the stack that the module's linker flags ask for (0: nothing asked);
/// `builtin` says that the profile came out of the tool, whose cache file is then the user's default.
///
/// # Errors
/// An override that does not fit 32 bits where the engine has no more.
pub fn engine_config(
    profile: &WasmRuntimeLimits,
    overrides: Overrides,
    plan_stack_bytes: u64,
    builtin: bool,
) -> Result<EngineConfig, TooLarge> {
    let wide = |given: Option<Limit>, own: Option<u64>| given.map_or(own, Limit::max);
    let narrow = |option, most: u32, given: Option<Limit>, own: Option<u32>| match given {
        None => Ok(own),
        Some(Limit::None) => Ok(None),
        Some(Limit::Max(value)) => {
            let fits = u32::try_from(value).ok().filter(|n| *n <= most);
            fits.map(Some).ok_or(TooLarge { option, value, most })
        }
    };
    let plan_stack = u32::try_from(plan_stack_bytes).ok().filter(|n| *n > 0).unwrap_or(DEFAULT_STACK_BYTES);
    let stack = narrow(
        "--max-wasm-stack-bytes",
        i32::MAX.cast_unsigned(),
        overrides.wasm_stack_bytes,
        Some(profile.max_wasm_stack_bytes.unwrap_or(plan_stack)),
    )?;
    let cache = profile.cache_config.as_ref().and_then(|c| c.as_ref());
    Ok(EngineConfig {
        guests: Guests::Solve,
        limits: Limits {
            fuel: wide(overrides.fuel, profile.max_fuel),
            memory_bytes: wide(overrides.memory_bytes, profile.max_memory_bytes),
            table_elements: narrow(
                "--max-table-elements",
                u32::MAX,
                overrides.table_elements,
                profile.max_table_elements,
            )?,
            wasm_stack_bytes: stack,
            wall_ms: wide(overrides.wall_ms, None),
        },
        allocator: match profile.instance_allocator {
            Some(WasmRuntimeLimitsInstanceAllocator::Pooling) => Allocator::Pooling,
            _ => Allocator::OnDemand,
        },
        cache: cache
            .map(|path| if builtin { CacheSource::UserDefault } else { CacheSource::ProjectFile(PathBuf::from(path)) }),
        concurrency: 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> WasmRuntimeLimits {
        WasmRuntimeLimits {
            cache_config: None,
            instance_allocator: None,
            max_fuel: Some(7),
            max_memory_bytes: Some(8),
            max_table_elements: None,
            max_wasm_stack_bytes: None,
            notes: None,
        }
    }

    #[test]
    fn overrides_replace_and_none_removes() {
        let config = engine_config(&profile(), Overrides::default(), 0, false).expect("fits");
        assert_eq!(
            config.limits,
            Limits {
                fuel: Some(7),
                memory_bytes: Some(8),
                table_elements: None,
                wasm_stack_bytes: Some(1 << 20),
                wall_ms: None
            }
        );
        let overrides = Overrides {
            fuel: Some(Limit::None),
            memory_bytes: Some(Limit::Max(9)),
            wall_ms: Some(Limit::Max(5)),
            ..Overrides::default()
        };
        let config = engine_config(&profile(), overrides, 4096, false).expect("fits");
        assert_eq!(
            config.limits,
            Limits {
                fuel: None,
                memory_bytes: Some(9),
                table_elements: None,
                wasm_stack_bytes: Some(4096),
                wall_ms: Some(5)
            }
        );
        let wide = Overrides { table_elements: Some(Limit::Max(1 << 32)), ..Overrides::default() };
        assert!(engine_config(&profile(), wide, 0, false).is_err());
    }
}
