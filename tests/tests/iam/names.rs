//! Full names of items: what paths stand for.

use super::{scope::Scope, source::Code};

/// How often names are followed through `use`.
const MOST_HOPS: u32 = 12;

impl Code {
    /// The full name that a path has.
    pub(super) fn path(&self, scope: &Scope, path: &syn::Path) -> String {
        let segments: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.full(&scope.module, scope.own.as_deref(), &segments)
    }

    fn full(&self, module: &str, own: Option<&str>, segments: &[String]) -> String {
        let Some((first, rest)) = segments.split_first() else {
            return String::new();
        };
        let start = match first.as_str() {
            "crate" => krate(module).to_owned(),
            "self" => module.to_owned(),
            "super" => parent(module).to_owned(),
            "Self" => own.unwrap_or("Self").to_owned(),
            name => self.visible(module, name),
        };
        let mut rest = rest;
        let mut full = start;
        while let Some((name, after)) = rest.split_first() {
            full = if name == "super" {
                parent(&full).to_owned()
            } else {
                format!("{full}::{name}")
            };
            rest = after;
        }
        self.followed(&full)
    }

    /// What a name is that stands alone in a module.
    fn visible(&self, module: &str, name: &str) -> String {
        let here = format!("{module}::{name}");
        if self.is_item(&here) {
            return here;
        }
        match self.uses.get(&(module.to_owned(), name.to_owned())) {
            // A crate of somebody else's.
            Some(path) if path.first().is_some_and(|first| first == name) => path.join("::"),
            Some(path) => self.full(module, None, path),
            None => name.to_owned(),
        }
    }

    fn is_item(&self, full: &str) -> bool {
        self.types.contains(full)
            || self.modules.contains(full)
            || self.by_name.contains_key(full)
            || self.members.contains_key(full)
            || self.aliases.contains_key(full)
            || self.texts.contains_key(full)
    }

    /// Follows names that a module takes from elsewhere (`pub use`).
    fn followed(&self, full: &str) -> String {
        let mut full = full.to_owned();
        for _ in 0..MOST_HOPS {
            if self.is_item(&full) {
                break;
            }
            let Some(next) = self.hop(&full) else {
                break;
            };
            full = next;
        }
        full
    }

    /// What a module takes from elsewhere by this name.
    pub(super) fn hop(&self, full: &str) -> Option<String> {
        let segments: Vec<&str> = full.split("::").collect();
        // The longest module that the name begins with.
        let length = (1..segments.len())
            .rev()
            .find(|length| self.modules.contains(&segments[..*length].join("::")))?;
        let module = segments[..length].join("::");
        let name = segments.get(length)?;
        let path = self.uses.get(&(module.clone(), (*name).to_owned()))?;
        let mut next = self.full(&module, None, path);
        for segment in &segments[length + 1..] {
            next = format!("{next}::{segment}");
        }
        (next != full).then_some(next)
    }
}

fn krate(module: &str) -> &str {
    module.split("::").next().unwrap_or(module)
}

fn parent(module: &str) -> &str {
    module
        .rsplit_once("::")
        .map_or(module, |(parent, _)| parent)
}
