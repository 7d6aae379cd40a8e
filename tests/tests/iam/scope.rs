//! Where a name stands: what it means depends on that.

use std::collections::BTreeMap;

use syn::{Generics, Type, TypeParamBound, WherePredicate};

/// Where names are looked up: in a module, perhaps of a type, with generic parameters.
#[derive(Clone, Default)]
pub(super) struct Scope {
    /// Full name of the module.
    pub(super) module: String,
    /// Full name of what `Self` is.
    pub(super) own: Option<String>,
    /// Generic parameters with the traits they are bound by.
    pub(super) generics: BTreeMap<String, Vec<syn::Path>>,
}

impl Scope {
    /// The same, with generic parameters.
    pub(super) fn with(&self, generics: &Generics) -> Self {
        let mut scope = self.clone();
        for parameter in generics.type_params() {
            let bounds = parameter.bounds.iter().filter_map(bound);
            scope
                .generics
                .insert(parameter.ident.to_string(), bounds.collect());
        }
        let clauses = generics.where_clause.iter();
        for clause in clauses.flat_map(|clause| &clause.predicates) {
            if let WherePredicate::Type(clause) = clause
                && let Type::Path(of) = &clause.bounded_ty
                && let Some(name) = of.path.get_ident()
                && let Some(bounds) = scope.generics.get_mut(&name.to_string())
            {
                bounds.extend(clause.bounds.iter().filter_map(bound));
            }
        }
        scope
    }
}

fn bound(bound: &TypeParamBound) -> Option<syn::Path> {
    match bound {
        TypeParamBound::Trait(bound) => Some(bound.path.clone()),
        _ => None,
    }
}
