//! The walker of the state machine, held against what the Amazon States Language says.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    time::Duration,
};

use haulout_aws::clock::Clock;
use haulout_local::sim;
use haulout_tests::{
    asl::{Definition, State},
    template,
    walker::{Execution, Status, TaskError, Tasks},
};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// A function that answers what it is told to, one after the other, the last one for good.
struct Scripted {
    answers: Vec<Result<Value, TaskError>>,
    calls: RefCell<Vec<Value>>,
    takes: Cell<Duration>,
    clock: sim::Clock,
}

impl Tasks for Scripted {
    async fn invoke(&self, resource: &str, payload: Value) -> Result<Value, TaskError> {
        assert_eq!(resource, "arn");
        let mut calls = self.calls.borrow_mut();
        calls.push(payload);
        self.clock.advance(self.takes.get());
        self.answers[(calls.len() - 1).min(self.answers.len() - 1)].clone()
    }
}

fn error(name: &str) -> Result<Value, TaskError> {
    Err(TaskError::of_function(name, "what happened"))
}

/// A definition of one task, and of states to end in.
fn task(retry: &Value, catch: &Value) -> Definition {
    let definition = json!({
        "QueryLanguage": "JSONata",
        "StartAt": "Do",
        "TimeoutSeconds": 1_000,
        "States": {
            "Do": {
                "Type": "Task",
                "Resource": "arn",
                "Arguments": {"step": "do", "id": "{% $states.context.Execution.Input.id %}"},
                "TimeoutSeconds": 70,
                "Retry": retry,
                "Catch": catch,
                "Next": "Which",
            },
            "Which": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $states.input.next = 'wait' %}", "Next": "Rest"}],
                "Default": "Good",
            },
            "Rest": {"Type": "Wait", "Seconds": "{% $states.input.seconds %}", "Next": "Good"},
            "Good": {"Type": "Succeed"},
            "Bad": {"Type": "Fail", "Error": "Bad", "Cause": "as told"},
        },
    });
    Definition::parse(&definition.to_string()).unwrap()
}

fn retrier(errors: &[&str], max_attempts: u32) -> Value {
    json!({
        "ErrorEquals": errors,
        "IntervalSeconds": 2,
        "BackoffRate": 2,
        "MaxAttempts": max_attempts,
        "MaxDelaySeconds": 10,
        "JitterStrategy": "FULL",
    })
}

fn catcher(errors: &[&str]) -> Value {
    json!({"ErrorEquals": errors, "Output": "{% $states.errorOutput %}", "Next": "Which"})
}

/// Walks to the end; the execution, what the function was sent, and the seconds that passed.
async fn walk(
    definition: &Definition,
    answers: Vec<Result<Value, TaskError>>,
) -> (Execution, Vec<Value>, i64) {
    walk_slowly(definition, answers, Duration::ZERO).await
}

async fn walk_slowly(
    definition: &Definition,
    answers: Vec<Result<Value, TaskError>>,
    takes: Duration,
) -> (Execution, Vec<Value>, i64) {
    let time = sim::Clock::manual();
    let started = time.now();
    let function = Scripted {
        answers,
        calls: RefCell::default(),
        takes: Cell::new(takes),
        clock: time.clone(),
    };
    let mut execution = Execution::new(definition, "name", json!({"id": 7}), started);
    let now = time.clone();
    let clock = Clock::from_fn(move || now.now());
    while execution.status == Status::Running {
        time.advance(
            execution
                .due
                .duration_since(time.now())
                .try_into()
                .unwrap_or_default(),
        );
        execution.advance(definition, &function, &clock).await;
    }
    let passed: SignedDuration = time.now().duration_since(started);
    (execution, function.calls.into_inner(), passed.as_secs())
}

#[tokio::test]
async fn a_task_gets_its_arguments_and_hands_on_its_answer() {
    let definition = task(&json!([]), &json!([]));
    let (execution, calls, passed) =
        walk(&definition, vec![Ok(json!({"next": "wait", "seconds": 5}))]).await;
    assert_eq!(calls, [json!({"step": "do", "id": 7})]);
    assert_eq!(execution.status, Status::Succeeded);
    assert_eq!(execution.history, ["Do", "Which", "Rest", "Good"]);
    assert_eq!((execution.transitions, passed), (4, 5));
}

#[tokio::test]
async fn a_choice_without_a_match_takes_its_default() {
    let definition = task(&json!([]), &json!([]));
    for answer in [
        json!({"next": "other"}),
        json!({}),
        json!({"next": 3}),
        Value::Null,
    ] {
        let (execution, ..) = walk(&definition, vec![Ok(answer)]).await;
        assert_eq!(execution.history, ["Do", "Which", "Good"]);
    }
}

#[tokio::test]
async fn repetitions_back_off_and_are_billed() {
    let definition = task(&json!([retrier(&["Busy"], 5)]), &json!([]));
    let (execution, calls, passed) = walk(&definition, vec![error("Busy")]).await;
    assert_eq!(calls.len(), 6);
    assert_eq!(execution.transitions, 6);
    assert_eq!(passed, 2 + 4 + 8 + 10 + 10);
    assert_eq!(execution.status, Status::Failed);
    assert_eq!(execution.error.unwrap().error, "Busy");
}

#[tokio::test]
async fn each_retrier_counts_for_itself() {
    let retry = json!([retrier(&["Busy"], 2), retrier(&["Gone"], 1)]);
    let answers = [error("Busy"), error("Gone"), error("Busy"), Ok(json!({}))].to_vec();
    let (execution, calls, _) = walk(&task(&retry, &json!([])), answers).await;
    assert_eq!((execution.status, calls.len()), (Status::Succeeded, 4));
    let (execution, calls, _) = walk(
        &task(&retry, &json!([])),
        [error("Gone"), error("Gone")].to_vec(),
    )
    .await;
    assert_eq!((execution.status, calls.len()), (Status::Failed, 2));
}

