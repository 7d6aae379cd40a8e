//! Step Functions in this process: StartExecution and DescribeExecution over the executions that the world walks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    asl::Definition,
    walker::{Execution, Status},
};

/// The alias that executions are started through.
pub const STATE_MACHINE_ARN: &str =
    "arn:aws:states:us-east-1:123456789012:stateMachine:haulout-provision:live";
const EXECUTION_ARN: &str = "arn:aws:states:us-east-1:123456789012:execution:haulout-provision:";

/// The executions of one state machine.
#[derive(Debug, Clone)]
pub struct StepFunctions {
    /// The state machine.
    pub definition: Arc<Definition>,
    executions: Arc<Mutex<BTreeMap<String, Execution>>>,
}

impl StepFunctions {
    /// A state machine without executions.
    pub fn new(definition: Arc<Definition>) -> Self {
        Self {
            definition,
            executions: Arc::default(),
        }
    }

    /// The executions, by name.
    pub fn executions(&self) -> MutexGuard<'_, BTreeMap<String, Execution>> {
        self.executions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request: HTTP status and body.
    pub fn call(&self, action: &str, body: &[u8], now: Timestamp) -> (u16, String) {
        let answer = serde_json::from_slice::<Value>(body)
            .map_err(|error| ("SerializationException", error.to_string()))
            .and_then(|request| match action {
                "StartExecution" => self.start(&request, now),
                "DescribeExecution" => self.describe(&request),
                _ => Err(("UnknownOperationException", action.to_owned())),
            });
        match answer {
            Ok(body) => (200, body.to_string()),
            Err((code, message)) => (400, json!({"__type": code, "message": message}).to_string()),
        }
    }

    /// The same name and input answer as before while the execution runs; afterwards the name is taken for 90 days.
    fn start(&self, request: &Value, now: Timestamp) -> Answer {
        if word(request, "stateMachineArn")? != STATE_MACHINE_ARN {
            return Err((
                "StateMachineDoesNotExist",
                "no such state machine".to_owned(),
            ));
        }
        let name = word(request, "name")?;
        if name.is_empty() || name.len() > 80 {
            return Err(("InvalidName", name.to_owned()));
        }
        let input: Value = serde_json::from_str(word(request, "input")?)
            .map_err(|error| ("InvalidExecutionInput", error.to_string()))?;
        let mut executions = self.executions();
        match executions.get(name) {
            Some(before) if before.status == Status::Running && before.input == input => {}
            Some(_) => {
                return Err((
                    "ExecutionAlreadyExists",
                    format!("Execution Already Exists: '{name}'"),
                ));
            }
            None => {
                let execution = Execution::new(&self.definition, name, input, now);
                executions.insert(name.to_owned(), execution);
            }
        }
        Ok(json!({"executionArn": format!("{EXECUTION_ARN}{name}"), "startDate": now.as_second()}))
    }

    fn describe(&self, request: &Value) -> Answer {
        let arn = word(request, "executionArn")?;
        let executions = self.executions();
        let execution = arn
            .strip_prefix(EXECUTION_ARN)
            .and_then(|name| executions.get(name));
        let Some(execution) = execution else {
            return Err((
                "ExecutionDoesNotExist",
                format!("Execution Does Not Exist: '{arn}'"),
            ));
        };
        Ok(json!({
            "executionArn": arn,
            "stateMachineArn": STATE_MACHINE_ARN,
            "name": execution.name,
            "status": execution.status.as_str(),
            "startDate": 0,
        }))
    }
}

type Answer = Result<Value, (&'static str, String)>;

fn word<'a>(request: &'a Value, field: &str) -> Result<&'a str, (&'static str, String)> {
    let missing = || ("ValidationException", format!("{field} is missing"));
    request
        .get(field)
        .and_then(Value::as_str)
        .ok_or_else(missing)
}
