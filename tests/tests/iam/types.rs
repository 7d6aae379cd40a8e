//! The types of what is declared, and the methods that they have.

use std::collections::BTreeSet;

use syn::{GenericArgument, PathArguments, ReturnType, Type, TypeParamBound, visit::Visit};

use super::{scope::Scope, source::Code};

/// A type, without what is around it: references, `Option`, `Arc`, `Vec` and the like are left out, because what matters
/// is whose method is called in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ty {
    /// A type or trait of ours, by its full name.
    Of(String),
    /// A service's client, by the service.
    Client(String),
    /// A request that is being put together, by its number within the function.
    Request(usize),
    /// Several.
    Tuple(Vec<Ty>),
    /// One of somebody else's.
    Foreign,
    /// Not known.
    Unknown,
}

impl Ty {
    /// It may lead to a call of AWS.
    pub(super) fn matters(&self) -> bool {
        !matches!(self, Self::Foreign | Self::Unknown)
    }
}

impl Code {
    /// The type that is meant by a type as it is written.
    pub(super) fn ty(&self, scope: &Scope, ty: &Type) -> Ty {
        match ty {
            Type::Reference(ty) => self.ty(scope, &ty.elem),
            Type::Paren(ty) => self.ty(scope, &ty.elem),
            Type::Group(ty) => self.ty(scope, &ty.elem),
            Type::Slice(ty) => self.ty(scope, &ty.elem),
            Type::Array(ty) => self.ty(scope, &ty.elem),
            Type::Tuple(ty) => Ty::Tuple(ty.elems.iter().map(|ty| self.ty(scope, ty)).collect()),
            Type::ImplTrait(ty) => self.bounds(scope, ty.bounds.iter()),
            Type::TraitObject(ty) => self.bounds(scope, ty.bounds.iter()),
            Type::Path(ty) if ty.qself.is_none() => self.named(scope, &ty.path),
            _ => Ty::Unknown,
        }
    }

    fn named(&self, scope: &Scope, path: &syn::Path) -> Ty {
        if let Some(name) = path.get_ident()
            && let Some(bounds) = scope.generics.get(&name.to_string())
        {
            let mut of = bounds.iter().map(|bound| self.path(scope, bound));
            let ours = of.find(|name| self.types.contains(name));
            return ours.map_or(Ty::Unknown, Ty::Of);
        }
        let full = self.path(scope, path);
        if self.types.contains(&full) {
            return Ty::Of(full);
        }
        if let Some(alias) = self.aliases.get(&full) {
            return self.ty(&alias.scope, &alias.ty);
        }
        if let Some(service) = client(&full) {
            return Ty::Client(service);
        }
        let Some(last) = path.segments.last() else {
            return Ty::Unknown;
        };
        let inside = arguments(&last.arguments);
        let mut inside = inside.into_iter().map(|ty| self.ty(scope, ty));
        inside.find(Ty::matters).unwrap_or(Ty::Foreign)
    }

    fn bounds<'a>(&self, scope: &Scope, bounds: impl Iterator<Item = &'a TypeParamBound>) -> Ty {
        for bound in bounds {
            let TypeParamBound::Trait(bound) = bound else {
                continue;
            };
            // `Future<Output = T>` counts as what comes of it.
            let ty = self.named(scope, &bound.path);
            if ty.matters() {
                return ty;
            }
        }
        Ty::Foreign
    }

    /// What a function answers.
    pub(super) fn answer(&self, function: usize) -> Ty {
        let function = &self.functions[function];
        match &function.sig.output {
            ReturnType::Type(_, ty) => self.ty(&function.scope, ty),
            ReturnType::Default => Ty::Foreign,
        }
    }

    /// The type of a field.
    pub(super) fn field(&self, of: &str, name: &str) -> Option<Ty> {
        let member = self.members.get(of)?.get(name)?;
        Some(self.ty(&member.scope, &member.ty))
    }

    /// What fields of this name are of, whatever they are fields of, where they are all of the same type.
    pub(super) fn usual_field(&self, name: &str) -> Option<Ty> {
        let named = self.members.values().filter_map(|fields| fields.get(name));
        let mut types: Vec<Ty> = Vec::new();
        for ty in named.map(|member| self.ty(&member.scope, &member.ty)) {
            if ty.matters() && !types.contains(&ty) {
                types.push(ty);
            }
        }
        match types.as_slice() {
            [ty] => Some(ty.clone()),
            _ => None,
        }
    }

    /// The types that a function may mean by a generic parameter of what it calls, which must have a trait: those that its
    /// signature names, or any where it names none. None where it has such a parameter itself.
    pub(super) fn meant(&self, function: usize, interface: &str) -> Vec<String> {
        let function = &self.functions[function];
        let mut bounds = function.scope.generics.values().flatten();
        if bounds.any(|bound| self.path(&function.scope, bound) == interface) {
            return Vec::new();
        }
        let mut paths = Paths::default();
        paths.visit_signature(&function.sig);
        let named: BTreeSet<String> = paths
            .0
            .iter()
            .map(|path| self.path(&function.scope, path))
            .collect();
        let all = self.implementors.get(interface).into_iter().flatten();
        let all: Vec<String> = all.cloned().collect();
        let meant: Vec<String> = all
            .iter()
            .filter(|it| named.contains(*it))
            .cloned()
            .collect();
        if meant.is_empty() { all } else { meant }
    }

    /// The functions that a method of a type or trait may be: of a trait, those of all that implement it.
    pub(super) fn methods(&self, of: &str, name: &str) -> Vec<usize> {
        let own = self.by_name.get(&format!("{of}::{name}"));
        let mut found: BTreeSet<usize> = own.into_iter().flatten().copied().collect();
        for implementor in self.implementors.get(of).into_iter().flatten() {
            let theirs = self.by_name.get(&format!("{implementor}::{name}"));
            found.extend(theirs.into_iter().flatten());
        }
        if found.is_empty() {
            // A method that a trait gives to what implements it.
            let given = self
                .implementors
                .iter()
                .filter(|(_, types)| types.contains(of));
            for (interface, _) in given {
                let theirs = self.by_name.get(&format!("{interface}::{name}"));
                found.extend(theirs.into_iter().flatten());
            }
        }
        found.into_iter().collect()
    }
}

/// The paths of a signature.
#[derive(Default)]
struct Paths(Vec<syn::Path>);

impl<'ast> Visit<'ast> for Paths {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.push(path.clone());
        syn::visit::visit_path(self, path);
    }
}

fn arguments(arguments: &PathArguments) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return Vec::new();
    };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        GenericArgument::AssocType(of) => Some(&of.ty),
        _ => None,
    });
    types.collect()
}

/// The service whose client this is.
fn client(full: &str) -> Option<String> {
    let service = full.strip_prefix("aws_sdk_")?.strip_suffix("::Client")?;
    Some(service.to_owned())
}
