//! One request → what the component made of it.

use super::classify;
use crate::caps::denial_diag;
use crate::component::guest_diagnostics::{Channel, broken, diagnose, from_headers};
use crate::engine::component::{Denial, Grant, HttpCall, HttpOutcome, HttpService};
use crate::report::{Context, Diag};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::Value;

/// A component that is ready for requests.
#[derive(Clone)]
pub struct Backend {
    service: HttpService,
    max_response_bytes: u64,
    max_header_bytes: u64,
    with_ops: bool,
}

/// Something to report about a request.
#[derive(Clone, Debug)]
pub enum Finding {
    /// Found by us.
    Host(Diag),
    /// Said by the component.
    Guest(Diag),
}

impl Finding {
    /// What it has in common with others of its kind: who says it, and its code; for a request that
    /// was refused also where it was to go, because each of those is a finding of its own.
    #[must_use]
    pub fn kind(&self) -> (bool, String) {
        let guest = matches!(self, Self::Guest(_));
        let diagnostic = self.clone().diag().build();
        let refused = !guest && diagnostic.code.starts_with("X07WASM_CAPS_NET_");
        (guest, if refused { format!("{} {}", diagnostic.code, diagnostic.message) } else { diagnostic.code })
    }

    /// With a member of `data`.
    #[must_use]
    pub fn with(self, key: &str, value: impl Into<Value>) -> Self {
        match self {
            Self::Host(diag) => Self::Host(diag.data(key, value)),
            Self::Guest(diag) => Self::Guest(diag.data(key, value)),
        }
    }

    /// Hands it to the report.
    pub fn push(self, context: &mut Context) {
        match self {
            Self::Host(diag) => context.push(diag),
            Self::Guest(diag) => context.push_guest(diag),
        }
    }

    fn diag(self) -> Diag {
        match self {
            Self::Host(diag) | Self::Guest(diag) => diag,
        }
    }

    fn message(&self) -> String {
        self.clone().diag().build().message
    }
}

/// What became of a request. It failed if there are findings; every finding is an error.
#[derive(Debug)]
pub struct Outcome {
    /// The response, or the status to answer with where there is none.
    pub response: Result<Response<Bytes>, StatusCode>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Whether the component really reached something outside.
    pub sent: bool,
}

impl Outcome {
    /// A request that was not given to the component.
    #[must_use]
    pub fn not_started(problems: Vec<Diag>) -> Self {
        Self {
            response: Err(StatusCode::INTERNAL_SERVER_ERROR),
            findings: problems.into_iter().map(Finding::Host).collect(),
            sent: false,
        }
    }

    /// Whether something is wrong.
    #[must_use]
    pub fn failed(&self) -> bool {
        !self.findings.is_empty()
    }

    /// The code of the first finding.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.findings.first().map(|finding| finding.kind().1)
    }

    /// All messages in one text.
    #[must_use]
    pub fn error(&self) -> String {
        self.findings.iter().map(Finding::message).collect::<Vec<_>>().join("; ")
    }
}

impl Backend {
    /// A component with the limits of its responses. `with_ops` says whether it is granted what an ops
    /// profile lists.
    #[must_use]
    pub const fn new(service: HttpService, max_response_bytes: u64, max_header_bytes: u64, with_ops: bool) -> Self {
        Self { service, max_response_bytes, max_header_bytes, with_ops }
    }

    /// Lets the component answer a request.
    pub async fn call(&self, request: Request<Bytes>, grant: Grant) -> Outcome {
        let call =
            HttpCall { grant, max_response_bytes: self.max_response_bytes, max_header_bytes: self.max_header_bytes };
        judge(self.service.call(request, call).await, self.with_ops)
    }
}

