//! The loop: dispatch → call → frame → effects → dispatch, until there is a response.

use super::effects::{Effects, Used};
use super::frame::{self, Frame};
use super::kept::Steps;
use super::runner::Runner;
use super::until::Until;
use crate::contract::json::canonical;
use crate::report::{Code, Diag};
use serde_json::Value;
use std::sync::atomic::AtomicBool;
use x07_wasm_contracts::types::{HttpEffectEffectRequest as Effect, HttpResponseEnvelope};

/// Failed effects of one request that are reported; the reducer gets all results.
const MAX_EFFECT_PROBLEMS: usize = 100;

/// What one request may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopLimits {
    /// Calls of the reducer.
    pub max_steps: u32,
    /// Bytes of payload in the results of all effects.
    pub max_result_bytes: u64,
    /// Milliseconds for all calls and effects together.
    pub max_wall_ms: u64,
}

/// A reducer with everything that it needs to answer requests. It can be used from several threads
/// at a time; effects of one request are carried out in their order.
pub struct Host {
    /// The reducer.
    pub runner: Runner,
    /// What it may ask for.
    pub effects: Effects,
    /// What one request may use.
    pub limits: LoopLimits,
}

/// A request that satisfies its contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: String,
    /// The request envelope.
    pub envelope: Value,
}

/// One call that returned a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What the reducer was given.
    pub env: Value,
    /// What it returned.
    pub frame: Value,
}

/// Where a request went wrong first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The step, counted from 0.
    pub step: usize,
    /// The dispatch of that step.
    pub env: Value,
    /// What the reducer returned there, if that is JSON.
    pub frame: Option<Value>,
    /// What happened.
    pub error: String,
}

/// What became of a request.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The response, if there is one.
    pub response: Option<HttpResponseEnvelope>,
    /// The calls that returned a frame, in order.
    pub steps: Steps,
    /// What went wrong. A request with failed effects can have a response all the same.
    pub problems: Vec<Diag>,
    /// The first problem and its place.
    pub failure: Option<Failure>,
    /// What may be different the next time.
    pub used: Used,
    /// Whether it was given up, because nobody waits for the response any more.
    pub cancelled: bool,
}

impl Host {
    /// Answers a request. It is given up between two calls, or in an effect that waits, once
    /// `cancelled` is set.
    #[must_use]
    pub fn answer(&self, request: &Request, cancelled: &AtomicBool) -> Outcome {
        let until = Until::within(self.limits.max_wall_ms, cancelled);
        let mut run = Run { host: self, request, until, received: 0, outcome: Outcome::default() };
        run.all();
        run.outcome
    }
}

impl Outcome {
    /// Notes a problem with the response, which is that of the last step.
    pub fn fail_last(&mut self, problem: Diag) {
        if self.failure.is_none() {
            let (env, frame) = match self.steps.last() {
                Some(last) => (last.env.clone(), Some(last.frame.clone())),
                None => (Value::Null, None),
            };
            let (step, error) = (self.steps.count().saturating_sub(1), problem.clone().build().message);
            self.failure = Some(Failure { step, env, frame, error });
        }
        self.problems.push(problem);
    }
}

/// One request under way.
struct Run<'a> {
    host: &'a Host,
    request: &'a Request,
    until: Until<'a>,
    /// Bytes of payload in the results so far.
    received: u64,
    outcome: Outcome,
}

