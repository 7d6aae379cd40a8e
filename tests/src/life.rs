//! How time passes in a test world: the clock jumps to what is due next, and that happens.

use std::{
    future::{Future, poll_fn},
    sync::{MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use haulout_aws::clock::Clock;
use haulout_domain::{
    ids::MachineId,
    machine::Machine,
    status::{Desired, Status as MachineStatus},
};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    agenda::{Agenda, Job},
    lambda::{execution_event, schedule_event},
    walker::{Execution, Status},
    world::World,
};

impl World {
    /// Something is to happen so much later than now.
    pub fn plan(&self, after: Duration, job: Job) {
        let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX);
        let at = self
            .clock
            .now()
            .saturating_add(after)
            .unwrap_or(Timestamp::MAX);
        self.agenda().add(at, job);
    }

    /// Something is to happen once, when an invocation has stalled.
    pub fn plan_during_stall(&self, job: Job) {
        self.agenda().set_during_stall(job);
    }

    pub(crate) fn on_stall(&self) {
        let now = self.clock.now();
        self.agenda().on_stall(now);
    }

    /// Asks for a machine, as a caller does; its id, if there was an answer.
    pub async fn create(&self, body: &Value) -> Option<MachineId> {
        let (status, body) = self
            .request(Method::POST, "/instances", None, Some(body))
            .await?;
        body["id"].as_str().filter(|_| status == 202)?.parse().ok()
    }

    /// Deletes a machine, as a caller does; the answer's status, if there was one.
    pub async fn delete(&self, id: &MachineId) -> Option<u16> {
        let (status, _) = self
            .request(Method::DELETE, &format!("/instances/{id}"), None, None)
            .await?;
        Some(status)
    }

    /// Starts or stops a machine, as a caller does; the answer's status, if there was one.
    pub async fn post(&self, id: &MachineId, verb: &str) -> Option<u16> {
        let (status, _) = self
            .request(Method::POST, &format!("/instances/{id}/{verb}"), None, None)
            .await?;
        Some(status)
    }

    /// From now on, events of EC2's are lost, late, or come twice, as a seed decides; or no more.
    pub fn lead_events_astray(&self, seed: Option<u64>) {
        self.agenda().lead_astray(seed);
    }

    /// All events of EC2's so far, delivered or not.
    pub fn ec2_events(&self) -> Vec<Value> {
        self.agenda().ec2_events().to_vec()
    }

    /// The writes of records from this one on, as the stream tells them.
    pub fn writes_from(&self, first: usize) -> Vec<Value> {
        self.collect_events();
        self.agenda().writes().iter().skip(first).cloned().collect()
    }

    /// What has changed becomes events on their way.
    fn collect_events(&self) {
        let now = self.clock.now();
        let records = self.dynamo.new_stream_records();
        let projects = self.dynamo.new_project_records();
        let mut agenda = self.agenda();
        if self.refresh.pool.is_some() {
            agenda.projects_written(projects, now);
        }
        agenda.written(records, now);
        for event in self.sim.events_due(now) {
            agenda.ec2_changed(event.body(), now);
        }
    }

    /// Lets whatever is due next happen; false if nothing ever is.
    pub async fn tick(&self) -> bool {
        let Some(next) = self.next_due() else {
            return false;
        };
        self.advance_to(next);
        self.collect_events();
        let now = self.clock.now();
        let mut jobs: Vec<Job> = self
            .stepfunctions
            .executions()
            .values()
            .filter(|execution| execution.status == Status::Running && execution.due <= now)
            .map(|execution| Job::Execution(execution.name.clone()))
            .collect();
        jobs.extend(self.agenda().take_due(now));
        if self.gate.is_shuffled() {
            together(jobs.into_iter().map(|job| self.happen(job))).await;
        } else {
            for job in jobs {
                Box::pin(self.happen(job)).await;
            }
        }
        self.collect_events();
        true
    }

    /// Lets time pass until something is so, for so long at most; whether it came to be.
    pub async fn until(&self, limit: Duration, mut so: impl AsyncFnMut(&Self) -> bool) -> bool {
        let limit = SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX);
        let end = self
            .clock
            .now()
            .saturating_add(limit)
            .unwrap_or(Timestamp::MAX);
        while !so(self).await {
            if self.clock.now() >= end {
                return false;
            }
            if self.next_due().is_none_or(|due| due > end) {
                self.advance_to(end);
                return so(self).await;
            }
            self.tick().await;
        }
        true
    }

    /// Lets time pass until every record has come to its end and nothing is under way, for so long at most.
    pub async fn settle(&self, limit: Duration) -> bool {
        self.until(limit, async |world| {
            world.is_idle() && world.machines().await.iter().all(is_settled)
        })
        .await
    }

    /// No execution runs and nothing but the schedule is to come.
    pub fn is_idle(&self) -> bool {
        let executions = self.stepfunctions.executions();
        self.agenda().is_idle()
            && executions
                .values()
                .all(|execution| execution.status != Status::Running)
    }

    fn next_due(&self) -> Option<Timestamp> {
        let executions = self.stepfunctions.executions();
        executions
            .values()
            .filter(|execution| execution.status == Status::Running)
            .map(|execution| execution.due)
            .chain(self.agenda().next())
            .chain(self.sim.next_event())
            .min()
    }

    fn advance_to(&self, instant: Timestamp) {
        let by = instant.duration_since(self.clock.now());
        self.clock.advance(by.try_into().unwrap_or_default());
    }

    async fn happen(&self, job: Job) {
        match job {
            Job::Execution(name) => Box::pin(self.advance(&name)).await,
            Job::Sweep => {
                Box::pin(self.sweep(schedule_event())).await;
            }
            Job::Ended { execution, status } => {
                Box::pin(self.sweep(execution_event(&execution, status))).await;
            }
            Job::Create { body, key } => {
                self.request(Method::POST, "/instances", key.as_deref(), Some(&body))
                    .await;
            }
            Job::Delete(id) => {
                self.delete(&id).await;
            }
            Job::DeleteFirst => {
                if let Some(first) = self.machines().await.last() {
                    self.delete(&first.id).await;
                }
            }
            Job::StopFirst => {
                if let Some(first) = self.machines().await.last() {
                    self.post(&first.id, "stop").await;
                }
            }
            Job::StartFirst => {
                if let Some(first) = self.machines().await.last() {
                    self.post(&first.id, "start").await;
                }
            }
            Job::InterruptFirst => {
                let machines = self.machines().await;
                if let Some(instance) = machines.last().and_then(|it| it.instance_id.as_ref()) {
                    // One that is gone cannot be interrupted any more, and one on demand never.
                    let _refused = self.sim.interrupt(instance.as_str()).await;
                }
            }
            Job::Ec2Event(event) => Box::pin(self.heard(event)).await,
            Job::Projects(records) => self.wake_pool(json!({"Records": records})).await,
            Job::Request {
                method,
                path,
                key,
                body,
            } => {
                self.request(method, &path, key.as_deref(), body.as_ref())
                    .await;
            }
            Job::Stream => {
                let batch = self.agenda().stream_batch();
                let taken = self.stream(&batch).await;
                let now = self.clock.now();
                self.agenda().stream_taken(taken, now);
            }
            Job::StreamAgain(records) => {
                self.stream(&records).await;
            }
            Job::Abort(name) => self.abort(&name),
            Job::AbortAll => {
                let names: Vec<String> = self.stepfunctions.executions().keys().cloned().collect();
                for name in names {
                    self.abort(&name);
                }
            }
            Job::Vanish(name) => {
                self.stepfunctions.executions().remove(&name);
            }
        }
    }

    /// Delivers an event to the function that it is for.
    async fn heard(&self, event: Value) {
        if event["source"] == "aws.autoscaling" {
            self.wake_pool(event).await;
        } else {
            self.ec2_event(event).await;
        }
    }

    /// Takes an execution on by one state.
    async fn advance(&self, name: &str) {
        let Some(mut execution) = self.take_due(name) else {
            return;
        };
        let time = self.clock.clone();
        let clock = Clock::from_fn(move || time.now());
        Box::pin(execution.advance(&self.stepfunctions.definition, self, &clock)).await;
        let mut executions = self.stepfunctions.executions();
        // It may have been stopped meanwhile; its Lambda invocation goes on all the same.
        match executions.get_mut(name) {
            Some(stored) if stored.status == Status::Running && stored.is_same_run(&execution) => {
                *stored = execution.clone();
            }
            _ => return,
        }
        drop(executions);
        if matches!(execution.status, Status::Failed | Status::TimedOut) {
            self.agenda()
                .ended(name, execution.status.as_str(), self.clock.now());
        }
    }

    /// The execution, if it is due; until it is put back, it is not due again.
    fn take_due(&self, name: &str) -> Option<Execution> {
        let mut executions = self.stepfunctions.executions();
        let stored = executions.get_mut(name)?;
        if stored.status != Status::Running || stored.due > self.clock.now() {
            return None;
        }
        let execution = stored.clone();
        stored.due = Timestamp::MAX;
        Some(execution)
    }

    /// Stops an execution where it is.
    pub fn abort(&self, name: &str) {
        if let Some(execution) = self.stepfunctions.executions().get_mut(name)
            && execution.status == Status::Running
        {
            execution.abort();
            self.agenda()
                .ended(name, Status::Aborted.as_str(), self.clock.now());
        }
    }

    fn agenda(&self) -> MutexGuard<'_, Agenda> {
        self.agenda.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The record says how it ended, or that the machine is there to be used.
pub fn is_settled(machine: &Machine) -> bool {
    let rests = match machine.status {
        MachineStatus::Ready => machine.desired == Desired::Running,
        MachineStatus::Stopped => machine.desired == Desired::Stopped,
        // One that was started again and failed is left to its owner.
        MachineStatus::Failed => machine.desired == Desired::Running && machine.cycle > 1,
        _ => false,
    };
    machine.closed_at.is_some() || rests
}

/// Runs all of them at once; their answers, in order.
pub async fn together<'a, T>(
    jobs: impl IntoIterator<Item = impl Future<Output = T> + 'a>,
) -> Vec<T> {
    let mut jobs: Vec<_> = jobs.into_iter().map(|job| (Box::pin(job), None)).collect();
    poll_fn(|context| {
        for (job, answer) in jobs.iter_mut().filter(|(_, answer)| answer.is_none()) {
            if let Poll::Ready(ready) = job.as_mut().poll(context) {
                *answer = Some(ready);
            }
        }
        if jobs.iter().all(|(_, answer)| answer.is_some()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    jobs.into_iter().filter_map(|(_, answer)| answer).collect()
}
