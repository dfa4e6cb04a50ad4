//! A Java consumer that calls again and again, and what became of each call.

use std::time::Duration;

use serde_json::Value;

use crate::peers::{PATIENT, Peers};
use crate::process::{Process, START};

/// A consumer in loop mode.
pub(crate) struct Calls {
    process: Process,
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// The answer as text, or the exception.
    pub(crate) result: Result<String, Thrown>,
    /// How long it took.
    pub(crate) took: Duration,
}

/// What the consumer's code caught.
#[derive(Debug, Clone)]
pub(crate) struct Thrown {
    /// The exception's class.
    pub(crate) class: String,
    /// RpcException's code; -1 for another class.
    pub(crate) code: i64,
    /// Its message.
    pub(crate) message: String,
}

impl Thrown {
    /// Whether the call ended by its deadline: code 2 (timeout), or code 0 (unknown) for a status DEADLINE_EXCEEDED. Dubbo 3.3
    /// has two clocks over Triple, that of the thread that waits, which says the former, and a timer, which says the latter
    /// where it is earlier: nearly always in the first call of a JVM, and on a busy machine in every other one.
    pub(crate) fn is_timeout(&self) -> bool {
        self.code == 2 || (self.code == 0 && self.message.contains("DEADLINE_EXCEEDED"))
    }
}

impl Calls {
    /// Starts `count` calls of `call` (see `suite.md`).
    pub(crate) fn start(
        peers: &Peers,
        release: u8,
        call: &str,
        count: usize,
        interval: u32,
        settings: &[String],
    ) -> Self {
        let mut all = vec![
            PATIENT.to_owned(),
            "mode=loop".to_owned(),
            format!("call={call}"),
            format!("count={count}"),
            format!("interval={interval}"),
        ];
        all.extend_from_slice(settings);
        Self {
            process: peers.java(release, "consumer", &all),
        }
    }

    /// A consumer in loop mode that was started otherwise.
    pub(crate) fn of(process: Process) -> Self {
        Self { process }
    }

    /// Runs calls to their end.
    pub(crate) fn run(
        peers: &Peers,
        release: u8,
        call: &str,
        count: usize,
        interval: u32,
        settings: &[String],
    ) -> Vec<Outcome> {
        let mut calls = Self::start(peers, release, call, count, interval, settings);
        calls.process.finish(Duration::from_secs(600));
        let outcomes = calls.outcomes();
        assert_eq!(outcomes.len(), count, "calls\n{}", calls.process.printed());
        outcomes
    }

    /// Waits until `count` calls have ended.
    pub(crate) fn wait(&self, count: usize) {
        let mut seen = 0;
        self.process.wait_line(&format!("{count} calls"), START, |line| {
            seen += usize::from(line.starts_with("{\"at\""));
            seen >= count
        });
    }

    /// Waits until so many more calls have ended, and gives them.
    pub(crate) fn more(&self, count: usize) -> Vec<Outcome> {
        let before = self.outcomes().len();
        self.wait(before + count);
        self.outcomes().split_off(before)
    }

    /// The calls that have ended so far.
    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        self.process
            .json_lines()
            .iter()
            .filter(|line| line["at"].is_number())
            .map(outcome)
            .collect()
    }

    /// The process, for its end.
    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// The calls that failed, for a message.
pub(crate) fn failures(outcomes: &[Outcome]) -> Vec<&Thrown> {
    outcomes
        .iter()
        .filter_map(|outcome| outcome.result.as_ref().err())
        .collect()
}

/// How often each answer came.
pub(crate) fn tally(outcomes: &[Outcome]) -> std::collections::BTreeMap<String, usize> {
    let mut tally = std::collections::BTreeMap::new();
    for outcome in outcomes {
        let name = match &outcome.result {
            Ok(value) => value.clone(),
            Err(thrown) => format!("{thrown:?}"),
        };
        *tally.entry(name).or_default() += 1;
    }
    tally
}

fn outcome(line: &Value) -> Outcome {
    let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let result = match line["ok"].as_bool() {
        Some(true) => Ok(text("value")),
        _ => Err(Thrown {
            class: text("class"),
            code: line["rpcCode"].as_i64().unwrap_or(-1),
            message: text("message"),
        }),
    };
    Outcome {
        result,
        took: Duration::from_micros(line["us"].as_u64().unwrap_or_default()),
    }
}
