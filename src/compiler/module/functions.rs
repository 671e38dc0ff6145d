//! Functions: signature, brands, body, contract clauses.

use x07_wasm_contracts::diagnostics::Code;

use super::names::{is_local, is_type_name};
use super::reader::Reader;
use super::{Clause, FunctionDecl, FunctionKind, Module, ParamDecl, TypeParam, is_symbol, shorten};
use crate::compiler::generic::Bound;
use crate::compiler::ir::Ty;
use crate::compiler::types::{self, TypeExpr};
use crate::contract::json::tree::{Kind, NodeId};

impl Reader<'_> {
    /// Reads a function into `module`.
    pub(super) fn function(&mut self, node: NodeId, kind: FunctionKind, module: &mut Module) {
        let symbol = self.symbol(node, &module.id);
        let type_params = self.type_params(node, kind);
        let params = self.params(node, &type_params);
        let result = self.result(node, kind, &type_params);
        let result_brand = self.brand(node, "result_brand", result.as_ref().map(|(ty, _)| ty));
        if let Some(doc) = self.tree.get(node, "doc") {
            self.text_of(doc, "doc");
        }
        let body = self.body(node, kind);
        let clauses = self.clauses(node);
        self.proof_members(node, kind);
        let (Some((name, name_node)), Some((result, result_node))) = (symbol, result) else { return };
        module.functions.push(FunctionDecl {
            name,
            node,
            name_node,
            kind,
            type_params,
            params,
            result,
            result_node,
            result_brand,
            body,
            clauses,
        });
    }

    fn type_params(&mut self, node: NodeId, kind: FunctionKind) -> Vec<TypeParam> {
        let mut params: Vec<TypeParam> = Vec::new();
        let Some(list) = self.tree.get(node, "type_params") else { return params };
        if kind == FunctionKind::Extern {
            self.problem(list, "a foreign function has no type parameters".to_owned());
        }
        for param in self.elements(list, "type_params") {
            if !self.object(param, "a type parameter") {
                continue;
            }
            let bound = self.bound(param);
            let Some((name, name_node)) = self.text(param, "name") else { continue };
            if !is_local(&name) {
                self.problem(name_node, format!("{:?} is not a name of letters, digits and `_`", shorten(&name)));
            } else if params.iter().any(|earlier| earlier.name == *name) {
                self.problem(name_node, format!("the type parameter `{name}` stands twice in the list"));
            } else {
                params.push(TypeParam { name: name.into_owned(), bound, node: param });
            }
        }
        params
    }

    /// What a type parameter admits; a bound that nobody knows is reported where it matters.
    fn bound(&mut self, param: NodeId) -> Bound {
        let Some(node) = self.tree.get(param, "bound") else { return Bound::Any };
        let Some(text) = self.text_of(node, "bound") else { return Bound::Any };
        if !is_type_name(&text) {
            self.problem(node, format!("{:?} is not the name of a bound", shorten(&text)));
        }
        Bound::from_name(&text)
    }

    fn params(&mut self, node: NodeId, variables: &[TypeParam]) -> Vec<ParamDecl> {
        let mut params: Vec<ParamDecl> = Vec::new();
        for param in self.list(node, "params", true) {
            if !self.object(param, "a parameter") {
                continue;
            }
            let name = self.text(param, "name");
            let ty = match self.tree.get(param, "ty") {
                Some(ty_node) => self.type_expr(ty_node, variables).map(|ty| (ty, ty_node)),
                None => {
                    self.problem(param, "the member `ty` is missing".to_owned());
                    None
                }
            };
            let brand = self.brand(param, "brand", ty.as_ref().map(|(ty, _)| ty));
            let Some((name, name_node)) = name else { continue };
            if !is_local(&name) {
                self.problem(name_node, format!("{:?} is not a name of letters, digits and `_`", shorten(&name)));
            } else if name == "input" || name == "__result" {
                self.problem(name_node, format!("`{name}` is reserved; rename the parameter"));
            } else if params.iter().any(|earlier| earlier.name == *name) {
                self.problem(name_node, format!("the parameter `{name}` stands twice in the list"));
            }
            if let Some((ty, ty_node)) = ty {
                params.push(ParamDecl { name: name.into_owned(), ty, ty_node, brand, node: param });
            }
        }
        params
    }

    fn result(&mut self, node: NodeId, kind: FunctionKind, variables: &[TypeParam]) -> Option<(TypeExpr, NodeId)> {
        let Some(result) = self.tree.get(node, "result") else {
            self.problem(node, "the member `result` is missing".to_owned());
            return None;
        };
        if kind == FunctionKind::Extern && self.tree.string(result).as_deref() == Some("void") {
            return Some((TypeExpr::Void, result));
        }
        let ty = self.type_expr(result, variables)?;
        if kind == FunctionKind::Defasync
            && let Some(concrete) = ty.fixed()
            && !matches!(concrete, Ty::Bytes | Ty::ResultBytes)
        {
            let message =
                format!("an async function yields `bytes` or `result_bytes`, found `{}`", types::name(concrete));
            self.problem(result, message);
        }
        Some((ty, result))
    }

    /// A brand member, which only some types admit.
    fn brand(&mut self, object: NodeId, name: &str, ty: Option<&TypeExpr>) -> Option<String> {
        let node = self.tree.get(object, name)?;
        let text = self.text_of(node, name)?;
        if !is_symbol(&text) {
            self.problem(node, format!("{:?} is not a brand such as \"app.id_v1\"", shorten(&text)));
            return None;
        }
        let fixed = ty.and_then(TypeExpr::fixed);
        match (fixed, ty) {
            (Some(ty), _) if !types::can_be_branded(ty) => {
                self.problem_with(node, Code::EBrandBadTy, types::no_brand(&format!("`{}`", types::name(ty))));
                None
            }
            (None, Some(TypeExpr::Pointer(_) | TypeExpr::Void)) => {
                self.problem_with(node, Code::EBrandBadTy, types::no_brand("this type"));
                None
            }
            // Whether a type parameter is bound to a type that carries brands is checked there.
            _ => Some(text.into_owned()),
        }
    }

    fn body(&mut self, node: NodeId, kind: FunctionKind) -> Option<NodeId> {
        if kind == FunctionKind::Extern {
            let abi = self.text(node, "abi");
            if let Some((abi, abi_node)) = abi
                && abi != "C"
            {
                self.problem(abi_node, format!("the ABI of a foreign function is \"C\", found {:?}", shorten(&abi)));
            }
            if let Some(link_name) = self.tree.get(node, "link_name")
                && self.tree.kind(link_name) != Kind::Null
            {
                self.text_of(link_name, "link_name");
            }
            return None;
        }
        let body = self.tree.get(node, "body");
        match body {
            Some(body) => self.expression(body),
            None => self.problem(node, "the member `body` is missing".to_owned()),
        }
        body
    }

    fn clauses(&mut self, node: NodeId) -> Vec<Clause> {
        let mut clauses = Vec::new();
        for kind in ["requires", "ensures", "invariant"] {
            let Some(list) = self.tree.get(node, kind) else { continue };
            if !self.since(list, kind, 5) {
                continue;
            }
            for clause in self.elements(list, kind) {
                if let Some(expressions) = self.clause(clause) {
                    clauses.push(Clause { kind, node: clause, expressions });
                }
            }
        }
        clauses
    }

    fn clause(&mut self, clause: NodeId) -> Option<Vec<NodeId>> {
        if !self.object(clause, "a contract clause") {
            return None;
        }
        if let Some(id) = self.tree.get(clause, "id") {
            self.text_of(id, "id");
        }
        let mut expressions = Vec::new();
        match self.tree.get(clause, "expr") {
            Some(expr) => {
                self.expression(expr);
                expressions.push(expr);
            }
            None => self.problem(clause, "the member `expr` is missing".to_owned()),
        }
        for witness in self.list(clause, "witness", false) {
            self.expression(witness);
            expressions.push(witness);
        }
        Some(expressions)
    }

    /// Members that only matter to proofs: they have no effect on the compiled program.
    fn proof_members(&mut self, node: NodeId, kind: FunctionKind) {
        if let Some(list) = self.tree.get(node, "loop_contracts")
            && self.since(list, "loop_contracts", 6)
        {
            for contract in self.elements(list, "loop_contracts") {
                self.object(contract, "a loop contract");
            }
        }
        if let Some(list) = self.tree.get(node, "decreases")
            && self.since(list, "decreases", 8)
        {
            if kind == FunctionKind::Defn {
                self.elements(list, "decreases");
            } else {
                self.problem(list, "`decreases` belongs to a `defn`".to_owned());
            }
        }
        if let Some(protocol) = self.tree.get(node, "protocol")
            && self.since(protocol, "protocol", 7)
        {
            if kind != FunctionKind::Defasync {
                self.problem(protocol, "`protocol` belongs to a `defasync`".to_owned());
            } else if self.object(protocol, "`protocol`") {
                for name in ["await_invariant", "scope_invariant", "cancellation_ensures"] {
                    for clause in self.list(protocol, name, false) {
                        self.clause(clause);
                    }
                }
            }
        }
    }
}
