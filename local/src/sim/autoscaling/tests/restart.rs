//! The state file keeps groups.

use super::{Lab, config};
use crate::sim::{Sim, SimConfig};

#[tokio::test]
async fn a_restart_keeps_groups_and_what_they_were_about_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let kept = || SimConfig {
        state_file: Some(directory.path().join("sim.json")),
        ..config()
    };
    let lab = Lab {
        sim: Sim::start(kept()).await.unwrap(),
    };
    lab.advance(60);
    lab.suspend("AZRebalance").await;
    lab.set_desired(3).await;
    lab.advance(2);
    let before = lab.group();
    assert_eq!(before.count("Pending"), 2);
    lab.sim.shutdown().await;

    let lab = Lab {
        sim: Sim::start(kept()).await.unwrap(),
    };
    assert_eq!(lab.group(), before, "the seed does not overwrite it");
    lab.advance(12);
    assert_eq!(lab.group().count("InService"), 3);
    assert_eq!(lab.told().len(), 3);
    let id = lab.ids()[0].clone();
    lab.ec2("TerminateInstances", &id).await;
    lab.sim.shutdown().await;

    let lab = Lab {
        sim: Sim::start(kept()).await.unwrap(),
    };
    assert_eq!(lab.told(), [], "an event is told once, restart or not");
    lab.advance(60);
    assert!(lab.instance(&id).is_none());
    assert_eq!(lab.group().count("InService"), 3);
}
