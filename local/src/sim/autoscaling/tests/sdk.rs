//! The real SDK reads what the simulator writes.

use aws_credential_types::Credentials;
use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::config::retry::RetryConfig;
use aws_sdk_autoscaling::config::{BehaviorVersion, Region};
use aws_sdk_autoscaling::error::ProvideErrorMetadata as _;
use aws_sdk_autoscaling::types::{LifecycleState, ScalingActivityStatusCode};

use super::{GROUP, Lab};
use crate::sim::Fault;

fn client(lab: &Lab) -> Client {
    let config = aws_sdk_autoscaling::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(lab.sim.url())
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

#[tokio::test]
async fn groups_and_instances_are_read() {
    let lab = Lab::new(2).await;
    let scaling = client(&lab);
    let suspend = scaling
        .suspend_processes()
        .auto_scaling_group_name(GROUP)
        .scaling_processes("AZRebalance");
    suspend.send().await.unwrap();
    let described = scaling.describe_auto_scaling_groups();
    let described = described.auto_scaling_group_names(GROUP).send().await;
    let described = described.unwrap();
    let group = &described.auto_scaling_groups()[0];
    assert_eq!(group.auto_scaling_group_name(), Some(GROUP));
    assert_eq!((group.min_size(), group.max_size()), (Some(1), Some(20)));
    assert_eq!(group.desired_capacity(), Some(2));
    assert_eq!(group.availability_zones().len(), 3);
    assert!(group.created_time().is_some());
    let suspended = group.suspended_processes()[0].process_name();
    assert_eq!(suspended, Some("AZRebalance"));
    let instance = &group.instances()[0];
    assert_eq!(instance.lifecycle_state(), Some(&LifecycleState::InService));
    assert_eq!(instance.health_status(), Some("Healthy"));
    assert_eq!(instance.protected_from_scale_in(), Some(false));
    let template = instance.launch_template().unwrap();
    assert_eq!(template.version(), Some("1"));
    let page = scaling.describe_auto_scaling_instances().max_records(1);
    let page = page.send().await.unwrap();
    let first = &page.auto_scaling_instances()[0];
    assert_eq!(first.auto_scaling_group_name(), Some(GROUP));
    assert_eq!(first.lifecycle_state(), Some("InService"));
    let next = scaling.describe_auto_scaling_instances();
    let next = next.set_next_token(page.next_token).send().await.unwrap();
    assert_eq!(next.auto_scaling_instances().len(), 1);
}

#[tokio::test]
async fn changes_and_errors_are_read() {
    let lab = Lab::new(2).await;
    let scaling = client(&lab);
    let set = |n| {
        let set = scaling.set_desired_capacity().desired_capacity(n);
        set.auto_scaling_group_name(GROUP).honor_cooldown(false)
    };
    set(3).send().await.unwrap();
    lab.advance(20);
    let error = set(50).send().await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("ValidationError"));
    assert!(error.message().unwrap().contains("above max value 20"));
    let id = lab.ids()[0].clone();
    let terminate = scaling
        .terminate_instance_in_auto_scaling_group()
        .instance_id(&id)
        .should_decrement_desired_capacity(true);
    let activity = terminate.send().await.unwrap().activity.unwrap();
    let code = activity.status_code();
    assert_eq!(code, Some(&ScalingActivityStatusCode::InProgress));
    assert!(activity.cause().unwrap().contains(&id));
    let protect = scaling
        .set_instance_protection()
        .auto_scaling_group_name(GROUP)
        .instance_ids(&lab.ids()[1])
        .protected_from_scale_in(true);
    protect.send().await.unwrap();
    assert!(lab.group().instances[1].protected);
    let activities = scaling.describe_scaling_activities();
    let activities = activities.auto_scaling_group_name(GROUP).send().await;
    let activities = activities.unwrap();
    let newest = &activities.activities()[0];
    assert_eq!(newest.activity_id(), activity.activity_id());
    lab.sim
        .arm_fault(Fault::new("autoscaling", "*", "Throttling"))
        .unwrap();
    let error = set(1).send().await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("Throttling"));
    let update = scaling
        .update_auto_scaling_group()
        .auto_scaling_group_name(GROUP)
        .max_size(30)
        .max_instance_lifetime(86_400);
    update.send().await.unwrap();
    let delete = scaling
        .delete_auto_scaling_group()
        .auto_scaling_group_name(GROUP)
        .force_delete(true);
    delete.send().await.unwrap();
    lab.advance(10);
    assert!(lab.sim.state().groups.is_empty());
}