fn judge(outcome: HttpOutcome, with_ops: bool) -> Outcome {
    let mut findings: Vec<Finding> = outcome.denials.iter().map(|denial| denied(denial, with_ops)).collect();
    let response = match outcome.response {
        Ok(response) => {
            match from_headers(response.headers()) {
                Ok(None) => {}
                Ok(Some(said)) => findings.push(Finding::Guest(diagnose(&said))),
                Err(rule) => findings.push(Finding::Host(broken(Channel::Http, rule))),
            }
            Ok(response)
        }
        Err(error) => {
            let explained = classify::explain(&error);
            // What was denied is why the component gave up, unless it hit a limit besides.
            if explained.limit || findings.is_empty() {
                findings.push(Finding::Host(explained.diag));
            }
            Err(explained.status)
        }
    };
    Outcome { response, findings, sent: outcome.sent }
}

fn denied(denial: &Denial, with_ops: bool) -> Finding {
    Finding::Host(denial_diag(denial, with_ops))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::component::{CallError, DenialReason, Target};

    fn outcome(response: Result<Response<Bytes>, CallError>, denials: usize) -> Outcome {
        let target = Target { scheme: "http".to_owned(), host: "example.com".to_owned(), port: 80 };
        let denials = vec![Denial { target, reason: DenialReason::NotGranted }; denials];
        judge(HttpOutcome { response, denials, sent: false, fuel_used: None }, false)
    }

    fn answered(status: u16, headers: &[(&str, &str)]) -> Result<Response<Bytes>, CallError> {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        Ok(response.body(Bytes::new()).expect("a response"))
    }

    fn codes(outcome: &Outcome) -> Vec<String> {
        outcome.findings.iter().map(|finding| finding.clone().diag().build().code).collect()
    }

    #[test]
    fn a_status_is_no_failure() {
        for status in [200, 404, 500, 599] {
            let outcome = outcome(answered(status, &[]), 0);
            assert!(!outcome.failed(), "{status}");
            assert_eq!(outcome.response.map(|r| r.status().as_u16()), Ok(status));
        }
    }

    #[test]
    fn what_the_component_says_is_a_finding_beside_the_response() {
        let said = outcome(answered(413, &[("x-x07-diag-code", "A_CODE")]), 0);
        assert!(matches!(said.findings.as_slice(), [Finding::Guest(_)]));
        assert_eq!(said.fault().as_deref(), Some("A_CODE"));
        assert!(said.response.is_ok());
        let twice = outcome(answered(200, &[("x-x07-diag-code", "A"), ("x-x07-diag-code", "A")]), 0);
        assert!(matches!(twice.findings.as_slice(), [Finding::Host(_)]));
        assert_eq!(codes(&twice), ["X07WASM_HOST_DIAG_HTTP_DIAG_CODE_DUPLICATE"]);
    }

    #[test]
    fn each_place_that_was_refused_is_a_finding_of_its_own() {
        let denied = |host: &str| {
            let target = Target { scheme: "http".to_owned(), host: host.to_owned(), port: 80 };
            super::denied(&Denial { target, reason: DenialReason::NotGranted }, true).kind()
        };
        assert_eq!(denied("a.example"), denied("a.example"));
        assert_ne!(denied("a.example"), denied("b.example"));
    }

    #[test]
    fn a_denial_explains_a_failure_but_no_limit() {
        let handled = outcome(answered(200, &[]), 1);
        assert_eq!(codes(&handled), ["X07WASM_CAPS_NET_DENIED"]);
        assert!(handled.response.is_ok());
        assert_eq!(codes(&outcome(Err(CallError::NoResponse), 1)), ["X07WASM_CAPS_NET_DENIED"]);
        assert_eq!(codes(&outcome(Err(CallError::NoResponse), 0)), ["X07WASM_SERVE_REQUEST_FAILED"]);
        let both = outcome(Err(CallError::Fuel), 1);
        assert_eq!(codes(&both), ["X07WASM_CAPS_NET_DENIED", "X07WASM_BUDGET_EXCEEDED_CPU_FUEL"]);
    }
}
