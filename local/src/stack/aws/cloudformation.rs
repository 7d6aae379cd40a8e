//! CloudFormation's query protocol: forms in, XML out.

use hyper::Method;
use hyper::header::CONTENT_TYPE;
use serde::Deserialize;

use super::{Aws, accepted};
use crate::stack::error::StackError;

/// A stack as DescribeStacks tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::stack) struct StackState {
    /// E.g. `CREATE_COMPLETE`.
    pub(in crate::stack) stack_status: String,
    #[serde(default)]
    outputs: Outputs,
}

#[derive(Debug, Default, Deserialize)]
struct Outputs {
    #[serde(default)]
    member: Vec<Output>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    output_key: String,
    output_value: String,
}

impl StackState {
    /// The value of an output of the template.
    pub(in crate::stack) fn output(&self, key: &str) -> Result<&str, StackError> {
        let output = self
            .outputs
            .member
            .iter()
            .find(|output| output.output_key == key);
        let missing = || StackError::Deploy {
            reason: format!("it has no output {key}"),
        };
        output
            .map(|output| output.output_value.as_str())
            .ok_or_else(missing)
    }
}

/// What happened to a resource.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::stack) struct StackEvent {
    pub(in crate::stack) logical_resource_id: String,
    pub(in crate::stack) resource_status: String,
    #[serde(default)]
    pub(in crate::stack) resource_status_reason: String,
}

impl Aws {
    /// Creates or updates a stack.
    pub(in crate::stack) async fn deploy_stack(
        &self,
        action: &str,
        parameters: &[(String, String)],
    ) -> Result<(), StackError> {
        self.cloudformation(action, parameters).await.map(drop)
    }

    /// The stack, if there is one.
    pub(in crate::stack) async fn stack(
        &self,
        name: &str,
    ) -> Result<Option<StackState>, StackError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            describe_stacks_result: DescribeStacks,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct DescribeStacks {
            stacks: Stacks,
        }
        #[derive(Deserialize)]
        struct Stacks {
            #[serde(default)]
            member: Vec<StackState>,
        }
        let answer = self
            .cloudformation("DescribeStacks", &[("StackName".into(), name.into())])
            .await;
        let text = match answer {
            Err(StackError::Refused { body, .. }) if body.contains("does not exist") => {
                return Ok(None);
            }
            answer => answer?,
        };
        let answer: Answer = understand("DescribeStacks", &text)?;
        Ok(answer
            .describe_stacks_result
            .stacks
            .member
            .into_iter()
            .next())
    }

    /// What happened to the stack's resources, newest first.
    pub(in crate::stack) async fn stack_events(
        &self,
        name: &str,
    ) -> Result<Vec<StackEvent>, StackError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            describe_stack_events_result: DescribeStackEvents,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct DescribeStackEvents {
            stack_events: StackEvents,
        }
        #[derive(Deserialize)]
        struct StackEvents {
            #[serde(default)]
            member: Vec<StackEvent>,
        }
        let text = self
            .cloudformation("DescribeStackEvents", &[("StackName".into(), name.into())])
            .await?;
        let answer: Answer = understand("DescribeStackEvents", &text)?;
        Ok(answer.describe_stack_events_result.stack_events.member)
    }

    async fn cloudformation(
        &self,
        action: &str,
        parameters: &[(String, String)],
    ) -> Result<String, StackError> {
        let common = [
            ("Action".to_owned(), action.to_owned()),
            ("Version".to_owned(), "2010-05-15".to_owned()),
        ];
        let form: Vec<&(String, String)> = common.iter().chain(parameters).collect();
        let body = serde_urlencoded::to_string(form).map_err(|error| StackError::Answer {
            call: action.into(),
            why: error.to_string(),
        })?;
        let request = self.request("cloudformation", Method::POST, "/").header(
            CONTENT_TYPE,
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        let answer = self.send(action, request, body.into()).await?;
        accepted(action, &answer)?;
        Ok(String::from_utf8_lossy(answer.body()).into_owned())
    }
}

fn understand<'de, T: Deserialize<'de>>(call: &str, xml: &'de str) -> Result<T, StackError> {
    quick_xml::de::from_str(xml).map_err(|error| StackError::Answer {
        call: call.into(),
        why: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_without_outputs_is_understood() {
        let xml = "<S><StackStatus>CREATE_IN_PROGRESS</StackStatus><Outputs></Outputs></S>";
        let state: StackState = understand("DescribeStacks", xml).unwrap();
        assert_eq!(state.stack_status, "CREATE_IN_PROGRESS");
        assert!(matches!(
            state.output("ApiId"),
            Err(StackError::Deploy { .. })
        ));
    }

    #[test]
    fn outputs_are_found_by_name() {
        let xml = "<S><StackName>haulout</StackName><StackStatus>X</StackStatus><Outputs>\
            <member><OutputKey>A</OutputKey><OutputValue>1</OutputValue></member>\
            <member><OutputKey>B</OutputKey><OutputValue>2</OutputValue><Description>d</Description></member>\
            </Outputs></S>";
        let state: StackState = understand("DescribeStacks", xml).unwrap();
        assert_eq!(state.output("B").unwrap(), "2");
    }
}
