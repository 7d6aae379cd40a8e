//! Our code as it is written: modules, types, traits, functions. Tests are left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use syn::{
    Attribute, Block, Field, Fields, ImplItem, Item, Meta, Signature, TraitItem, Type, UseTree,
};

use super::{scope::Scope, types::Ty};

/// The files of a crate, by their path below `src`.
pub(super) type Files = BTreeMap<String, String>;

/// A function or method.
pub(super) struct Function {
    /// Full name, such as `haulout_aws::store::Store::get`.
    pub(super) name: String,
    pub(super) scope: Scope,
    pub(super) sig: Signature,
    /// Nothing for what a trait only declares.
    pub(super) block: Option<Block>,
}

/// A type's field, or an enum's variant's, and where its type is named.
pub(super) struct Member {
    pub(super) ty: Type,
    pub(super) scope: Scope,
}

/// Some crates.
#[derive(Default)]
pub(super) struct Code {
    pub(super) functions: Vec<Function>,
    /// Full names of modules, crates included.
    pub(super) modules: BTreeSet<String>,
    /// Full names of types and traits.
    pub(super) types: BTreeSet<String>,
    /// Members of structs and of enums' variants, by full name of these.
    pub(super) members: BTreeMap<String, BTreeMap<String, Member>>,
    /// What type aliases stand for.
    pub(super) aliases: BTreeMap<String, Member>,
    /// Functions by full name: several where a type has several methods of a name, by its traits.
    pub(super) by_name: BTreeMap<String, Vec<usize>>,
    /// What implements a trait: full names of both.
    pub(super) implementors: BTreeMap<String, BTreeSet<String>>,
    /// What a `use` makes of a name: by module and name.
    pub(super) uses: BTreeMap<(String, String), Vec<String>>,
    /// Constants that are texts.
    pub(super) texts: BTreeMap<String, String>,
    pending: Vec<(Scope, syn::ItemImpl)>,
}

/// Where a crate has its further binaries, each in a file.
const BINARIES: &str = "bin/";

/// Reads the files below a folder.
pub(super) fn files(folder: &Path) -> Result<Files, String> {
    fn read(folder: &Path, below: &str, files: &mut Files) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = format!("{below}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                read(&entry.path(), &format!("{name}/"), files)?;
            } else if entry.path().extension().is_some_and(|it| it == "rs") {
                files.insert(name, std::fs::read_to_string(entry.path())?);
            }
        }
        Ok(())
    }
    let mut found = Files::new();
    read(folder, "", &mut found).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(found)
}

impl Code {
    /// Adds a crate. Its `main.rs` counts as a crate of its own, named `<crate>_main`; so do further binaries, named
    /// `<crate>_main_<binary>`.
    pub(super) fn add(&mut self, name: &str, files: &Files) -> Result<(), String> {
        for (file, krate) in [
            ("lib.rs", name.to_owned()),
            ("main.rs", format!("{name}_main")),
        ] {
            if files.contains_key(file) {
                self.file(&krate, file, "", files)?;
            }
        }
        for file in files.keys() {
            let binary = file.strip_prefix(BINARIES);
            if let Some(binary) = binary.and_then(|it| it.strip_suffix(".rs")) {
                self.file(&format!("{name}_main_{binary}"), file, "", files)?;
            }
        }
        Ok(())
    }

    /// To be called when all crates are added: methods are found by the types they belong to.
    pub(super) fn complete(mut self) -> Self {
        for (scope, item) in std::mem::take(&mut self.pending) {
            self.implementation(&scope, item);
        }
        self
    }

    fn file(&mut self, module: &str, path: &str, below: &str, files: &Files) -> Result<(), String> {
        let text = files
            .get(path)
            .ok_or_else(|| format!("{path} is missing"))?;
        let file = syn::parse_file(text).map_err(|error| format!("{module}: {error}"))?;
        self.items(module, file.items, below, files)
    }

    fn items(
        &mut self,
        module: &str,
        items: Vec<Item>,
        below: &str,
        files: &Files,
    ) -> Result<(), String> {
        self.modules.insert(module.to_owned());
        for item in items {
            self.item(module, item, below, files)?;
        }
        Ok(())
    }

