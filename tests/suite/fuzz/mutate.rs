//! Changes of texts: most keep the text a JSON document, some do not.

use serde_json::{Value, json};

use crate::hostile::Numbers;

/// Texts that mean something in programs.
const WORDS: [&str; 64] = [
    "begin",
    "let",
    "set",
    "set0",
    "if",
    "for",
    "while",
    "return",
    "try",
    "try_doc",
    "match",
    "tapp",
    "tys",
    "t",
    "A",
    "input",
    "+",
    "/",
    "<u",
    "&&",
    "||",
    "i32",
    "u32",
    "f64",
    "bytes",
    "bytes_view",
    "vec_u8",
    "option_bytes",
    "result_i32",
    "result_bytes",
    "option",
    "result",
    "bytes.lit",
    "bytes.view",
    "bytes.concat",
    "bytes.subview",
    "bytes.get_u8",
    "bytes.set_u8",
    "view.len",
    "view.slice",
    "view.to_bytes",
    "vec_u8.push",
    "vec_u8.with_capacity",
    "vec_u8.into_bytes",
    "vec_u8.as_view",
    "vec_u8.extend_bytes",
    "option_bytes.some",
    "option_bytes.unwrap_or",
    "result_bytes.ok",
    "result_bytes.err_code",
    "f64.of_i32",
    "ty.cmp",
    "ty.hash32",
    "map_u32.new",
    "await",
    "task.yield",
    "task.scope_v1",
    "task.scope.cfg_v1",
    "budget.scope_v1",
    "main.f",
    "main.R.make",
    "main.E.A",
    "x",
    "std.text.ascii",
];

/// Members that documents have.
const MEMBERS: [&str; 16] = [
    "schema_version",
    "kind",
    "module_id",
    "imports",
    "decls",
    "solve",
    "name",
    "names",
    "params",
    "result",
    "body",
    "type_params",
    "ty",
    "brand",
    "requires",
    "fields",
];

/// Depth of the deepest nesting that is made.
const DEEP: usize = 300;

/// Makes changed texts out of some.
pub struct Mutator {
    numbers: Numbers,
    documents: Vec<Value>,
}

impl Mutator {
    /// Texts that are no JSON are left out.
    pub fn new(seed: u64, texts: &[&str]) -> Self {
        let documents = texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
        Self { numbers: Numbers::new(seed), documents }
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.numbers.below(all.len())].clone()
    }

    /// A changed text.
    pub fn text(&mut self) -> String {
        let mut document = self.document();
        for _ in 0..=self.numbers.below(4) {
            self.change(&mut document);
        }
        let text = document.to_string();
        if self.numbers.below(8) == 0 { self.damage(text) } else { text }
    }

    fn document(&mut self) -> Value {
        let index = self.numbers.below(self.documents.len());
        self.documents[index].clone()
    }

    /// Some part of a document, the whole included.
    fn part<'v>(&mut self, document: &'v mut Value) -> &'v mut Value {
        let mut parts = 0;
        count(document, &mut parts);
        let mut wanted = self.numbers.below(parts);
        find(document, &mut wanted).expect("there are as many parts")
    }

    fn change(&mut self, document: &mut Value) {
        let kind = self.numbers.below(9);
        let mut other = self.document();
        let foreign = self.part(&mut other).clone();
        let atom = self.atom();
        let word = self.pick(&WORDS);
        let member = self.pick(&MEMBERS);
        let at = self.numbers.below(16);
        let part = self.part(document);
        match (kind, part) {
            (0 | 1, part) => *part = atom,
            (2, part) => *part = foreign,
            (3, Value::Array(items)) if !items.is_empty() => {
                items.remove(at % items.len());
            }
            (4, Value::Array(items)) if !items.is_empty() => {
                let double = items[at % items.len()].clone();
                items.insert(at % items.len(), double);
            }
            (5, Value::Array(items)) if items.len() > 1 => {
                let last = items.len() - 1;
                items.swap(at % last, last);
            }
            (6, Value::Array(items)) if !items.is_empty() => items[0] = json!(word),
            (7, Value::Object(members)) => {
                members.insert(member.to_owned(), foreign);
            }
            (8, Value::Object(members)) => {
                members.remove(member);
            }
            (8, part) => {
                let inner = part.take();
                *part = (0..at * at % DEEP).fold(inner, |inner, _| json!([word, inner]));
            }
            (_, part) => {
                let inner = part.take();
                *part = json!([word, inner, atom]);
            }
        }
    }

    /// A value without parts, or with few.
    fn atom(&mut self) -> Value {
        match self.numbers.below(10) {
            0 => json!(null),
            1 => json!([]),
            2 => json!({}),
            3 => json!(self.pick(&[0, 1, -1, 255, i64::from(i32::MAX), i64::from(i32::MIN), 4_294_967_296])),
            4 => json!(1.5),
            5 => json!(
                self.pick(&["", " ", "a b", "é", "\u{0}", "__result", "x".repeat(300).as_str()].map(str::to_owned))
            ),
            6 => json!([self.pick(&WORDS)]),
            7 => json!([self.pick(&WORDS), self.pick(&WORDS), self.pick(&WORDS)]),
            _ => json!(self.pick(&WORDS)),
        }
    }

    /// Damages a text; it stays UTF-8.
    fn damage(&mut self, text: String) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        for _ in 0..=self.numbers.below(3) {
            let at = self.numbers.below(chars.len().max(1));
            match self.numbers.below(5) {
                0 => chars.truncate(at),
                1 if at < chars.len() => {
                    chars.remove(at);
                }
                2 if at < chars.len() => {
                    chars[at] = self.pick(&['"', '\\', '[', ']', '{', '}', ',', ':', '0', '\n', 'é'])
                }
                3 => {
                    let end = (at + self.numbers.below(40)).min(chars.len());
                    let double = chars[at.min(end)..end].to_vec();
                    drop(chars.splice(at.min(end)..at.min(end), double));
                }
                _ => chars.insert(at.min(chars.len()), '\u{1}'),
            }
        }
        chars.into_iter().collect()
    }
}

/// Counts the parts of a document.
fn count(document: &Value, parts: &mut usize) {
    *parts += 1;
    match document {
        Value::Array(items) => items.iter().for_each(|item| count(item, parts)),
        Value::Object(members) => members.values().for_each(|member| count(member, parts)),
        _ => {}
    }
}

/// The part with a number, which counts down to it.
fn find<'v>(document: &'v mut Value, left: &mut usize) -> Option<&'v mut Value> {
    if *left == 0 {
        return Some(document);
    }
    *left -= 1;
    match document {
        Value::Array(items) => items.iter_mut().find_map(|item| find(item, left)),
        Value::Object(members) => members.values_mut().find_map(|member| find(member, left)),
        _ => None,
    }
}
