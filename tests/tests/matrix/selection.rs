//! Which cases a usual run takes: all of them would take hours.

use std::collections::{BTreeMap, BTreeSet};

use haulout_tests::random::Random;

use super::{
    cases::{Case, all},
    scenario::Scenario,
};

/// How many cases a scenario gets for places in the code that earlier ones pass too.
const AGAIN: usize = 5;

/// Cases that once found something.
const FOUND: &[&str] = &[
    "Stop: Ec2.StopInstances number 1 of instances.post access denied for good",
    "StartedOutside: events.ec2 number 0 stalled after 2 calls",
    "StartedOutside: events.ec2 number 0 stalled after 3 calls",
];

/// Cases to run, and how many there are beside them.
pub(crate) struct Selection {
    pub(crate) cases: Vec<Case>,
    pub(crate) left_out: usize,
}

/// The same in each run: every place in the code with one of the things that can go wrong there; everything that can go
/// wrong with each action and function, wherever; and in each scenario some places once more.
pub(crate) fn usual() -> Selection {
    let mut all = all();
    let total = all.len();
    // What hits the sweep only matters where it has something to do.
    all.retain(|case| !case.hits_sweep || case.scenario.needs_sweep());
    let mut chosen = Chosen::default();
    for (at, case) in all.iter().enumerate() {
        if FOUND.contains(&case.name.as_str()) {
            chosen.take(at, case);
        }
    }
    chosen.each_place(&all);
    chosen.each_way(&all);
    for scenario in Scenario::ALL {
        chosen.again(&all, scenario);
    }
    let cases: Vec<Case> = chosen.cases.iter().map(|at| all[*at].clone()).collect();
    Selection {
        left_out: total - cases.len(),
        cases,
    }
}

type Way<'a> = (&'static str, &'a str, &'a str);

#[derive(Default)]
struct Chosen<'a> {
    cases: BTreeSet<usize>,
    /// How often each thing goes wrong in each way.
    ways: BTreeMap<Way<'a>, u32>,
}

impl<'a> Chosen<'a> {
    fn take(&mut self, at: usize, case: &'a Case) {
        if self.cases.insert(at) {
            *self.ways.entry(way(case)).or_default() += 1;
        }
    }

    /// Takes the case whose way was taken least.
    fn take_one(&mut self, candidates: &[(usize, &'a Case)]) {
        let times = |case| self.ways.get(&way(case)).copied().unwrap_or(0);
        if let Some((at, case)) = candidates.iter().min_by_key(|(_, case)| times(case)) {
            self.take(*at, case);
        }
    }

    fn each_place(&mut self, all: &'a [Case]) {
        for candidates in by_place(all.iter().enumerate()).values() {
            self.take_one(candidates);
        }
    }

    fn each_way(&mut self, all: &'a [Case]) {
        for (at, case) in all.iter().enumerate() {
            if !self.ways.contains_key(&way(case)) {
                self.take(at, case);
            }
        }
    }

    fn again(&mut self, all: &'a [Case], scenario: Scenario) {
        let here = all.iter().enumerate();
        let here = here.filter(|(_, case)| case.scenario == scenario);
        let mut places: Vec<_> = by_place(here).into_values().collect();
        let mut random = Random::new(u64::try_from(self.cases.len()).unwrap());
        for _ in 0..AGAIN.min(places.len()) {
            let place = places.swap_remove(random.below(places.len()));
            self.take_one(&place);
        }
    }
}

fn way(case: &Case) -> Way<'_> {
    (case.kind, &case.what, &case.how)
}

type ByPlace<'a> = BTreeMap<(&'static str, &'a str), Vec<(usize, &'a Case)>>;

fn by_place<'a>(cases: impl Iterator<Item = (usize, &'a Case)>) -> ByPlace<'a> {
    let mut places = ByPlace::new();
    for (at, case) in cases {
        let place = places.entry((case.kind, case.point.as_str())).or_default();
        place.push((at, case));
    }
    places
}
