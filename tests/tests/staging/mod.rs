//! The staging script, run for real: on good and bad blobs, broken aggregators and poor machines, under each shell that
//! is `sh` on a machine.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

pub(crate) mod archive;
mod download;
mod hostile;
mod machine;
mod package;
mod repeat;
mod restart;
mod start;
mod tools;
mod unpack;

use std::{path::Path, sync::OnceLock};

use haulout_domain::{
    ids::MachineId,
    staging::{Source, StagingCode, StagingReport, StagingRequest},
};
use haulout_local::walrus::{Stored, Walrus, WalrusConfig};
use tokio::runtime::Runtime;

use self::machine::{Ended, Machine, STAYS, until, until_none};

/// `sh` is dash on Debian and Ubuntu, and bash in its POSIX mode on Amazon Linux.
const SHELLS: &[&[&str]] = &[&["dash"], &["bash", "--posix"]];

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

/// A machine, the aggregators it may ask, and what it is to stage.
struct World {
    machine: Machine,
    walruses: Vec<Walrus>,
    request: StagingRequest,
    blob: Vec<u8>,
    stored: Stored,
}

impl World {
    /// One aggregator, a good archive, room and time.
    fn new(shell: &'static [&'static str]) -> Self {
        let blob = archive::model(STAYS, &[]);
        let walrus = start_walrus();
        let stored = put(&walrus, &blob);
        Self {
            machine: Machine::new(shell),
            request: StagingRequest {
                machine_id: MachineId::generate(),
                cycle: 1,
                aggregators: walrus.aggregator_url().parse().unwrap(),
                source: Source::Blob(stored.blob_id.parse().unwrap()),
                sha256: None,
                size_bytes: None,
                budget_seconds: 60,
            },
            walruses: vec![walrus],
            blob,
            stored,
        }
    }

    /// Stages this blob instead.
    fn blob(&mut self, blob: Vec<u8>) {
        for walrus in &self.walruses {
            self.stored = put(walrus, &blob);
        }
        self.request.source = Source::Blob(self.stored.blob_id.parse().unwrap());
        self.blob = blob;
    }

    /// Another aggregator with the same blob, asked last.
    fn second_walrus(&mut self) {
        let walrus = start_walrus();
        put(&walrus, &self.blob);
        let first = self.walruses[0].aggregator_url();
        self.request.aggregators = format!("{first},{}", walrus.aggregator_url())
            .parse()
            .unwrap();
        self.walruses.push(walrus);
    }

    /// Larger than a chunk, so that it comes in pieces.
    fn large_blob(&mut self) {
        self.machine.set("HAULOUT_CHUNK_BYTES", "65536");
        let weights = archive::Entry::file("model/weights", archive::noise(400_000));
        self.blob(archive::model(STAYS, &[weights]));
    }

    /// How many requests all aggregators got.
    fn requests(&self) -> usize {
        let counts = self.walruses.iter().map(|walrus| walrus.seen().len());
        counts.sum()
    }

    fn stage(&self) -> Ended {
        self.machine.stage(&self.request)
    }

    /// The script ends at once: the watch is long, and over as soon as it has.
    fn script_that_ends(&mut self, script: &str) {
        self.machine.set("HAULOUT_WATCH_SECONDS", "30");
        self.blob(archive::model(script, &[]));
    }

    /// Stages and expects success.
    #[track_caller]
    fn ready(&self) -> (StagingReport, Ended) {
        let ended = self.stage();
        check_end(&self.machine, &ended);
        let report = ended.outcome().unwrap_or_else(|failure| {
            panic!(
                "{:?}: {failure}\n{}\n{}",
                failure.code, ended.stdout, ended.stderr
            )
        });
        assert_eq!(
            std::fs::read(self.machine.path("tmp/model.zip")).unwrap(),
            self.blob
        );
        assert!(self.machine.path("tmp/model/script.sh").is_file());
        assert_eq!(report.size_bytes, Some(self.blob.len() as u64));
        (report, ended)
    }

    /// Stages and expects this failure.
    #[track_caller]
    fn fails(&self, code: StagingCode, says: &str) -> Ended {
        let ended = self.stage();
        check_end(&self.machine, &ended);
        let Err(failure) = ended.outcome() else {
            panic!("it did not fail:\n{}", ended.stdout);
        };
        assert_eq!(failure.code, code, "{failure}\n{}", ended.stdout);
        assert!(
            failure.message.contains(says),
            "{failure}\n{}",
            ended.stdout
        );
        assert_ne!(ended.code, Some(0));
        ended
    }
}

/// What holds at every end of the command.
#[track_caller]
fn check_end(machine: &Machine, ended: &Ended) {
    assert!(
        ended.stdout.len() < 8000,
        "{} bytes of output",
        ended.stdout.len()
    );
    assert!(
        ended
            .stdout
            .lines()
            .last()
            .is_some_and(|line| line.starts_with("haulout: ")),
        "{}\n{}",
        ended.stdout,
        ended.stderr
    );
    assert_eq!(ended.stderr, "");
    for name in ["unpack", "model.old", "result.new", "cycle.new"] {
        assert!(
            !machine.path("stage").join(name).exists(),
            "{name} is left over"
        );
    }
    // Only the model may go on running; a clock that has just been stopped may still be there for a moment.
    until_none("only the model is left", || {
        let others = machine.processes().into_iter().find(|(_, command)| {
            !["haulout-model", "script.sh"]
                .iter()
                .any(|name| command.contains(name))
                && !command.starts_with("sleep 600")
        });
        others.map(|(pid, command)| format!("{pid}: {command}"))
    });
}

/// Runs a case on a world of its own for each shell.
fn check(case: impl Fn(&mut World) + Sync) {
    check_each(&[&case]);
}

/// Runs several cases for each shell, all at once: most of their time is waiting.
fn check_each(cases: &[&(dyn Fn(&mut World) + Sync)]) {
    std::thread::scope(|scope| {
        for shell in SHELLS {
            for case in cases {
                std::thread::Builder::new()
                    .name(format!("case under {}", shell.join(" ")))
                    .spawn_scoped(scope, move || case(&mut World::new(shell)))
                    .unwrap();
            }
        }
    });
}

fn start_walrus() -> Walrus {
    runtime()
        .block_on(Walrus::start(WalrusConfig::default()))
        .unwrap()
}

fn put(walrus: &Walrus, blob: &[u8]) -> Stored {
    runtime().block_on(walrus.put(blob.to_vec())).unwrap()
}

fn is_link_to(link: &Path, target: &Path) -> bool {
    std::fs::read_link(link).is_ok_and(|found| found == target)
}
