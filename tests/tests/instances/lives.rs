//! Machines brought where a test wants them, without what brings machines up.

use std::time::Duration;

use haulout_domain::{machine::Machine, offer::Offer, plan::LaunchPlan, status::Status};
use haulout_local::sim::LAUNCH_TEMPLATE_ID;
use serde_json::{Value, json};

use super::support::Machines;

impl Machines {
    /// A machine that is ready: its instance is launched by the test.
    pub(super) async fn ready(&self, body: &Value) -> Machine {
        let machine = self.create(body).await;
        let now = self.world.clock.now();
        let plan = plan(&machine);
        let facts = self.world.compute.launch(&machine, &plan).await.unwrap();
        let machine = self
            .change(&machine, |machine| {
                machine.planned(plan.clone(), now);
                machine.launch_requested(now);
                machine.launched(facts.clone(), now);
            })
            .await;
        self.world.jump(Duration::from_mins(1));
        let now = self.world.clock.now();
        let seen = self.world.compute.describe(&facts.id).await.unwrap();
        let machine = self
            .change(&machine, |machine| {
                machine.instance_observed(seen.clone(), true, now).unwrap();
            })
            .await;
        assert_eq!(machine.status, Status::Ready);
        machine
    }

    /// A machine that EC2 has stopped.
    pub(super) async fn stopped(&self) -> Machine {
        let machine = Box::pin(self.ready(&json!({}))).await;
        let answer = self.power(&machine, "stop").await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        self.see(&machine).await
    }

    /// Some time later, the record takes in what EC2 says.
    pub(super) async fn see(&self, machine: &Machine) -> Machine {
        self.world.jump(Duration::from_mins(1));
        let id = machine.instance_id.clone().unwrap();
        let facts = self.world.compute.describe(&id).await.unwrap().unwrap();
        let now = self.world.clock.now();
        self.change(machine, |machine| machine.instance_seen(&facts, now))
            .await
    }

    pub(super) async fn change(
        &self,
        machine: &Machine,
        mut change: impl FnMut(&mut Machine),
    ) -> Machine {
        let changed = self
            .world
            .store
            .update(&machine.id, |machine| change(machine))
            .await;
        changed.unwrap().unwrap().0
    }
}

/// A plan that launches from the simulator's template.
fn plan(machine: &Machine) -> LaunchPlan {
    LaunchPlan {
        template: Some((LAUNCH_TEMPLATE_ID.parse().unwrap(), 1)),
        ami: None,
        instance_type: None,
        offer: Offer {
            market: machine.launch.market,
            instance_type: None,
            subnet_id: None,
            zone: None,
        },
        security_group_ids: Vec::new(),
        root: None,
        key_name: machine.launch.key_name.clone(),
        instance_profile: None,
        require_imds_v2: false,
        login_user: Some("ec2-user".to_owned()),
    }
}
