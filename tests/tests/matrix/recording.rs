//! What happens in a run without faults: its AWS calls, its invocations and its states.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use haulout_tests::{call::Action, faults::Logged, world::World};

use super::{
    ends::problems,
    run::{executions, on_runtime},
    scenario::Scenario,
};

/// Longer than any life without faults, keeping a failed machine included.
const LIMIT: Duration = Duration::from_hours(2);

/// A run without faults.
pub(crate) struct Recording {
    log: Vec<Logged>,
    invoked: Vec<String>,
    /// The number of its first invocation.
    first: u64,
    /// The states of its execution, in order; none where none is started.
    pub(crate) states: Vec<String>,
}

/// An AWS call of the run.
#[derive(Debug, Clone)]
pub(crate) struct CallPoint {
    /// The function that makes it.
    pub(crate) function: String,
    /// What it calls.
    pub(crate) action: Action,
    /// Which call of its invocation it is.
    pub(crate) place: u32,
    /// How many calls of this action by this function come before.
    pub(crate) skip: u32,
}

/// An invocation of the run.
#[derive(Debug, Clone)]
pub(crate) struct InvocationPoint {
    /// The function.
    pub(crate) function: String,
    /// How many invocations of this function come before.
    pub(crate) skip: u32,
    /// How many AWS calls it makes.
    pub(crate) calls: u32,
}

impl Recording {
    pub(crate) fn of(scenario: Scenario) -> Self {
        on_runtime(async {
            let world = World::start(scenario.settings()).await;
            scenario.prepare(&world).await;
            let (calls, invoked) = (world.faults.log().len(), world.faults.invoked().len());
            let before = executions(&world);
            scenario.begin(&world).await;
            let is_over = world
                .until(LIMIT, async |world| scenario.is_over(world).await)
                .await;
            assert!(
                is_over,
                "{scenario:?} does not end even without faults: {:?}",
                world.machines().await
            );
            let broken = problems(scenario, false, &world).await;
            assert!(broken.is_empty(), "{scenario:?}: {broken:?}");
            let states = world
                .stepfunctions
                .executions()
                .values()
                .find(|execution| !before.contains(&execution.name))
                .map(|execution| execution.history.clone());
            Self {
                log: world.faults.log().split_off(calls),
                invoked: world.faults.invoked().split_off(invoked),
                first: u64::try_from(invoked).unwrap() + 1,
                states: states.unwrap_or_default(),
            }
        })
    }

    /// The calls that differ: of each function's calls of an action at the same place of an invocation, the last and
    /// the first one. What lies between are polls like the first.
    pub(crate) fn calls(&self) -> Vec<CallPoint> {
        let mut before: BTreeMap<(&str, &Action), u32> = BTreeMap::new();
        let mut places: BTreeMap<u64, u32> = BTreeMap::new();
        let mut found: BTreeMap<(&str, &Action, u32), Vec<u32>> = BTreeMap::new();
        for logged in &self.log {
            let place = places.entry(logged.invocation).or_default();
            let skip = before
                .entry((&logged.function, &logged.action))
                .or_default();
            found
                .entry((&logged.function, &logged.action, *place))
                .or_default()
                .push(*skip);
            *place += 1;
            *skip += 1;
        }
        let ends = found
            .into_iter()
            .flat_map(|((function, action, place), skips)| {
                last_and_first(&skips)
                    .into_iter()
                    .map(move |skip| CallPoint {
                        function: function.to_owned(),
                        action: action.clone(),
                        place,
                        skip,
                    })
            });
        ends.collect()
    }

    /// The invocations that differ: the last and the first one of each function, and of each number of calls.
    pub(crate) fn invocations(&self) -> Vec<InvocationPoint> {
        let mut calls: BTreeMap<u64, u32> = BTreeMap::new();
        for logged in &self.log {
            *calls.entry(logged.invocation).or_default() += 1;
        }
        let mut before: BTreeMap<&str, u32> = BTreeMap::new();
        let mut found: BTreeMap<(&str, u32), Vec<u32>> = BTreeMap::new();
        for (number, function) in (self.first..).zip(&self.invoked) {
            let skip = before.entry(function).or_default();
            let made = calls.get(&number).copied().unwrap_or(0);
            found.entry((function, made)).or_default().push(*skip);
            *skip += 1;
        }
        let ends = found.into_iter().flat_map(|((function, calls), skips)| {
            last_and_first(&skips)
                .into_iter()
                .map(move |skip| InvocationPoint {
                    function: function.to_owned(),
                    skip,
                    calls,
                })
        });
        ends.collect()
    }

    /// After how many transitions an execution is in each state, for the last and for the first time.
    pub(crate) fn state_points(&self) -> Vec<(String, usize)> {
        let mut found: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (entered, state) in (1..).zip(&self.states) {
            found.entry(state).or_default().push(entered);
        }
        let ends = found.into_iter().flat_map(|(state, entered)| {
            last_and_first(&entered)
                .into_iter()
                .map(move |entered| (state.to_owned(), entered))
        });
        ends.collect()
    }
}

fn last_and_first<T: Copy + Ord>(of: &[T]) -> Vec<T> {
    let ends: BTreeSet<T> = of.first().into_iter().chain(of.last()).copied().collect();
    ends.into_iter().rev().collect()
}
