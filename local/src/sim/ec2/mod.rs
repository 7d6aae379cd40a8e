//! The part of EC2's API that the control plane calls: Query protocol in, XML out.

mod capacity;
mod change_state;
mod describe_instances;
mod errors;
mod filters;
mod groups;
mod idempotency;
mod images;
mod instance_status;
mod instance_xml;
mod launch;
mod launch_spec;
mod paging;
mod placement;
mod prices;
mod query;
mod run_instances;
mod selection;
mod spot;
mod subnets;
mod tag_rules;
mod tags;
mod template_versions;
mod template_xml;
mod templates;
mod types;
mod xml;

pub(super) use groups::{SecurityGroup, seed as seed_groups};
pub(super) use launch_spec::LaunchSpec;
pub(super) use query::Params;
pub(super) use run_instances::launch_for_group;
pub(super) use spot::SpotRequest;
pub(super) use templates::{LaunchTemplate, identity as template_identity, seed};
pub(super) use xml::{Xml, error_response, response};

use super::answer::{Action, ApiError};
use super::state::Call;

/// An EC2 action.
pub(super) type Ec2Action = Action<Params, Xml>;

/// Parameters of every request.
const COMMON: [&str; 3] = ["Action", "Version", "DryRun"];

/// The actions imitated.
pub(super) const ACTIONS: &[Ec2Action] = &[
    Action {
        name: "RunInstances",
        parameters: run_instances::PARAMETERS,
        run: run_instances::run_instances,
    },
    Action {
        name: "DescribeInstances",
        parameters: &["InstanceId", "Filter", "MaxResults", "NextToken"],
        run: describe_instances::describe_instances,
    },
    Action {
        name: "DescribeInstanceStatus",
        parameters: &[
            "InstanceId",
            "Filter",
            "MaxResults",
            "NextToken",
            "IncludeAllInstances",
        ],
        run: instance_status::describe_instance_status,
    },
    Action {
        name: "StartInstances",
        parameters: &["InstanceId"],
        run: change_state::start_instances,
    },
    Action {
        name: "StopInstances",
        parameters: &["InstanceId", "Force"],
        run: change_state::stop_instances,
    },
    Action {
        name: "TerminateInstances",
        parameters: &["InstanceId", "Force", "SkipOsShutdown"],
        run: change_state::terminate_instances,
    },
    Action {
        name: "DescribeImages",
        parameters: &[
            "ImageId",
            "Owner",
            "Filter",
            "MaxResults",
            "NextToken",
            "IncludeDeprecated",
        ],
        run: images::describe_images,
    },
    Action {
        name: "CreateTags",
        parameters: &["ResourceId", "Tag"],
        run: tags::create_tags,
    },
    Action {
        name: "DescribeTags",
        parameters: &["Filter", "MaxResults", "NextToken"],
        run: tags::describe_tags,
    },
    Action {
        name: "DescribeLaunchTemplates",
        parameters: &[
            "LaunchTemplateId",
            "LaunchTemplateName",
            "Filter",
            "MaxResults",
            "NextToken",
        ],
        run: templates::describe_launch_templates,
    },
    Action {
        name: "DescribeLaunchTemplateVersions",
        parameters: &[
            "LaunchTemplateId",
            "LaunchTemplateName",
            "LaunchTemplateVersion",
            "MaxResults",
            "NextToken",
        ],
        run: templates::describe_launch_template_versions,
    },
    Action {
        name: "CreateLaunchTemplate",
        parameters: &[
            "ClientToken",
            "LaunchTemplateName",
            "VersionDescription",
            "LaunchTemplateData",
            "TagSpecification",
        ],
        run: templates::create_launch_template,
    },
    Action {
        name: "CreateLaunchTemplateVersion",
        parameters: &[
            "ClientToken",
            "LaunchTemplateId",
            "LaunchTemplateName",
            "SourceVersion",
            "VersionDescription",
            "LaunchTemplateData",
        ],
        run: template_versions::create_launch_template_version,
    },
    Action {
        name: "ModifyLaunchTemplate",
        parameters: &[
            "LaunchTemplateId",
            "LaunchTemplateName",
            "ClientToken",
            "SetDefaultVersion",
        ],
        run: template_versions::modify_launch_template,
    },
    Action {
        name: "CreateSecurityGroup",
        parameters: &["GroupName", "GroupDescription", "VpcId", "TagSpecification"],
        run: groups::create_security_group,
    },
    Action {
        name: "DescribeSecurityGroups",
        parameters: &["GroupId", "GroupName", "Filter", "MaxResults", "NextToken"],
        run: groups::describe_security_groups,
    },
    Action {
        name: "AuthorizeSecurityGroupIngress",
        parameters: &["GroupId", "GroupName", "IpPermissions"],
        run: groups::authorize_security_group_ingress,
    },
    Action {
        name: "DeleteSecurityGroup",
        parameters: &["GroupId", "GroupName"],
        run: groups::delete_security_group,
    },
    Action {
        name: "DescribeSubnets",
        parameters: &["SubnetId", "Filter", "MaxResults", "NextToken"],
        run: subnets::describe_subnets,
    },
    Action {
        name: "DescribeSpotInstanceRequests",
        parameters: &["SpotInstanceRequestId", "Filter", "MaxResults", "NextToken"],
        run: spot::describe_spot_instance_requests,
    },
    Action {
        name: "DescribeSpotPriceHistory",
        parameters: &[
            "StartTime",
            "EndTime",
            "InstanceType",
            "ProductDescription",
            "AvailabilityZone",
            "Filter",
            "MaxResults",
            "NextToken",
        ],
        run: prices::describe_spot_price_history,
    },
    Action {
        name: "CancelSpotInstanceRequests",
        parameters: &["SpotInstanceRequestId"],
        run: spot::cancel_spot_instance_requests,
    },
];

/// The action of that name.
pub(super) fn action(name: &str) -> Option<&'static Ec2Action> {
    ACTIONS.iter().find(|action| action.name == name)
}

/// Checks what all actions have in common, then does what `action` does.
pub(super) fn perform(
    action: &Ec2Action,
    call: &mut Call<'_>,
    params: &Params,
) -> Result<Xml, ApiError> {
    for (name, _) in params.iter() {
        let top = name.split('.').next().unwrap_or(name);
        if !COMMON.contains(&top) && !action.parameters.contains(&top) {
            return Err(ApiError::client(
                "UnknownParameter",
                format!("The parameter {top} is not recognized"),
            ));
        }
    }
    if params.parsed::<bool>("DryRun")? == Some(true) {
        return Err(ApiError {
            code: "DryRunOperation".into(),
            message: "Request would have succeeded, but DryRun flag is set.".into(),
            status: 412,
        });
    }
    (action.run)(call, params)
}
