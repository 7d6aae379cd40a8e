//! Walks an execution of the state machine, one state at a time, on virtual time: what Step Functions does for the
//! state types that `statemachine/provision.asl.json` uses. It counts transitions as they are billed: each state
//! entered, and each repetition of a task.

use std::future::Future;

use haulout_aws::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    asl::{Definition, State, Task},
    jsonata::{Scope, Undefined},
};

/// The Lambda function behind the tasks.
pub trait Tasks {
    /// Invokes it; virtual time may pass meanwhile.
    fn invoke(
        &self,
        resource: &str,
        payload: Value,
    ) -> impl Future<Output = Result<Value, TaskError>>;
}

/// How a task failed, in Step Functions' words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskError {
    /// The error's name; of a Lambda function, the `errorType`.
    pub error: String,
    /// Its details; of a Lambda function, its error answer as JSON.
    pub cause: String,
}

impl TaskError {
    /// What the Lambda service or Step Functions itself reports.
    pub fn named(error: &str, cause: &str) -> Self {
        Self {
            error: error.to_owned(),
            cause: cause.to_owned(),
        }
    }

    /// An error that a function answered with.
    pub fn of_function(error_type: &str, error_message: &str) -> Self {
        let cause = json!({"errorType": error_type, "errorMessage": error_message});
        Self {
            error: error_type.to_owned(),
            cause: cause.to_string(),
        }
    }
}

impl From<Undefined> for TaskError {
    fn from(undefined: Undefined) -> Self {
        Self::named("States.QueryEvaluationError", &undefined.to_string())
    }
}

/// How an execution stands (Step Functions API, `ExecutionStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Under way.
    Running,
    /// Ended in a `Succeed`, or a last `Pass` or task.
    Succeeded,
    /// Ended in a `Fail`, or by an error that nothing caught.
    Failed,
    /// Took longer than the definition allows.
    TimedOut,
    /// Somebody stopped it.
    Aborted,
}

impl Status {
    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted => "ABORTED",
        }
    }
}

/// An execution.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Its name.
    pub name: String,
    /// Its input.
    pub input: Value,
    /// How it stands.
    pub status: Status,
    /// The state it is in.
    pub state: String,
    /// When it goes on.
    pub due: Timestamp,
    /// State transitions, as billed.
    pub transitions: u32,
    /// Why it failed.
    pub error: Option<TaskError>,
    /// The states it was in, with repetitions.
    pub history: Vec<String>,
    started: Timestamp,
    data: Value,
    stage: Stage,
}

/// Where in its state an execution is.
#[derive(Debug, Clone)]
enum Stage {
    Entering,
    Waiting,
    /// A task waits for its repetition; how often each retrier was used.
    Repeating(Vec<u32>),
}

