//! Many claims at once, in orders that a seed decides: each of their AWS calls may come between any two of another's.

use std::collections::BTreeSet;

use haulout_domain::status::Status;
use haulout_tests::{life::together, settings::Settings, world::POOL_GROUP};

use super::support::Projects;

async fn shuffled(seed: u64, idle: u32) -> Projects {
    let settings = Settings {
        shuffle: Some(seed),
        ..Settings::default()
    };
    let projects = Projects::start_with(Some(POOL_GROUP), settings).await;
    for number in 1..=idle {
        projects.idle(number).await;
    }
    projects
}

#[tokio::test]
async fn one_machine_is_given_to_one_of_two() {
    for seed in 1..=8 {
        let projects = shuffled(seed, 1).await;
        let answers = together(["one", "two"].map(|project| projects.claim(project))).await;
        let mut statuses: Vec<u16> = answers.iter().map(|it| it.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 503], "seed {seed}");
    }
}

#[tokio::test]
async fn a_project_that_asks_often_at_once_gets_one_machine() {
    for seed in 1..=8 {
        let projects = shuffled(seed, 6).await;
        let answers = together((0..6).map(|_| projects.claim("eager"))).await;
        let machines: BTreeSet<String> = answers
            .iter()
            .map(|it| it.json()["machine_id"].to_string())
            .collect();
        assert_eq!(machines.len(), 1, "seed {seed}");
        let new = answers.iter().filter(|it| it.status == 201).count();
        assert_eq!(new, 1, "seed {seed}");
        let all = projects.world.machines().await;
        let claimed = all.iter().filter(|it| it.status == Status::Claimed);
        assert_eq!(claimed.count(), 1, "seed {seed}");
    }
}

#[tokio::test]
async fn as_many_projects_as_machines_get_one_each() {
    for seed in 1..=4 {
        let projects = shuffled(seed, 20).await;
        let names: Vec<String> = (0..20).map(|number| format!("p{number}")).collect();
        let answers = together(names.iter().map(|name| projects.claim(name))).await;
        let mut got: BTreeSet<String> = BTreeSet::new();
        let mut late = 0;
        for answer in &answers {
            match answer.status {
                201 => assert!(got.insert(answer.json()["machine_id"].to_string())),
                503 => late += 1,
                _ => panic!("{}", answer.text()),
            }
        }
        // Who loses all its races comes back.
        for name in &names {
            got.insert(projects.claimed(name).await["machine_id"].to_string());
        }
        assert_eq!(got.len(), 20, "seed {seed}");
        assert!(late < 10, "seed {seed}: {late} lost all their races");
    }
}

#[tokio::test]
async fn claims_and_releases_at_once_leave_no_machine_with_two_projects() {
    for seed in 1..=8 {
        let projects = shuffled(seed, 8).await;
        let answers = together((0..24).map(|number| {
            let projects = &projects;
            async move {
                let name = format!("p{}", number % 4);
                if number % 3 == 2 {
                    projects.release(&name).await
                } else {
                    projects.claim(&name).await
                }
            }
        }))
        .await;
        for answer in answers {
            assert!(
                matches!(answer.status, 200 | 201 | 202 | 404 | 503),
                "{}",
                answer.text()
            );
        }
        let mut holders = BTreeSet::new();
        for machine in projects.world.machines().await {
            if let Some(claim) = machine.claim() {
                assert_eq!(machine.status, Status::Claimed);
                assert!(holders.insert(claim.project.clone()), "seed {seed}");
                let row = projects.world.store.project(&claim.project).await.unwrap();
                assert_eq!(row, machine.project_machine(), "seed {seed}");
            }
        }
        for number in 0..4 {
            let project = format!("p{number}").parse().unwrap();
            let row = projects.world.store.project(&project).await.unwrap();
            assert_eq!(row.is_some(), holders.contains(&project), "seed {seed}");
        }
    }
}
