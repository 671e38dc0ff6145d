//! The manifest of the tests.

use super::property::{Kind, Param, Property};
use crate::contract::digest;
use crate::contract::files::{Files, MAX_DOCUMENT_BYTES, shown};
use crate::contract::load::{self, LoadError};
use crate::contract::path::{normal_relative, safe_join};
use crate::report::{Code, Diag, DocumentCodes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use x07_wasm_contracts::types::{
    FileDigest, TestsManifest, TestsManifestExpect as Expect, TestsManifestParam, TestsManifestParamKind,
    TestsManifestPbt, TestsManifestReturns as Returns, TestsManifestTest, TestsManifestWorld as World,
};

const CODES: DocumentCodes = DocumentCodes {
    read: Code::TestManifestReadFailed,
    json: Code::TestManifestInvalid,
    schema: Code::TestManifestInvalid,
};

/// Inputs of a property where the manifest does not say how many.
const DEFAULT_CASES: u32 = 100;
/// Calls for smaller arguments where the manifest does not say how many.
const DEFAULT_SHRINKS: u32 = 1000;
/// Greatest length of bytes where the manifest does not say one.
const DEFAULT_LENGTH: u32 = 64;

/// A manifest that was read.
#[derive(Debug)]
pub struct Manifest {
    /// Its digest.
    pub digest: FileDigest,
    /// Its tests, sorted by id; each id is there once.
    pub tests: Vec<Test>,
}

/// One test.
#[derive(Debug)]
pub struct Test {
    /// Its id, in printable ASCII.
    pub id: String,
    /// The world that it needs.
    pub world: World,
    /// The module of the function that it calls.
    pub module: String,
    /// The symbol of that function, the module's id in front.
    pub entry: String,
    /// The outcome that is expected.
    pub expect: Expect,
    /// What the function returns.
    pub returns: Returns,
    /// Most milliseconds that a call may take.
    pub timeout_ms: Option<u64>,
    /// Fuel of a call.
    pub fuel: Option<u64>,
    /// Where its input comes from.
    pub input: InputSource,
    /// How the inputs of a property test are made; `None` for a test of one input.
    pub property: Option<Property>,
}

/// Where the input of a test comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputSource {
    /// The manifest itself; empty where it says nothing.
    Bytes(Vec<u8>),
    /// A file, read when the test is about to run.
    File(PathBuf),
}

/// Reads and checks a manifest.
///
/// # Errors
/// Every problem of it.
pub fn read(files: &mut Files, path: &Path) -> Result<Manifest, Vec<Diag>> {
    let diagnose = |error: &LoadError| CODES.diagnose("manifest of tests", error);
    let bytes = files.read(path, MAX_DOCUMENT_BYTES).map_err(|e| diagnose(&LoadError::Read(e)))?;
    let document = load::from_bytes::<TestsManifest>(&shown(path), &bytes).map_err(|e| diagnose(&e))?.document;
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut problems = Vec::new();
    let mut tests: BTreeMap<String, Test> = BTreeMap::new();
    for (i, entry) in document.tests.into_iter().enumerate() {
        let at = format!("/tests/{i}");
        let id = entry.id.clone();
        if tests.contains_key(&id) {
            problems.push(wrong(path, &format!("{at}/id"), &format!("the id {id:?} is taken; give each test its own")));
            continue;
        }
        match test(path, &folder, &at, entry) {
            Ok(test) => {
                tests.insert(id, test);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(Manifest { digest: digest::of(shown(path), &bytes), tests: tests.into_values().collect() })
    } else {
        Err(problems)
    }
}

/// A problem of the manifest that its schema cannot express.
fn wrong(path: &Path, pointer: &str, message: &str) -> Diag {
    Diag::new(Code::TestManifestInvalid, format!("manifest of tests {} at {pointer}: {message}", shown(path)))
        .data("file", shown(path))
        .data("instance_path", pointer)
}

fn test(path: &Path, folder: &Path, at: &str, entry: TestsManifestTest) -> Result<Test, Diag> {
    let input = match (&entry.input_b64, &entry.input_path) {
        (Some(text), _) => InputSource::Bytes(STANDARD.decode(text.trim()).map_err(|e| {
            let message = format!("no base64: {e}; use the standard alphabet with padding");
            wrong(path, &format!("{at}/input_b64"), &message)
        })?),
        (None, Some(file)) => InputSource::File(
            safe_join(folder, &normal_relative(file))
                .map_err(|e| wrong(path, &format!("{at}/input_path"), &e.to_string()))?,
        ),
        (None, None) => InputSource::Bytes(Vec::new()),
    };
    let property = match &entry.pbt {
        Some(pbt) => Some(property(path, at, pbt)?),
        None => None,
    };
    // The schema promises a dot.
    let module = entry.entry.rsplit_once('.').map_or_else(String::new, |(module, _)| module.to_owned());
    Ok(Test {
        id: entry.id,
        world: entry.world,
        module,
        entry: entry.entry,
        expect: entry.expect.unwrap_or(Expect::Pass),
        returns: entry.returns.unwrap_or(Returns::ResultI32),
        timeout_ms: entry.timeout_ms,
        fuel: entry.solve_fuel,
        input,
        property,
    })
}

fn property(path: &Path, at: &str, pbt: &TestsManifestPbt) -> Result<Property, Diag> {
    let mut params = Vec::new();
    for (i, param) in pbt.params.iter().flatten().enumerate() {
        params.push(self::param(path, &format!("{at}/pbt/params/{i}"), param)?);
    }
    Ok(Property {
        cases: pbt.cases.unwrap_or(DEFAULT_CASES),
        seed: pbt.seed.unwrap_or(0),
        max_shrinks: pbt.max_shrinks.unwrap_or(DEFAULT_SHRINKS),
        params,
    })
}

fn param(path: &Path, at: &str, param: &TestsManifestParam) -> Result<Param, Diag> {
    let kind = match param.kind {
        TestsManifestParamKind::I32 => {
            // The schema keeps both within the range.
            let bound = |given: Option<i64>, or: i32| given.and_then(|n| i32::try_from(n).ok()).unwrap_or(or);
            let (min, max) = (bound(param.min, i32::MIN), bound(param.max, i32::MAX));
            if min > max {
                let message = format!("the least value {min} is greater than the greatest, {max}; exchange them");
                return Err(wrong(path, at, &message));
            }
            Kind::I32 { min, max }
        }
        TestsManifestParamKind::Bytes => Kind::Bytes { max_len: param.max_len.unwrap_or(DEFAULT_LENGTH) },
    };
    Ok(Param { name: param.name.clone(), kind })
}
