//! How many machines there should be.

use crate::{
    pool::capacity::{self, Bounds, COOL_DOWN, Counts, MOST_GIVEN_UP},
    status::Status,
    test_machines::at,
};

fn bounds(buffer: u32, min: u32, max: u32) -> Bounds {
    Bounds { buffer, min, max }
}

#[test]
fn the_group_grows_with_what_is_used() {
    let usual = bounds(5, 0, 200);
    for (desired, used, raised) in [
        (5, 0, None),
        (5, 1, Some(6)),
        // 10 in all, 2 of them idle: 3 more.
        (10, 8, Some(13)),
        // 8 in all, 1 of them idle: 4 more.
        (8, 7, Some(12)),
        // 15 in all, 7 of them idle: no change.
        (15, 8, None),
    ] {
        assert_eq!(
            capacity::raise(desired, used, 0, usual),
            raised,
            "{used} of {desired}"
        );
    }
}

#[test]
fn who_waits_gets_a_machine_of_his_own_and_bounds_hold() {
    assert_eq!(capacity::target(2, 3, bounds(5, 0, 200)), 10);
    assert_eq!(capacity::target(0, 0, bounds(5, 8, 200)), 8);
    assert_eq!(capacity::target(9, 4, bounds(5, 0, 12)), 12);
    // What is used is never given up for a bound.
    assert_eq!(capacity::target(9, 0, bounds(5, 0, 3)), 9);
    assert_eq!(bounds(5, 0, 200).within(2, 50), bounds(5, 2, 50));
    assert_eq!(bounds(5, 9, 9).within(0, 4), bounds(5, 4, 4));
}

#[test]
fn a_surplus_goes_after_a_while_and_a_few_at_a_time() {
    let counts = Counts {
        idle: 40,
        claimed: 2,
        ..Counts::default()
    };
    let surplus = capacity::surplus(42, counts, 0, bounds(5, 0, 200));
    assert_eq!(surplus, 35);
    // The group aims at more than it can launch: the buffer stays.
    let few = Counts { idle: 6, ..counts };
    assert_eq!(capacity::surplus(42, few, 0, bounds(5, 0, 200)), 1);
    let (most, since) = capacity::give_up(surplus, None, at(0));
    assert_eq!((most, since), (0, Some(at(0))));
    let over = at(0).checked_add(COOL_DOWN).expect("a time in range");
    assert_eq!(
        capacity::give_up(surplus, since, over),
        (MOST_GIVEN_UP, since)
    );
    assert_eq!(capacity::give_up(3, since, over), (3, since));
    assert_eq!(capacity::give_up(0, since, over), (0, None));
}

#[test]
fn machines_are_counted_by_where_they_are() {
    let mut counts = Counts::default();
    for status in Status::ALL {
        counts.add(*status);
    }
    assert_eq!((counts.idle, counts.claimed), (1, 1));
    // Being launched, registering, and being staged, too.
    assert_eq!(counts.warming, 4);
    let ended = 1;
    let total = counts.warming + counts.idle + counts.claimed + counts.draining;
    assert_eq!(total as usize, Status::ALL.len() - ended);
}
