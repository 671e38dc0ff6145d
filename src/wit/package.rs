//! The text of a package: parsed, but not yet connected with the packages that it refers to.

use super::problem::WitProblem;
use super::tree_digest::Tree;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wit_parser::{AstItem, PackageName, SourceMap, UnresolvedPackage, UnresolvedPackageGroup, WorldId};

/// Most worlds of a package; reports list no more.
const MAX_WORLDS: usize = 128;
/// Most packages that one depends on; a registry lists no more.
const MAX_DEPENDENCIES: usize = 256;
/// Longest name of a world in characters, as documents write it.
const MAX_NAME: usize = 64;
/// Most types, interfaces and worlds of a package and of a bundle. All of WASI 0.2 has several hundred.
pub(super) const MAX_ITEMS: usize = 8192;

/// Stack for work on text of others. The parser bounds the nesting of types, but descends along chains of types
/// and interfaces that refer to one another, and those are as long as there are items.
const STACK_BYTES: usize = 64 << 20;

/// A package that was parsed.
#[derive(Clone, Debug)]
pub struct Package {
    /// What it declares to be: namespace, name and version.
    pub id: String,
    /// The names of its worlds, sorted.
    pub worlds: Vec<String>,
    /// The ids of the packages that it refers to, sorted.
    pub dependencies: Vec<String>,
    pub(super) group: UnresolvedPackageGroup,
    /// The files by the names that the parser knows, for places in messages.
    pub(super) texts: Vec<(String, String)>,
}

impl Package {
    /// How many types, interfaces and worlds it has.
    pub(super) fn items(&self) -> usize {
        packages(&self.group).map(|p| p.types.len() + p.interfaces.len() + p.worlds.len()).sum()
    }
}

/// Parses the files of a package.
///
/// # Errors
/// Every file that is not text; otherwise the first mistake that the parser met, or the bounds that
/// the package exceeds.
pub(super) fn parse(tree: &Tree) -> Result<Package, Vec<WitProblem>> {
    let texts = texts(tree)?;
    if texts.is_empty() {
        let message =
            "there is no .wit file directly in the folder, links not counted; name the folder that holds the package";
        return Err(vec![WitProblem::of_package(message)]);
    }
    let mut map = SourceMap::new();
    for (name, text) in &texts {
        map.push_str(name, text.as_str());
    }
    let group = match guarded(|| map.parse()) {
        Some(Ok(group)) => group,
        Some(Err((map, error))) => {
            return Err(vec![WitProblem::found(&map, &texts, error.kind().span(), &error.to_string())]);
        }
        None => return Err(vec![gave_up()]),
    };
    let package = Package {
        id: group.main.name.to_string(),
        worlds: worlds(&group.main),
        dependencies: dependencies(&group),
        group,
        texts,
    };
    let problems = excesses(&package);
    if problems.is_empty() { Ok(package) } else { Err(problems) }
}

/// Runs the parser's code on a large stack; `None` when it panicked. It has assertions that text can
/// break, for example by giving one reference two contradicting versions of `@since`.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    stacker::maybe_grow(STACK_BYTES, STACK_BYTES, || catch_unwind(AssertUnwindSafe(work)).ok())
}

/// The problem that stands for `None` of [`guarded`].
pub(super) fn gave_up() -> WitProblem {
    WitProblem::of_package(
        "the text breaks a rule of WIT in a way that the parser cannot name; look at attributes such as @since, and \
         at names that are imported twice",
    )
}

fn texts(tree: &Tree) -> Result<Vec<(String, String)>, Vec<WitProblem>> {
    let (mut texts, mut problems) = (Vec::new(), Vec::new());
    for (name, bytes) in tree.texts() {
        match std::str::from_utf8(bytes) {
            Ok(text) => match text.char_indices().find(|(_, c)| is_hidden(*c)) {
                Some((at, c)) => {
                    let message = format!("the character {} is not allowed in WIT; remove it", c.escape_unicode());
                    problems.push(WitProblem::at(name, text, at, message));
                }
                None => texts.push((name.to_owned(), text.to_owned())),
            },
            Err(error) => {
                let valid = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
                let message = format!("byte {} is not UTF-8; save the file as UTF-8", error.valid_up_to());
                problems.push(WitProblem::at(name, &valid, valid.len(), message));
            }
        }
    }
    if problems.is_empty() { Ok(texts) } else { Err(problems) }
}

