//! What each operation of the SDK needs: IAM actions, and on what. Every operation that `shared/aws` calls is here; one
//! that is not is an error, so that whoever adds a call looks up what it needs.
//!
//! Source, unless another one is named: AWS Service Authorization Reference, "Actions, resources, and condition keys for"
//! the service (<https://docs.aws.amazon.com/service-authorization/latest/reference/>).

/// The table that a call names.
pub(super) const TABLE: &str = "the table";
/// The index that a query names, or the table if it names none.
pub(super) const INDEX: &str = "the index";
/// The service authorizes the action for all of its resources or for none.
const ALL: &[&str] = &["*"];

/// What an operation needs: actions, each with its places as in [`super::policy::Right`], but for these. [`TABLE`] and
/// [`INDEX`] are what the call names; one word alone (`secret`, `objects`) stands for any resource of that kind; what begins
/// with `?` may be granted but need not be.
pub(super) type Needs = &'static [(&'static str, &'static [&'static str])];

/// Operations by service, as its SDK crate calls it, and name. Parts of a transaction count as operations.
pub(super) const OPERATIONS: &[(&str, Needs)] = &[
    // DynamoDB. A transaction has no action of its own: its parts need those of the operations they are like
    // (DynamoDB Developer Guide, "Using IAM with DynamoDB transactions").
    (
        "dynamodb:BatchGetItem",
        &[("dynamodb:BatchGetItem", &[TABLE])],
    ),
    ("dynamodb:DeleteItem", &[("dynamodb:DeleteItem", &[TABLE])]),
    ("dynamodb:GetItem", &[("dynamodb:GetItem", &[TABLE])]),
    ("dynamodb:PutItem", &[("dynamodb:PutItem", &[TABLE])]),
    ("dynamodb:UpdateItem", &[("dynamodb:UpdateItem", &[TABLE])]),
    ("dynamodb:Query", &[("dynamodb:Query", &[INDEX])]),
    ("dynamodb:TransactWriteItems", &[]),
    (
        "dynamodb:TransactWriteItems/Put",
        &[("dynamodb:PutItem", &[TABLE])],
    ),
    (
        "dynamodb:TransactWriteItems/Update",
        &[("dynamodb:UpdateItem", &[TABLE])],
    ),
    (
        "dynamodb:TransactWriteItems/Delete",
        &[("dynamodb:DeleteItem", &[TABLE])],
    ),
    (
        "dynamodb:TransactWriteItems/ConditionCheck",
        &[("dynamodb:ConditionCheckItem", &[TABLE])],
    ),
    // EC2. Describe actions have no resource-level permissions.
    ("ec2:DescribeImages", &[("ec2:DescribeImages", ALL)]),
    ("ec2:DescribeInstances", &[("ec2:DescribeInstances", ALL)]),
    (
        "ec2:DescribeInstanceStatus",
        &[("ec2:DescribeInstanceStatus", ALL)],
    ),
    // ResolveAlias reads the parameter that stands for the AMI with the caller's permissions (Amazon EC2 Auto Scaling User
    // Guide, "Use AWS Systems Manager parameters instead of AMI IDs in launch templates").
    (
        "ec2:DescribeLaunchTemplateVersions",
        &[
            ("ec2:DescribeLaunchTemplateVersions", ALL),
            ("ssm:GetParameters", &["ssm parameter"]),
        ],
    ),
    (
        "ec2:DescribeSecurityGroups",
        &[("ec2:DescribeSecurityGroups", ALL)],
    ),
    (
        "ec2:DescribeSpotInstanceRequests",
        &[("ec2:DescribeSpotInstanceRequests", ALL)],
    ),
    (
        "ec2:DescribeSpotPriceHistory",
        &[("ec2:DescribeSpotPriceHistory", ALL)],
    ),
    ("ec2:DescribeSubnets", &[("ec2:DescribeSubnets", ALL)]),
    // All that a launch makes or names, tagging what it makes (EC2 User Guide, "Grant permission to tag Amazon EC2
    // resources during creation"), an instance profile's role (IAM User Guide, "Grant a user permissions to pass a role to
    // an AWS service"), a template whose AMI is a parameter, and the role that EC2 makes for the first spot instance of an
    // account (EC2 User Guide, "Service-linked role for Spot Instance requests").
    (
        "ec2:RunInstances",
        &[
            (
                "ec2:RunInstances",
                &[
                    "ec2 image",
                    "ec2 instance",
                    "ec2 key-pair",
                    "ec2 launch-template",
                    "ec2 network-interface",
                    "ec2 security-group",
                    "ec2 snapshot",
                    "ec2 spot-instances-request",
                    "ec2 subnet",
                    "ec2 volume",
                ],
            ),
            (
                "ec2:CreateTags",
                &["ec2 instance", "ec2 spot-instances-request", "ec2 volume"],
            ),
            ("iam:PassRole", &["role"]),
            (
                "iam:CreateServiceLinkedRole",
                &["service-role spot.amazonaws.com"],
            ),
            ("ssm:GetParameters", &["ssm parameter"]),
        ],
    ),
    (
        "ec2:StartInstances",
        &[("ec2:StartInstances", &["ec2 instance"])],
    ),
    (
        "ec2:StopInstances",
        &[("ec2:StopInstances", &["ec2 instance"])],
    ),
    (
        "ec2:TerminateInstances",
        &[("ec2:TerminateInstances", &["ec2 instance"])],
    ),
    (
        "ec2:CreateSecurityGroup",
        &[
            (
                "ec2:CreateSecurityGroup",
                &["ec2 security-group", "ec2 vpc"],
            ),
            ("ec2:CreateTags", &["ec2 security-group"]),
        ],
    ),
    (
        "ec2:AuthorizeSecurityGroupIngress",
        &[("ec2:AuthorizeSecurityGroupIngress", &["ec2 security-group"])],
    ),
    (
        "ec2:DeleteSecurityGroup",
        &[("ec2:DeleteSecurityGroup", &["ec2 security-group"])],
    ),
    // Auto Scaling.
    (
        "autoscaling:DescribeAutoScalingGroups",
        &[("autoscaling:DescribeAutoScalingGroups", ALL)],
    ),
    (
        "autoscaling:SetDesiredCapacity",
        &[("autoscaling:SetDesiredCapacity", GROUP)],
    ),
    (
        "autoscaling:SetInstanceProtection",
        &[("autoscaling:SetInstanceProtection", GROUP)],
    ),
    (
        "autoscaling:SuspendProcesses",
        &[("autoscaling:SuspendProcesses", GROUP)],
    ),
    (
        "autoscaling:TerminateInstanceInAutoScalingGroup",
        &[("autoscaling:TerminateInstanceInAutoScalingGroup", GROUP)],
    ),
    (
        "autoscaling:UpdateAutoScalingGroup",
        &[("autoscaling:UpdateAutoScalingGroup", GROUP)],
    ),
    // Systems Manager. A command needs the document and the instance; following it has no resource-level permissions.
    ("ssm:CancelCommand", &[("ssm:CancelCommand", ALL)]),
    (
        "ssm:DescribeInstanceInformation",
        &[("ssm:DescribeInstanceInformation", ALL)],
    ),
    (
        "ssm:GetCommandInvocation",
        &[("ssm:GetCommandInvocation", ALL)],
    ),
    (
        "ssm:GetParameter",
        &[("ssm:GetParameter", &["ssm parameter"])],
    ),
    (
        "ssm:SendCommand",
        &[("ssm:SendCommand", &["ec2 instance", "ssm document"])],
    ),
    // CloudWatch.
    (
        "cloudwatch:GetMetricData",
        &[("cloudwatch:GetMetricData", ALL)],
    ),
    // Step Functions authorizes what is asked of an alias by its state machine's ARN (Step Functions Developer Guide,
    // "Authorization for versions and aliases"); the alias beside it does no harm.
    (
        "sfn:StartExecution",
        &[("states:StartExecution", &["machine", "?alias"])],
    ),
    (
        "sfn:DescribeExecution",
        &[("states:DescribeExecution", &["states execution"])],
    ),
    // SNS. The topic has no key.
    ("sns:Publish", &[("sns:Publish", &["topic"])]),
    // Secrets Manager, with a customer's key: it makes a data key for each new value, and decrypts the one in use
    // (Secrets Manager User Guide, "Secret encryption and decryption", permissions for the KMS key).
    (
        "secretsmanager:GetSecretValue",
        &[
            ("secretsmanager:GetSecretValue", &["secret"]),
            ("kms:Decrypt", &["key by secretsmanager"]),
        ],
    ),
    (
        "secretsmanager:PutSecretValue",
        &[
            ("secretsmanager:PutSecretValue", &["secret"]),
            ("kms:Decrypt", &["key by secretsmanager"]),
            ("kms:GenerateDataKey", &["key by secretsmanager"]),
        ],
    ),
    // S3, with a customer's key (S3 API, "Permissions" of each operation; S3 User Guide, "Multipart upload API and
    // permissions"). Who sends a signed URL does it with the permissions of who signed it (S3 User Guide, "Download and
    // upload objects with presigned URLs"): signing one counts as the call. Without s3:ListBucket a missing object is
    // 403 instead of 404.
    (
        "s3:AbortMultipartUpload",
        &[("s3:AbortMultipartUpload", &["objects"])],
    ),
    (
        "s3:CompleteMultipartUpload",
        &[
            ("s3:PutObject", &["objects"]),
            ("kms:Decrypt", &["key by s3"]),
        ],
    ),
    (
        "s3:CreateMultipartUpload",
        &[
            ("s3:PutObject", &["objects"]),
            ("kms:Decrypt", &["key by s3"]),
            ("kms:GenerateDataKey", &["key by s3"]),
        ],
    ),
    ("s3:DeleteObject", &[("s3:DeleteObject", &["objects"])]),
    (
        "s3:GetObject",
        &[
            ("s3:GetObject", &["objects"]),
            ("s3:ListBucket", &["bucket"]),
            ("kms:Decrypt", &["key by s3"]),
        ],
    ),
    // The checksum of an encrypted object takes kms:Decrypt.
    (
        "s3:HeadObject",
        &[
            ("s3:GetObject", &["objects"]),
            ("s3:ListBucket", &["bucket"]),
            ("kms:Decrypt", &["key by s3"]),
        ],
    ),
    ("s3:ListObjectsV2", &[("s3:ListBucket", &["bucket"])]),
    (
        "s3:ListParts",
        &[
            ("s3:ListMultipartUploadParts", &["objects"]),
            ("kms:Decrypt", &["key by s3"]),
        ],
    ),
    (
        "s3:UploadPart",
        &[
            ("s3:PutObject", &["objects"]),
            ("kms:Decrypt", &["key by s3"]),
            ("kms:GenerateDataKey", &["key by s3"]),
        ],
    ),
];

const GROUP: &[&str] = &["autoscaling autoScalingGroup"];

/// What an operation needs; nothing when it is not in the table.
pub(super) fn needs(operation: &str) -> Option<Needs> {
    let found = OPERATIONS.iter().find(|(name, _)| *name == operation);
    found.map(|(_, needs)| *needs)
}