    fn item(&mut self, module: &str, item: Item, below: &str, files: &Files) -> Result<(), String> {
        let scope = Scope {
            module: module.to_owned(),
            ..Scope::default()
        };
        let full = |name: &syn::Ident| format!("{module}::{name}");
        match item {
            Item::Mod(item) if !is_test(&item.attrs) => {
                let name = item.ident.to_string();
                let inside = format!("{below}{name}/");
                if let Some((_, items)) = item.content {
                    return self.items(&full(&item.ident), items, &inside, files);
                }
                let own = [format!("{below}{name}.rs"), format!("{inside}mod.rs")];
                let path = own.iter().find(|path| files.contains_key(*path));
                let path = path.ok_or_else(|| format!("{module}: no file for module {name}"))?;
                return self.file(&full(&item.ident), path, &inside, files);
            }
            Item::Use(item) => self.imports(module, &item.tree, &mut Vec::new()),
            Item::Struct(item) => {
                let name = full(&item.ident);
                let scope = scope.with(&item.generics);
                self.add_members(name.clone(), &item.fields, &scope);
                self.types.insert(name);
            }
            Item::Enum(item) => {
                let scope = scope.with(&item.generics);
                for variant in &item.variants {
                    let name = format!("{module}::{}::{}", item.ident, variant.ident);
                    self.add_members(name, &variant.fields, &scope);
                }
                self.types.insert(full(&item.ident));
            }
            Item::Type(item) => {
                let scope = scope.with(&item.generics);
                let ty = *item.ty;
                self.aliases.insert(full(&item.ident), Member { ty, scope });
            }
            Item::Const(item) => {
                if let syn::Expr::Lit(lit) = &*item.expr
                    && let syn::Lit::Str(text) = &lit.lit
                {
                    self.texts.insert(full(&item.ident), text.value());
                }
            }
            Item::Fn(item) if !is_test(&item.attrs) => {
                let scope = scope.with(&item.sig.generics);
                self.function(full(&item.sig.ident), scope, item.sig, Some(*item.block));
            }
            Item::Trait(item) => self.interface(&scope, item),
            Item::Impl(item) if !is_test(&item.attrs) => self.pending.push((scope, item)),
            _ => {}
        }
        Ok(())
    }

    fn imports(&mut self, module: &str, tree: &UseTree, path: &mut Vec<String>) {
        let mut name = |name: String, path: Vec<String>| {
            self.uses.insert((module.to_owned(), name), path);
        };
        match tree {
            UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                self.imports(module, &tree.tree, path);
                path.pop();
            }
            UseTree::Name(tree) => {
                let last = tree.ident.to_string();
                if last == "self" {
                    name(path.last().cloned().unwrap_or_default(), path.clone());
                } else {
                    let full = path.iter().cloned().chain([last.clone()]).collect();
                    name(last, full);
                }
            }
            UseTree::Rename(tree) => {
                let original = tree.ident.to_string();
                let own = (original != "self").then_some(original);
                let full = path.iter().cloned().chain(own).collect();
                name(tree.rename.to_string(), full);
            }
            UseTree::Group(tree) => {
                for tree in &tree.items {
                    self.imports(module, tree, path);
                }
            }
            // Nobody here imports everything, but for tests.
            UseTree::Glob(_) => {}
        }
    }

    fn add_members(&mut self, name: String, fields: &Fields, scope: &Scope) {
        let member = |(at, field): (usize, &Field)| {
            let name = field.ident.as_ref().map(ToString::to_string);
            let member = Member {
                ty: field.ty.clone(),
                scope: scope.clone(),
            };
            (name.unwrap_or_else(|| at.to_string()), member)
        };
        let members = fields.iter().enumerate().map(member).collect();
        self.members.insert(name, members);
    }

    fn function(&mut self, name: String, scope: Scope, sig: Signature, block: Option<Block>) {
        let at = self.functions.len();
        self.by_name.entry(name.clone()).or_default().push(at);
        self.functions.push(Function {
            name,
            scope,
            sig,
            block,
        });
    }

    fn interface(&mut self, scope: &Scope, item: syn::ItemTrait) {
        let full = format!("{}::{}", scope.module, item.ident);
        let mut scope = scope.with(&item.generics);
        scope.own = Some(full.clone());
        for member in item.items {
            if let TraitItem::Fn(member) = member {
                let name = format!("{full}::{}", member.sig.ident);
                let scope = scope.with(&member.sig.generics);
                self.function(name, scope, member.sig, member.default);
            }
        }
        self.implementors.entry(full.clone()).or_default();
        self.types.insert(full);
    }

    fn implementation(&mut self, scope: &Scope, item: syn::ItemImpl) {
        let mut scope = scope.with(&item.generics);
        let own = match (self.ty(&scope, &item.self_ty), &*item.self_ty) {
            (Ty::Of(own), _) => own,
            // Somebody else's type, with a trait of ours.
            (_, syn::Type::Path(own)) => self.path(&scope, &own.path),
            _ => return,
        };
        if let Some((of, _)) = &item.trait_ {
            let of = self.path(&scope, of);
            if let Some(implementors) = self.implementors.get_mut(&of) {
                implementors.insert(own.clone());
            }
        }
        scope.own = Some(own.clone());
        for member in item.items {
            if let ImplItem::Fn(member) = member {
                let name = format!("{own}::{}", member.sig.ident);
                let scope = scope.with(&member.sig.generics);
                self.function(name, scope, member.sig, Some(member.block));
            }
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string() == "test",
        _ => false,
    })
}
