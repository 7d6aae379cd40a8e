//! How large a value can be, and how much work it is until it is there.

use super::facts::Kind;

/// Steps for looking at a node at all.
const NODE: u64 = 50;

/// The largest a value can be, and the most work until it is there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bound {
    /// Bytes of text in it, and one for each value.
    pub(super) size: u64,
    /// Values in it, if it is a list.
    pub(super) items: u64,
    /// The size of the largest of them.
    pub(super) item: u64,
    /// Steps.
    pub(super) cost: u64,
}

impl Bound {
    pub(super) fn plain() -> Self {
        Self::text(0)
    }

    pub(super) fn text(bytes: u64) -> Self {
        let size = bytes + 1;
        Self {
            size,
            items: size,
            item: size,
            cost: 0,
        }
    }

    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Plain => Self::plain(),
            Kind::Text(bytes) => Self::text(bytes),
            Kind::Texts(items, bytes) => {
                let item = bytes + 1;
                let size = items * item + 1;
                Self {
                    size,
                    items,
                    item,
                    cost: 0,
                }
            }
        }
    }

    /// Something in it, of which no more is known.
    pub(super) fn part(self) -> Self {
        let size = self.size;
        Self {
            size,
            items: size,
            item: size,
            cost: 0,
        }
    }

    /// Both, one after the other.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            size: self.size.saturating_add(other.size),
            items: self.items.saturating_add(other.items),
            item: self.item.max(other.item),
            cost: 0,
        }
    }

    /// The same value, of such a cost. It may be copied on the way.
    pub(super) fn costing(self, cost: u64) -> Self {
        let cost = cost.saturating_add(self.size).saturating_add(NODE);
        Self { cost, ..self }
    }
}

/// All of these in a list.
pub(super) fn gathered(values: &[Bound]) -> Bound {
    let add = |sum: u64, it: u64| sum.saturating_add(it);
    let size = values.iter().map(|it| it.size).fold(1, add);
    let cost = values.iter().map(|it| it.cost).fold(0, add);
    let item = values.iter().map(|it| it.size).max().unwrap_or_default();
    let items = values.len() as u64;
    let list = Bound {
        size,
        items,
        item,
        cost: 0,
    };
    list.costing(cost)
}
