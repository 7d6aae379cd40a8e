//! Ten thousand instances: what a group does takes time in proportion, not to their square.

use std::time::{Duration, Instant};

use super::{GROUP, Lab};

const MANY: u32 = 10_000;
/// Generous, because a build for tests is slow and the computer may be busy. A square would take minutes.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn ten_thousand_instances_are_launched_described_and_terminated_in_time() {
    let begun = Instant::now();
    let lab = Lab::with(MANY, |config| {
        config.auto_scaling_groups[0].max = MANY;
    })
    .await;
    assert_eq!(lab.group().count("InService"), MANY as usize);
    let text = lab.done("Action=DescribeAutoScalingGroups").await;
    assert_eq!(text.matches("<InstanceId>").count(), MANY as usize);
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());

    // Calls that change a settled group of that size.
    let begun = Instant::now();
    let ids = lab.ids();
    for id in ids.iter().take(200) {
        let form = "Action=TerminateInstanceInAutoScalingGroup&ShouldDecrementDesiredCapacity=true";
        lab.done(&format!("{form}&InstanceId={id}")).await;
    }
    assert!(begun.elapsed() < PATIENCE / 4, "{:?}", begun.elapsed());
    assert_eq!(lab.group().desired, MANY - 200);

    let begun = Instant::now();
    lab.set_desired(1).await;
    lab.advance(10);
    assert_eq!(lab.group().instances.len(), 1);
    let form =
        format!("Action=DeleteAutoScalingGroup&AutoScalingGroupName={GROUP}&ForceDelete=true");
    lab.done(&form).await;
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}
