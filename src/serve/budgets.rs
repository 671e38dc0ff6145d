//! What a request may use, and the engine that goes with it.

use crate::engine::{Allocator, EngineConfig, EngineError, EngineWarning, Guests, Limits, MAX_CONCURRENCY, Runtime};
use crate::report::{Code, Diag};
use crate::solve::limits::{Overrides, TooLarge, engine_config};
use crate::wasm_profile::Selected;
use x07_wasm_contracts::types::{ServeReportServeBudgets, WasmIncidentManifestBudgets};

/// The limits of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Bytes in its body. They are a limit of the server: canary requests are ours.
    pub max_request_bytes: u64,
    /// Bytes in the body of its response.
    pub max_response_bytes: u64,
    /// Milliseconds that it may take.
    pub max_wall_ms: u64,
    /// Requests at a time.
    pub max_concurrent: u32,
}

impl Budgets {
    /// What is wrong with them for a server: no request can be answered in no time.
    #[must_use]
    pub fn problem(self) -> Option<Diag> {
        (self.max_wall_ms == 0).then(|| {
            let message = "--max-wall-ms-per-request 0 leaves no time for any request; give 1 or more";
            Diag::new(Code::CliArgsInvalid, message).data("option", "max-wall-ms-per-request")
        })
    }
}

impl From<Budgets> for ServeReportServeBudgets {
    fn from(budgets: Budgets) -> Self {
        Self {
            max_concurrent: budgets.max_concurrent,
            max_request_bytes: budgets.max_request_bytes,
            max_response_bytes: budgets.max_response_bytes,
            max_wall_ms_per_request: budgets.max_wall_ms,
        }
    }
}

impl From<Budgets> for WasmIncidentManifestBudgets {
    fn from(budgets: Budgets) -> Self {
        Self {
            max_request_bytes: budgets.max_request_bytes,
            max_response_bytes: budgets.max_response_bytes,
            max_wall_ms_per_request: budgets.max_wall_ms,
        }
    }
}

/// What the command line says about the engine.
#[derive(Clone, Copy, Debug)]
pub struct Wishes {
    /// Limits in place of the profile's; the wall time is that of the budgets.
    pub overrides: Overrides,
    /// Where instances get their memory from; `None` leaves it to us.
    pub allocator: Option<Allocator>,
    /// Whether requests are awaited, and so may come at the same time.
    pub listening: bool,
    /// Whether compiled code is kept in the user's cache.
    pub code_cache: bool,
}

/// The engine to serve with, and what to use in its place should this host not have the room that a
/// pool reserves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// First choice.
    pub config: EngineConfig,
    /// Second choice, where the pool was our own idea.
    pub otherwise: Option<EngineConfig>,
}

impl Engine {
    /// The engine for a profile, the wishes and the budgets.
    ///
    /// # Errors
    /// A limit that does not fit the engine.
    pub fn choose(selected: &Selected, wishes: Wishes, budgets: Budgets) -> Result<Self, TooLarge> {
        let mut config = engine_config(&selected.profile.runtime, wishes.overrides, 0, selected.builtin)?
            .with_user_cache(wishes.code_cache);
        config.guests = Guests::Components;
        config.limits.wall_ms = Some(budgets.max_wall_ms);
        let concurrency = if wishes.listening { budgets.max_concurrent } else { 1 };
        let own_idea = wishes.allocator.is_none()
            && config.allocator == Allocator::OnDemand
            && wishes.listening
            && concurrency <= MAX_CONCURRENCY
            && can_pool(&config.limits);
        if let Some(asked) = wishes.allocator {
            config.allocator = asked;
        }
        if own_idea {
            let pooled = EngineConfig { allocator: Allocator::Pooling, concurrency, ..config.clone() };
            return Ok(Self { config: pooled, otherwise: Some(config) });
        }
        if config.allocator == Allocator::Pooling {
            config.concurrency = concurrency;
        }
        Ok(Self { config, otherwise: None })
    }

    /// Sets it up.
    ///
    /// # Errors
    /// What no engine can be made from.
    pub fn start(&self) -> Result<(Runtime, Vec<EngineWarning>), EngineError> {
        match (Runtime::new(&self.config), &self.otherwise) {
            (Err(EngineError::Config { .. }), Some(otherwise)) => Runtime::new(otherwise),
            (started, _) => started,
        }
    }
}

/// A pool needs to know how much to reserve.
fn can_pool(limits: &Limits) -> bool {
    limits.memory_bytes.is_some_and(|n| n > 0) && limits.table_elements.is_some_and(|n| n > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::files::Files;
    use crate::wasm_profile::{Selection, select};
    use std::path::Path;
    use x07_wasm_contracts::command_line::Limit;

    fn choose(listening: bool, max_concurrent: u32, allocator: Option<Allocator>, tables: Option<Limit>) -> Engine {
        let index = Path::new(crate::wasm_profile::DEFAULT_INDEX);
        let selection = Selection { id: Some("wasm_release"), file: None, index };
        let selected = select(&mut Files::default(), &selection, Code::ProfileLoadFailed, &mut Vec::new());
        let overrides = Overrides { table_elements: tables, ..Overrides::default() };
        let wishes = Wishes { overrides, allocator, listening, code_cache: false };
        let budgets = Budgets { max_request_bytes: 1, max_response_bytes: 2, max_wall_ms: 3, max_concurrent };
        Engine::choose(&selected.expect("the profile"), wishes, budgets).expect("limits that fit")
    }

    #[test]
    fn no_time_at_all_is_a_problem() {
        let budgets = Budgets { max_request_bytes: 1, max_response_bytes: 2, max_wall_ms: 1, max_concurrent: 4 };
        assert!(budgets.problem().is_none());
        let problem = Budgets { max_wall_ms: 0, ..budgets }.problem().expect("a problem").build();
        assert_eq!(problem.code, "X07WASM_CLI_ARGS_INVALID");
    }

    #[test]
    fn a_server_takes_a_pool_where_it_can() {
        let engine = choose(true, 16, None, None);
        assert_eq!((engine.config.allocator, engine.config.concurrency), (Allocator::Pooling, 16));
        assert_eq!(engine.otherwise.map(|o| o.allocator), Some(Allocator::OnDemand));
        assert_eq!(engine.config.guests, Guests::Components);
        assert_eq!(engine.config.limits.wall_ms, Some(3));
        for other in [
            choose(false, 16, None, None),
            choose(true, 16, None, Some(Limit::None)),
            choose(true, MAX_CONCURRENCY + 1, None, None),
            choose(true, 16, Some(Allocator::OnDemand), None),
        ] {
            assert_eq!((other.config.allocator, &other.otherwise), (Allocator::OnDemand, &None));
        }
    }

    #[test]
    fn a_pool_that_was_asked_for_is_not_replaced() {
        let engine = choose(true, 8, Some(Allocator::Pooling), None);
        assert_eq!((engine.config.allocator, engine.config.concurrency), (Allocator::Pooling, 8));
        assert_eq!(engine.otherwise, None);
        let without = choose(true, 8, Some(Allocator::Pooling), Some(Limit::None));
        assert!(matches!(without.start(), Err(EngineError::PoolingNeedsLimits { .. })));
    }
}