/// Characters that the parser refuses because text with them can look like something else. Its own message would
/// not know in which of several files the character stands.
fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\r' | '\t' => false,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        '\u{149}' | '\u{673}' | '\u{f77}' | '\u{f79}' | '\u{17a3}' | '\u{17a4}' | '\u{17b4}' | '\u{17b5}' => true,
        _ => c.is_control(),
    }
}

/// The main package, and those nested in its files.
fn packages(group: &UnresolvedPackageGroup) -> impl Iterator<Item = &UnresolvedPackage> {
    group.nested.iter().chain([&group.main])
}

fn dependencies(group: &UnresolvedPackageGroup) -> Vec<String> {
    let own: BTreeSet<&PackageName> = packages(group).map(|p| &p.name).collect();
    let foreign = packages(group).flat_map(|p| p.foreign_deps.keys()).filter(|name| !own.contains(name));
    let ids: BTreeSet<String> = foreign.map(ToString::to_string).collect();
    ids.into_iter().collect()
}

/// The names of its own worlds. The parser keeps a nameless one for each world of others that it refers to.
fn worlds(package: &UnresolvedPackage) -> Vec<String> {
    let items = package.foreign_deps.values().flat_map(|items| items.values());
    let foreign: BTreeSet<WorldId> = items
        .filter_map(|(item, _)| match item {
            AstItem::World(id) => Some(*id),
            AstItem::Interface(_) => None,
        })
        .collect();
    let own = package.worlds.iter().filter(|(id, _)| !foreign.contains(id));
    let names: BTreeSet<String> = own.map(|(_, world)| world.name.clone()).collect();
    names.into_iter().collect()
}