#[tokio::test]
async fn what_is_caught_is_handed_on() {
    let definition = task(
        &json!([]),
        &json!([catcher(&["Other"]), catcher(&["States.ALL"])]),
    );
    let (execution, ..) = walk(&definition, vec![error("Busy")]).await;
    assert_eq!(execution.status, Status::Succeeded);
    assert_eq!(execution.history, ["Do", "Which", "Good"]);
}

#[tokio::test]
async fn not_everything_is_caught_by_all() {
    for (name, caught) in [
        ("States.Runtime", false),
        ("States.DataLimitExceeded", false),
        ("States.Timeout", true),
        ("Lambda.Unknown", true),
    ] {
        let definition = task(&json!([]), &json!([catcher(&["States.ALL"])]));
        let (execution, ..) = walk(&definition, vec![error(name)]).await;
        assert_eq!(execution.status == Status::Succeeded, caught, "{name}");
    }
    let definition = task(&json!([]), &json!([catcher(&["States.TaskFailed"])]));
    assert_eq!(
        walk(&definition, vec![error("Any")]).await.0.status,
        Status::Succeeded
    );
    assert_eq!(
        walk(&definition, vec![error("States.Timeout")])
            .await
            .0
            .status,
        Status::Failed
    );
}

#[tokio::test]
async fn a_task_that_takes_too_long_has_failed() {
    let definition = task(&json!([]), &json!([]));
    let (execution, ..) =
        walk_slowly(&definition, vec![Ok(json!({}))], Duration::from_secs(70)).await;
    assert_eq!(execution.error.unwrap().error, "States.Timeout");
    let (execution, ..) =
        walk_slowly(&definition, vec![Ok(json!({}))], Duration::from_secs(69)).await;
    assert_eq!(execution.status, Status::Succeeded);
}

#[tokio::test]
async fn an_execution_that_takes_too_long_is_timed_out() {
    let definition = task(&json!([]), &json!([]));
    let (execution, ..) = walk(
        &definition,
        vec![Ok(json!({"next": "wait", "seconds": 1_000}))],
    )
    .await;
    assert_eq!(execution.status, Status::TimedOut);
}

#[tokio::test]
async fn an_expression_without_a_value_is_an_error() {
    let definition = task(&json!([]), &json!([]));
    for answer in [
        json!({"next": "wait"}),
        json!({"next": "wait", "seconds": "soon"}),
        json!({"next": "wait", "seconds": -1}),
    ] {
        let (execution, ..) = walk(&definition, vec![Ok(answer)]).await;
        assert_eq!(
            execution.error.unwrap().error,
            "States.QueryEvaluationError"
        );
    }
}

#[test]
fn what_the_walker_does_not_know_is_refused() {
    let good = json!({
        "QueryLanguage": "JSONata",
        "StartAt": "A",
        "TimeoutSeconds": 10,
        "States": {"A": {"Type": "Wait", "Seconds": 1, "Next": "B"}, "B": {"Type": "Succeed"}},
    });
    assert!(Definition::parse(&good.to_string()).is_ok());
    let refused = |change: fn(&mut Value)| {
        let mut definition = good.clone();
        change(&mut definition);
        assert!(
            Definition::parse(&definition.to_string()).is_err(),
            "{definition}"
        );
    };
    refused(|it| it["QueryLanguage"] = json!("JSONPath"));
    refused(|it| it["StartAt"] = json!("C"));
    refused(|it| it["States"]["A"]["Next"] = json!("C"));
    refused(|it| it["States"]["A"]["Assign"] = json!({"x": 1}));
    refused(|it| it["States"]["A"]["Seconds"] = json!("{% $states.input.seconds + 1 %}"));
    refused(|it| it["States"]["A"]["Seconds"] = json!("{% $now() %}"));
    refused(|it| it["States"]["B"]["Output"] = json!({}));
    refused(|it| it["States"]["B"]["Type"] = json!("Map"));
    refused(|it| it["States"]["B"]["Comment"] = json!("${Left}"));
}

/// What the definition promises: every task can be repeated and every failure leads to the clean-up.
#[test]
fn the_definition_catches_what_its_tasks_can_meet() {
    let path = template::root().join("statemachine/provision.asl.json");
    let definition = Definition::load(&path, "arn").unwrap();
    let mut reached = BTreeSet::from([definition.start_at.as_str()]);
    let mut open = vec![definition.start_at.as_str()];
    while let Some(name) = open.pop() {
        open.extend(
            definition.states[name]
                .successors()
                .into_iter()
                .filter(|next| reached.insert(next)),
        );
    }
    assert_eq!(
        reached.len(),
        definition.states.len(),
        "every state is reached"
    );
    for (name, state) in &definition.states {
        let State::Task(task) = state else { continue };
        let retried: BTreeSet<&str> = task
            .retry
            .iter()
            .flat_map(|retrier| &retrier.error_equals)
            .map(String::as_str)
            .collect();
        for error in [
            "Throttled",
            "Unavailable",
            "Conflict",
            "Lambda.Unknown",
            "Runtime.ExitError",
            "Sandbox.Timedout",
        ] {
            assert!(retried.contains(error), "{name} does not repeat on {error}");
        }
        assert!(
            task.catch
                .iter()
                .any(|catcher| catcher.error_equals == ["States.ALL"]),
            "{name}"
        );
        assert!(
            task.timeout_seconds > 60,
            "{name} gives up before the function does"
        );
    }
}
