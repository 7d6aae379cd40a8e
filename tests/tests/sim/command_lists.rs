//! Lists of commands, invocations and agents.

use super::code;
use super::commands::lab;

#[tokio::test]
async fn commands_are_listed_newest_first() {
    let lab = lab().await;
    let (one, two) = (lab.online("1").await, lab.online("2").await);
    let first = lab.send(&one, &["ok"]).await;
    let second = lab.send(&one, &["fail"]).await;
    let third = lab.send(&two, &["slow"]).await;
    lab.advance(8);
    let ids = |commands: &[aws_sdk_ssm::types::Command]| {
        commands
            .iter()
            .map(|c| c.command_id().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let all = lab.ssm.list_commands().send().await.unwrap();
    assert_eq!(
        ids(all.commands()),
        [third.clone(), second.clone(), first.clone()]
    );
    let statuses: Vec<_> = all
        .commands()
        .iter()
        .map(|c| c.status().unwrap().to_string())
        .collect();
    assert_eq!(statuses, ["InProgress", "Failed", "Success"]);
    let of_one = lab
        .ssm
        .list_commands()
        .instance_id(&one)
        .max_results(1)
        .send()
        .await
        .unwrap();
    assert_eq!(ids(of_one.commands()), std::slice::from_ref(&second));
    let next = lab
        .ssm
        .list_commands()
        .instance_id(&one)
        .set_next_token(of_one.next_token)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (ids(next.commands()), next.next_token()),
        (vec![first], None)
    );
    let unknown = lab
        .ssm
        .list_commands()
        .command_id("9e3b8a5e-0000-4000-8000-000000000000")
        .send()
        .await;
    assert_eq!(code(unknown), "InvalidCommandId");
}

#[tokio::test]
async fn invocations_are_listed_by_command_and_by_machine() {
    let lab = lab().await;
    let (one, two) = (lab.online("1").await, lab.online("2").await);
    let second = lab.send(&one, &["fail"]).await;
    let third = lab.send(&two, &["slow"]).await;
    lab.advance(8);
    let invocations = lab
        .ssm
        .list_command_invocations()
        .command_id(&second)
        .details(true)
        .send()
        .await
        .unwrap();
    let invocation = &invocations.command_invocations()[0];
    assert_eq!(invocation.instance_id(), Some(one.as_str()));
    let plugin = &invocation.command_plugins()[0];
    assert_eq!(
        (plugin.response_code(), plugin.status().unwrap().as_str()),
        (3, "Failed")
    );
    assert!(plugin.output().unwrap().contains("no good"), "{plugin:?}");
    let of_two = lab
        .ssm
        .list_command_invocations()
        .instance_id(&two)
        .send()
        .await
        .unwrap();
    assert_eq!(
        of_two.command_invocations()[0].command_id(),
        Some(third.as_str())
    );
}

#[tokio::test]
async fn agents_are_filtered() {
    use aws_sdk_ssm::types::InstanceInformationStringFilter as Filter;
    let lab = lab().await;
    let (one, two) = (lab.online("1").await, lab.online("2").await);
    lab.ec2
        .stop_instances()
        .instance_ids(&two)
        .send()
        .await
        .unwrap();
    let found = async |key: &str, value: &str| {
        let filter = Filter::builder().key(key).values(value).build().unwrap();
        let answer = lab
            .ssm
            .describe_instance_information()
            .filters(filter)
            .send()
            .await?;
        let list = answer.instance_information_list();
        Ok::<_, aws_sdk_ssm::error::SdkError<_>>(
            list.iter()
                .map(|i| i.instance_id().unwrap().to_owned())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(
        found("InstanceIds", &one).await.unwrap(),
        std::slice::from_ref(&one)
    );
    assert_eq!(
        found("PingStatus", "Online").await.unwrap(),
        std::slice::from_ref(&one)
    );
    assert_eq!(found("PingStatus", "ConnectionLost").await.unwrap(), [two]);
    assert_eq!(
        found("tag:aws:ec2launchtemplate:version", "1")
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(code(found("Colour", "red").await), "InvalidFilterKey");
}