/// What is more than documents of this project can name.
fn excesses(package: &Package) -> Vec<WitProblem> {
    let mut problems = Vec::new();
    let mut at_most = |count: usize, limit: usize, what: &str| {
        if count > limit {
            problems.push(WitProblem::of_package(format!(
                "there are {count} {what}, at most {limit} are accepted; split the package"
            )));
        }
    };
    at_most(package.worlds.len(), MAX_WORLDS, "worlds");
    at_most(package.dependencies.len(), MAX_DEPENDENCIES, "packages that it depends on");
    at_most(package.items(), MAX_ITEMS, "types, interfaces and worlds");
    let odd = package.worlds.iter().filter(|name| name.len() > MAX_NAME || name.contains(|c: char| c.is_uppercase()));
    problems.extend(odd.map(|name| {
        WitProblem::of_package(format!(
            "the world {name:?} cannot be named in profiles and reports, which have lower-case names of at most \
             {MAX_NAME} characters; rename it"
        ))
    }));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::files::Files;
    use crate::contract::json::position::Position;
    use crate::wit::tree_digest::Extent;

    fn parsed(files: &[(&str, &[u8])]) -> Result<Package, Vec<WitProblem>> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("in the folder")).expect("made");
            std::fs::write(path, bytes).expect("written");
        }
        parse(&Tree::read(&mut Files::default(), folder.path(), Extent::All).expect("read"))
    }

    fn place(problems: &[WitProblem]) -> (String, u32, u32) {
        let (file, Position { line, column, .. }) = problems[0].place.clone().expect("a place");
        (file.rsplit(['/', '\\']).next().unwrap_or_default().to_owned(), line, column)
    }

    #[test]
    fn worlds_and_dependencies_are_listed_sorted_and_own_ones_left_out() {
        let package = parsed(&[
            ("b.wit", b"package a:b@1.2.3;\nworld z { import c:d/e@0.1.0; include f:g/h@2.0.0; import i; }"),
            ("a.wit", b"package a:b@1.2.3;\ninterface i { use c:d/e@0.1.0.{t}; }\nworld w { export i; }"),
            ("deps/other.wit", b"not even WIT"),
        ])
        .expect("valid");
        assert_eq!(package.id, "a:b@1.2.3");
        assert_eq!(package.worlds, ["w", "z"]);
        assert_eq!(package.dependencies, ["c:d@0.1.0", "f:g@2.0.0"]);
    }

    #[test]
    fn a_mistake_has_file_line_and_column() {
        let problems =
            parsed(&[("a.wit", b"package a:b@1.0.0;\n".as_slice()), ("b.wit", "// é\ninterface é {}".as_bytes())])
                .expect_err("wrong");
        assert_eq!(place(&problems), ("b.wit".to_owned(), 2, 11));
        let problems = parsed(&[("a.wit", b"package a:b;\nworld w {\n  import nowhere;\n}")]).expect_err("wrong");
        assert_eq!(place(&problems), ("a.wit".to_owned(), 3, 10));
        assert!(problems[0].message.contains("nowhere"), "{problems:?}");
        let problems = parsed(&[("a.wit", b"package a:b;"), ("b.wit", b"a\xff"), ("c.wit", b"\xfe")]);
        let problems = problems.expect_err("wrong");
        assert_eq!((problems.len(), place(&problems)), (2, ("b.wit".to_owned(), 1, 2)));
        let problems = parsed(&[("a.wit", b"package a:b;"), ("b.wit", "// \u{202e}".as_bytes())]).expect_err("wrong");
        assert_eq!((problems.len(), place(&problems)), (1, ("b.wit".to_owned(), 1, 4)));
    }

    #[test]
    fn a_package_needs_text_that_says_what_it_is() {
        let cases: [&[(&str, &[u8])]; 3] = [&[], &[("deep/a.wit", b"package a:b;")], &[("a.wit", b"interface i {}")]];
        for files in cases {
            let problems = parsed(files).expect_err("no package");
            assert_eq!((problems.len(), &problems[0].place), (1, &None), "{problems:?}");
        }
        let problems = parsed(&[("a.wit", b"package a:b;"), ("b.wit", b"package a:c;")]).expect_err("two packages");
        assert_eq!(place(&problems), ("b.wit".to_owned(), 1, 9));
    }

    #[test]
    fn what_makes_the_parser_panic_is_a_problem() {
        let twice = b"package a:b@1.0.0;\ninterface i {\n @since(version = 1.0.0) @since(version = 1.0.0)\n use c:d/e@1.0.0.{t};\n}";
        assert_eq!(parsed(&[("a.wit", twice)]).expect_err("wrong").len(), 1);
    }

    #[test]
    fn hostile_sizes_are_refused_and_do_not_overflow() {
        let nested =
            format!("package a:b;\ninterface i {{ type t = {}u8{}; }}", "list<".repeat(5000), ">".repeat(5000));
        assert!(parsed(&[("a.wit", nested.as_bytes())]).expect_err("too deep")[0].place.is_some());
        let mut chain = "package a:b;\ninterface i { type t0 = u8;".to_owned();
        (0..9000).for_each(|i| chain.push_str(&format!(" type t{} = t{i};", i + 1)));
        chain.push('}');
        let problems = parsed(&[("a.wit", chain.as_bytes())]).expect_err("too many");
        assert!(problems[0].message.contains("at most 8192"), "{problems:?}");
        let mut worlds = "package a:b;".to_owned();
        (0..=MAX_WORLDS).for_each(|i| worlds.push_str(&format!(" world w{i} {{}}")));
        assert!(parsed(&[("a.wit", worlds.as_bytes())]).expect_err("too many")[0].message.contains("129 worlds"));
    }

    #[test]
    fn worlds_that_documents_cannot_name_are_refused() {
        let long = "a".repeat(65);
        let text = format!("package a:b; world FOO {{}} world {long} {{}} world fine {{}}");
        let problems = parsed(&[("a.wit", text.as_bytes())]).expect_err("wrong");
        assert_eq!(problems.len(), 2, "{problems:?}");
    }

    #[test]
    fn windows_line_ends_are_text_like_any_other() {
        assert!(parsed(&[("a.wit", b"package a:b@1.0.0;\r\n/// Text.\r\ninterface i {}\r\n")]).is_ok());
    }
}
