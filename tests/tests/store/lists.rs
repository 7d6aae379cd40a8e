//! Lists in pages: all that match, each once, newest first.

use std::{collections::BTreeSet, time::Duration};

use haulout_aws::store::{Counts, Filter};
use haulout_domain::{
    ids::MachineId,
    machine::{InstanceFacts, Machine},
    status::{InstanceState, Source, Status},
};
use haulout_tests::world::World;

use super::{machine, stored, world};

const RECORDS: usize = 250;

/// Records of all statuses and sources, oldest first.
async fn many(world: &World) -> Vec<Machine> {
    let mut records = Vec::new();
    for number in 0..RECORDS {
        let mut machine = machine(world);
        machine.status = Status::ALL[number % Status::ALL.len()];
        // Few of the pool: a filter finds them only far apart.
        machine.source = if number % 50 == 7 {
            Source::Pool
        } else {
            Source::Launch
        };
        world
            .store
            .create(&machine, None, None, world.clock.now())
            .await
            .unwrap();
        records.push(machine);
    }
    records
}

/// All pages of a list.
async fn pages(world: &World, filter: Filter, limit: usize) -> Vec<MachineId> {
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = world
            .store
            .list(filter, after.as_ref(), limit, world.clock.now())
            .await
            .unwrap();
        assert!(page.machines.len() <= limit);
        listed.extend(page.machines.into_iter().map(|machine| machine.id));
        match page.next {
            Some(next) => after = Some(next),
            None => return listed,
        }
    }
}

#[tokio::test]
async fn every_filter_and_page_size_lists_each_record_once() {
    let world = world().await;
    let records = many(&world).await;
    let statuses = [None, Some(Status::Ready), Some(Status::Failed)];
    for status in statuses {
        for source in [None, Some(Source::Launch), Some(Source::Pool)] {
            let filter = Filter { status, source };
            let matching = records.iter().rev().filter(|machine| {
                status.is_none_or(|wanted| wanted == machine.status)
                    && source.is_none_or(|wanted| wanted == machine.source)
            });
            let expected: Vec<MachineId> = matching.map(|machine| machine.id.clone()).collect();
            for limit in [3, 50, 100] {
                assert_eq!(
                    pages(&world, filter, limit).await,
                    expected,
                    "{filter:?} by {limit}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_page_that_ends_the_list_says_so() {
    let world = world().await;
    for _ in 0..4 {
        stored(&world).await;
    }
    let list = async |limit| {
        world
            .store
            .list(Filter::default(), None, limit, world.clock.now())
            .await
            .unwrap()
    };
    assert!(list(3).await.next.is_some());
    assert_eq!(list(4).await.next, None);
    assert_eq!(list(5).await.next, None);
}

#[tokio::test]
async fn a_list_goes_on_while_records_come_and_go() {
    let world = world().await;
    let mut records = Vec::new();
    for _ in 0..6 {
        records.push(stored(&world).await.id);
    }
    let now = world.clock.now();
    let first = world
        .store
        .list(Filter::default(), None, 3, now)
        .await
        .unwrap();
    // A newer record belongs before the first page; the record named by the cursor changes its status.
    stored(&world).await;
    let cursor = first.next.unwrap();
    world
        .store
        .update(&cursor, |machine| machine.terminate("in between", now))
        .await
        .unwrap();
    let second = world
        .store
        .list(Filter::default(), Some(&cursor), 3, now)
        .await
        .unwrap();
    let listed: Vec<_> = first
        .machines
        .iter()
        .chain(&second.machines)
        .map(|machine| machine.id.clone())
        .collect();
    records.reverse();
    assert_eq!(listed, records);
}

#[tokio::test]
async fn the_sweep_sees_all_records() {
    let world = world().await;
    let records = many(&world).await;
    let now = world.clock.now();
    let (mut seen, mut after) = (BTreeSet::new(), None);
    loop {
        let page = world.store.sweep_page(after.as_ref(), now).await.unwrap();
        seen.extend(page.machines.into_iter().map(|machine| machine.id));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(
        seen,
        records.into_iter().map(|machine| machine.id).collect()
    );
}

#[tokio::test]
async fn a_record_is_listed_until_a_day_after_its_end() {
    let world = world().await;
    let machine = stored(&world).await;
    let open = stored(&world).await;
    let ended = world.clock.now();
    world
        .store
        .update(&machine.id, |machine| machine.terminate("test", ended))
        .await
        .unwrap();
    world.jump(Duration::from_secs(24 * 3_600 - 1));
    assert_eq!(pages(&world, Filter::default(), 10).await.len(), 2);
    // DynamoDB deletes late: readers must not show it any more.
    world.jump(Duration::from_secs(1));
    assert_eq!(pages(&world, Filter::default(), 10).await, [open.id]);
    let terminated = Filter {
        status: Some(Status::Terminated),
        source: None,
    };
    assert!(pages(&world, terminated, 10).await.is_empty());
    let swept = world.store.sweep_page(None, world.clock.now()).await;
    assert_eq!(swept.unwrap().machines.len(), 1);
    assert!(
        world
            .machine(&machine.id)
            .await
            .is_purged(world.clock.now())
    );
}

#[tokio::test]
async fn counts_are_those_that_were_kept_last() {
    let world = world().await;
    assert_eq!(
        world.store.counts().await.unwrap().total(Filter::default()),
        0
    );
    let records = many(&world).await;
    assert_eq!(
        world.store.counts().await.unwrap().total(Filter::default()),
        0
    );
    let mut counted = Counts::default();
    for machine in &records {
        counted.add(machine.status, machine.source);
    }
    world.store.keep_counts(&counted).await.unwrap();
    let kept = world.store.counts().await.unwrap();
    assert_eq!(kept, counted);
    let total = |status, source| kept.total(Filter { status, source });
    assert_eq!(total(None, None), 250);
    assert_eq!(total(None, Some(Source::Pool)), 5);
    let ready = records
        .iter()
        .filter(|machine| machine.status == Status::Ready)
        .count();
    assert_eq!(
        total(Some(Status::Ready), None),
        u64::try_from(ready).unwrap()
    );
}

#[tokio::test]
async fn a_machine_is_found_by_its_instance() {
    let world = world().await;
    let machine = stored(&world).await;
    let id: haulout_domain::ids::InstanceId = "i-0123456789abcdef0".parse().unwrap();
    assert_eq!(world.store.find_by_instance(&id).await.unwrap(), None);
    let facts = InstanceFacts {
        id: id.clone(),
        state: InstanceState::Pending,
        state_reason: None,
        state_reason_code: None,
        key_name: None,
        ami_id: None,
        instance_type: None,
        architecture: None,
        availability_zone: None,
        subnet_id: None,
        public_ip: None,
        private_ip: None,
        security_group_id: None,
        spot_request_id: None,
        launch_time: None,
    };
    let now = world.clock.now();
    world
        .store
        .update(&machine.id, |machine| machine.launched(facts.clone(), now))
        .await
        .unwrap();
    let found = world.store.find_by_instance(&id).await.unwrap();
    assert_eq!(found.map(|found| found.id), Some(machine.id));
}