impl Run<'_> {
    fn all(&mut self) {
        let mut state = Value::Null;
        let mut results = Vec::new();
        for step in 0..usize::try_from(self.host.limits.max_steps).unwrap_or(usize::MAX) {
            if self.is_cancelled() {
                return;
            }
            let env = frame::dispatch(state, self.request.envelope.clone(), std::mem::take(&mut results));
            let Some(frame) = self.call(step, &env) else { return };
            state = frame.value.get("state").cloned().unwrap_or(Value::Null);
            self.outcome.steps.push(Step { env, frame: frame.value });
            if let Some(response) = frame.document.response {
                // With a response the request is over, whatever else the frame asks for.
                self.respond(step, response);
                return;
            }
            match self.effects(step, &frame.document.effects) {
                Some(made) => results = made,
                None => return,
            }
        }
        let steps = self.host.limits.max_steps;
        let problem = Diag::new(
            Code::BudgetExceededHttpEffectsLoops,
            format!(
                "the reducer gave no response to the request {} in {steps} calls; raise --max-effect-steps if it needs more",
                self.request.id
            ),
        );
        self.fail(self.outcome.steps.count().saturating_sub(1), problem.data("max_effect_steps", steps));
    }

    /// Takes the response of a step, which must be one to this request: a reducer that mixes requests
    /// up must not give one client what another one asked for.
    fn respond(&mut self, step: usize, response: HttpResponseEnvelope) {
        if response.request_id == self.request.id {
            self.outcome.response = Some(response);
            return;
        }
        let message = format!(
            "the frame of call {} of the request {} at /response/request_id: the response is for {:?}; give it the id of the request",
            step + 1,
            self.request.id,
            response.request_id
        );
        self.fail(step, Diag::new(Code::HttpFrameSchemaInvalid, message).data("instance_path", "/response/request_id"));
    }

    /// One call of the reducer; a failure is noted and ends the request.
    fn call(&mut self, step: usize, env: &Value) -> Option<Frame> {
        let name = format!("call {} of the request {}", step + 1, self.request.id);
        let problems = frame::dispatch_problems(&name, env);
        if !problems.is_empty() {
            self.fail_at(step, env, None, problems);
            return None;
        }
        let output = match self.host.runner.call(&canonical::compact(env)) {
            Ok(output) => output,
            Err(problem) => {
                self.fail_at(step, env, None, vec![problem.note(format!("in {name}"))]);
                return None;
            }
        };
        match frame::read(&name, &output) {
            Ok(frame) => Some(frame),
            Err(none) => {
                self.fail_at(step, env, none.value, none.problems);
                None
            }
        }
    }

    /// Carries out the effects of the last step; `None` when the request is over.
    fn effects(&mut self, step: usize, effects: &[Effect]) -> Option<Vec<Value>> {
        let limit = self.host.limits.max_result_bytes;
        let mut results = Vec::with_capacity(effects.len());
        for effect in effects {
            if self.is_over(step) {
                return None;
            }
            let left = limit.saturating_sub(self.received);
            let performed = self.host.effects.perform(&self.request.id, effect, left, self.until);
            self.outcome.used.add(performed.used);
            if let Some(problem) = performed.problem {
                self.effect_failed(step, problem);
            }
            self.received = self.received.saturating_add(performed.bytes);
            if self.received > limit {
                let problem = Diag::new(
                    Code::BudgetExceededHttpEffectResultBytes,
                    format!(
                        "the results of effects for the request {} hold at least {} bytes of payload, and {limit} are allowed; ask for less, or raise --max-effect-results-bytes",
                        self.request.id, self.received
                    ),
                );
                let problem = problem.data("result_bytes", self.received).data("max_effect_results_bytes", limit);
                self.fail(step, problem);
                return None;
            }
            // A result is made of strings, numbers and flags: nothing in it cannot be JSON.
            results.push(serde_json::to_value(performed.result).unwrap_or(Value::Null));
        }
        (!self.is_over(step)).then_some(results)
    }

    fn effect_failed(&mut self, step: usize, problem: Diag) {
        if self.outcome.problems.len() < MAX_EFFECT_PROBLEMS {
            self.fail(step, problem);
        }
    }

    /// Notes a problem of the last step, which returned a frame.
    fn fail(&mut self, step: usize, problem: Diag) {
        let (env, frame) = match self.outcome.steps.last() {
            Some(done) if self.outcome.failure.is_none() => (done.env.clone(), Some(done.frame.clone())),
            _ => (Value::Null, None),
        };
        self.fail_at(step, &env, frame, vec![problem]);
    }

    fn fail_at(&mut self, step: usize, env: &Value, frame: Option<Value>, problems: Vec<Diag>) {
        for problem in problems {
            let problem = problem.data("request_id", self.request.id.as_str()).data("step", step);
            if self.outcome.failure.is_none() {
                let error = problem.clone().build().message;
                self.outcome.failure = Some(Failure { step, env: env.clone(), frame: frame.clone(), error });
            }
            self.outcome.problems.push(problem);
        }
    }

    fn is_cancelled(&mut self) -> bool {
        self.outcome.cancelled |= self.until.is_cancelled();
        self.outcome.cancelled
    }

    /// Whether there is no time for anything more after the last step.
    fn is_over(&mut self, step: usize) -> bool {
        if self.is_cancelled() {
            return true;
        }
        if !self.until.has_passed() {
            return false;
        }
        let ms = self.host.limits.max_wall_ms;
        let message = format!(
            "the request {} was not answered in {ms} ms; raise --max-wall-ms-per-request if it needs longer",
            self.request.id
        );
        self.fail(step, Diag::new(Code::BudgetExceededWalltime, message).data("max_wall_ms_per_request", ms));
        true
    }
}
