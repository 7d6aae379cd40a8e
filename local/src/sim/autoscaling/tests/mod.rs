//! Auto Scaling as callers meet it, on a manual clock.

mod capacity;
mod describing;
mod events;
mod healing;
mod launching;
mod many;
mod restart;
mod sdk;
mod termination;

use std::time::Duration;

use hyper::body::Bytes;
use hyper::{Request, StatusCode};

use crate::sim::{
    AutoScalingGroupSeed, Clock, Event, EventKind, Executor, GroupInstanceView, GroupView,
    LAUNCH_TEMPLATE_ID, Sim, SimConfig, SimHandle,
};

const GROUP: &str = "fleet";

/// A simulator with one group.
struct Lab {
    sim: SimHandle,
}

impl Lab {
    /// A group of so many instances, all in service, which may have from 1 to 20.
    async fn new(desired: u32) -> Self {
        Self::with(desired, |_| {}).await
    }

    /// The same; `change` what is to be different.
    async fn with(desired: u32, change: impl FnOnce(&mut SimConfig)) -> Self {
        let mut config = config();
        config.auto_scaling_groups[0].desired = desired;
        change(&mut config);
        let lab = Self {
            sim: Sim::start(config).await.unwrap(),
        };
        lab.advance(60);
        lab
    }

    fn advance(&self, seconds: u64) {
        self.sim.clock().advance(Duration::from_secs(seconds));
    }

    /// Asks Auto Scaling, and answers status and body.
    async fn ask(&self, form: &str) -> (StatusCode, String) {
        self.send("autoscaling", &format!("{form}&Version=2011-01-01"))
            .await
    }

    async fn send(&self, service: &str, form: &str) -> (StatusCode, String) {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host"
        );
        let request = Request::post("/").header("authorization", scope);
        let (head, ()) = request.body(()).unwrap().into_parts();
        let body = Bytes::copy_from_slice(form.as_bytes());
        let answer = self.sim.door().call(&head, &body).await.unwrap();
        let status = answer.status();
        let body = http_body_util::BodyExt::collect(answer.into_body()).await;
        let text = String::from_utf8(body.unwrap().to_bytes().to_vec()).unwrap();
        (status, text)
    }

    /// Asks and is not refused.
    async fn done(&self, form: &str) -> String {
        let (status, text) = self.ask(form).await;
        assert_eq!(status, StatusCode::OK, "{form}: {text}");
        text
    }

    /// Asks and is refused: the code and the message.
    async fn refused(&self, form: &str) -> (String, String) {
        let (status, text) = self.ask(form).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{form}: {text}");
        (between(&text, "Code"), between(&text, "Message"))
    }

    async fn set_desired(&self, desired: u32) {
        self.done(&format!(
            "Action=SetDesiredCapacity&AutoScalingGroupName={GROUP}&DesiredCapacity={desired}"
        ))
        .await;
    }

    async fn suspend(&self, process: &str) {
        self.done(&format!(
            "Action=SuspendProcesses&AutoScalingGroupName={GROUP}&ScalingProcesses.member.1={process}"
        ))
        .await;
    }

    async fn resume(&self, process: &str) {
        self.done(&format!(
            "Action=ResumeProcesses&AutoScalingGroupName={GROUP}&ScalingProcesses.member.1={process}"
        ))
        .await;
    }

    async fn protect(&self, id: &str, protected: bool) {
        self.done(&format!(
            "Action=SetInstanceProtection&AutoScalingGroupName={GROUP}&InstanceIds.member.1={id}\
             &ProtectedFromScaleIn={protected}"
        ))
        .await;
    }

    /// An EC2 action on an instance.
    async fn ec2(&self, action: &str, id: &str) {
        let form = format!("Action={action}&InstanceId.1={id}");
        let (status, text) = self.send("ec2", &form).await;
        assert_eq!(status, StatusCode::OK, "{text}");
    }

    fn group(&self) -> GroupView {
        self.sim.state().group(GROUP).unwrap().clone()
    }

    /// Its instances' ids, oldest first.
    fn ids(&self) -> Vec<String> {
        let instances = self.group().instances.into_iter();
        instances.map(|instance| instance.instance_id).collect()
    }

    fn instance(&self, id: &str) -> Option<GroupInstanceView> {
        let mut instances = self.group().instances.into_iter();
        instances.find(|instance| instance.instance_id == id)
    }

    /// The events of Auto Scaling that are due.
    fn told(&self) -> Vec<Event> {
        let mut events = self.sim.events_due(self.sim.clock().now());
        events.retain(|event| {
            !matches!(
                event.kind,
                EventKind::State(_) | EventKind::SpotInterruption
            )
        });
        events
    }
}

fn config() -> SimConfig {
    let executor = Executor::succeeding(Duration::ZERO, "");
    let mut config = SimConfig::new(Clock::manual(), executor);
    config.auto_scaling_groups.push(AutoScalingGroupSeed {
        name: GROUP.into(),
        launch_template_id: LAUNCH_TEMPLATE_ID.into(),
        min: 1,
        max: 20,
        desired: 1,
        ..AutoScalingGroupSeed::default()
    });
    config
}

/// The parameters of one instance id more than a call may have.
fn too_many_ids() -> String {
    let ids = (1..=51).map(|n| format!("&InstanceIds.member.{n}=i-{n:08x}"));
    ids.collect::<Vec<_>>().concat()
}

/// The text of the first element of that name, with its apostrophes.
fn between(xml: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let rest = xml.split_once(&open).unwrap().1;
    rest.split_once(&close).unwrap().0.replace("&apos;", "'")
}