impl Execution {
    /// A new execution.
    pub fn new(definition: &Definition, name: &str, input: Value, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            data: input.clone(),
            input,
            status: Status::Running,
            state: definition.start_at.clone(),
            due: now,
            transitions: 0,
            error: None,
            history: Vec::new(),
            started: now,
            stage: Stage::Entering,
        }
    }

    /// Takes it on by one state, or by one repetition of a task.
    pub async fn advance(&mut self, definition: &Definition, tasks: &impl Tasks, clock: &Clock) {
        let limit = SignedDuration::from_secs(i64::from(definition.timeout_seconds));
        if clock.now().duration_since(self.started) >= limit {
            self.status = Status::TimedOut;
            return;
        }
        let Some(state) = definition.states.get(&self.state) else {
            return self.fail(TaskError::named("States.Runtime", "no such state"));
        };
        if !matches!(self.stage, Stage::Waiting) {
            self.transitions += 1;
            self.history.push(self.state.clone());
        }
        self.due = clock.now();
        match state {
            State::Task(task) => self.run(task, tasks, clock).await,
            State::Wait(wait) => match std::mem::replace(&mut self.stage, Stage::Waiting) {
                Stage::Waiting => self.go(&wait.next, self.data.clone()),
                _ => match wait.seconds.evaluate(&self.scope(&self.context())) {
                    Ok(seconds) => self.wait(&seconds),
                    Err(undefined) => self.fail(undefined.into()),
                },
            },
            State::Choice(choice) => {
                let context = self.context();
                let scope = self.scope(&context);
                let branch = choice
                    .choices
                    .iter()
                    .find(|branch| branch.condition.holds(&scope));
                match branch
                    .map(|branch| &branch.next)
                    .or(choice.default.as_ref())
                {
                    Some(next) => self.go(next, self.data.clone()),
                    None => self.fail(TaskError::named(
                        "States.NoChoiceMatched",
                        "no branch applies",
                    )),
                }
            }
            State::Pass(pass) => {
                let context = self.context();
                let output = pass
                    .output
                    .as_ref()
                    .map(|output| output.evaluate(&self.scope(&context)));
                match (output.transpose(), &pass.next) {
                    (Err(undefined), _) => self.fail(undefined.into()),
                    (Ok(output), Some(next)) => {
                        self.go(next, output.unwrap_or_else(|| self.data.clone()));
                    }
                    (Ok(_), None) => self.status = Status::Succeeded,
                }
            }
            State::Succeed(_) => self.status = Status::Succeeded,
            State::Fail(fail) => self.fail(TaskError::named(&fail.error, &fail.cause)),
        }
    }

    /// Not another one that was started later under the same name.
    pub fn is_same_run(&self, other: &Self) -> bool {
        self.started == other.started
    }

    /// Stops it where it is.
    pub fn abort(&mut self) {
        self.status = Status::Aborted;
    }

    async fn run(&mut self, task: &Task, tasks: &impl Tasks, clock: &Clock) {
        let used = match std::mem::replace(&mut self.stage, Stage::Entering) {
            Stage::Repeating(used) => used,
            _ => vec![0; task.retry.len()],
        };
        let result = match task.arguments.evaluate(&self.scope(&self.context())) {
            Ok(payload) => in_time(task, clock, tasks.invoke(&task.resource, payload)).await,
            Err(undefined) => Err(undefined.into()),
        };
        self.due = clock.now();
        match result {
            Ok(result) => self.go(&task.next, result),
            Err(error) => self.task_failed(task, used, error, clock.now()),
        }
    }

    fn task_failed(&mut self, task: &Task, mut used: Vec<u32>, error: TaskError, now: Timestamp) {
        let retrier = task
            .retry
            .iter()
            .zip(&mut used)
            .find(|(retrier, _)| matches_any(&retrier.error_equals, &error.error));
        if let Some((retrier, count)) = retrier
            && *count < retrier.max_attempts
        {
            self.due = later(now, retrier.delay_seconds(*count));
            *count += 1;
            self.stage = Stage::Repeating(used);
            return;
        }
        let catcher = task
            .catch
            .iter()
            .find(|catcher| matches_any(&catcher.error_equals, &error.error));
        let Some(catcher) = catcher else {
            return self.fail(error);
        };
        let caught = json!({"Error": error.error, "Cause": error.cause});
        let context = self.context();
        let scope = Scope {
            error_output: Some(&caught),
            ..self.scope(&context)
        };
        match catcher.output.evaluate(&scope) {
            Ok(output) => self.go(&catcher.next, output),
            Err(undefined) => self.fail(undefined.into()),
        }
    }

    fn wait(&mut self, seconds: &Value) {
        match seconds
            .as_u64()
            .and_then(|seconds| u32::try_from(seconds).ok())
        {
            Some(seconds) => self.due = later(self.due, seconds),
            None => self.fail(TaskError::named(
                "States.QueryEvaluationError",
                "Seconds is not a number",
            )),
        }
    }

    fn go(&mut self, next: &str, data: Value) {
        next.clone_into(&mut self.state);
        self.data = data;
        self.stage = Stage::Entering;
    }

    fn fail(&mut self, error: TaskError) {
        self.status = Status::Failed;
        self.error = Some(error);
    }

    fn context(&self) -> Value {
        json!({"Execution": {"Name": self.name, "Input": self.input}})
    }

    fn scope<'a>(&'a self, context: &'a Value) -> Scope<'a> {
        Scope {
            input: &self.data,
            result: None,
            error_output: None,
            context,
        }
    }
}

/// A task that takes longer than it may has failed, whatever became of it.
async fn in_time(
    task: &Task,
    clock: &Clock,
    work: impl Future<Output = Result<Value, TaskError>>,
) -> Result<Value, TaskError> {
    let started = clock.now();
    let result = work.await;
    let limit = SignedDuration::from_secs(i64::from(task.timeout_seconds));
    if clock.now().duration_since(started) >= limit {
        return Err(TaskError::named("States.Timeout", ""));
    }
    result
}

fn later(now: Timestamp, seconds: u32) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(i64::from(seconds)))
        .unwrap_or(Timestamp::MAX)
}

/// Whether an error's name is among those of a `Retry` or `Catch`.
fn matches_any(names: &[String], error: &str) -> bool {
    names.iter().any(|name| match name.as_str() {
        "States.ALL" => !matches!(error, "States.DataLimitExceeded" | "States.Runtime"),
        "States.TaskFailed" => error != "States.Timeout",
        name => name == error,
    })
}
