//! A peer as a child process: started, waited for by what it prints, and ended with the test.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take to start. Generous: four JVMs at once on two busy cores were seen to need 50 s.
pub(crate) const START: Duration = Duration::from_secs(180);

/// A running program and everything it has printed.
pub(crate) struct Process {
    name: String,
    child: Child,
    output: Arc<Output>,
    exit: Option<ExitStatus>,
}

#[derive(Default)]
struct Output {
    state: Mutex<Printed>,
    changed: Condvar,
}

#[derive(Default)]
struct Printed {
    out: Vec<String>,
    err: Vec<String>,
    /// Pipes that reached their end; 2 when the program is gone.
    ended: u8,
}

impl Process {
    /// Starts `command`; its standard output and error are collected line by line.
    pub(crate) fn start(name: impl Into<String>, command: &mut Command) -> Self {
        let name = name.into();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: cannot start {:?}: {error}", command.get_program()));
        let output = Arc::new(Output::default());
        collect(child.stdout.take().unwrap(), &output, |printed, line| {
            printed.out.push(line)
        });
        collect(child.stderr.take().unwrap(), &output, |printed, line| {
            printed.err.push(line)
        });
        Self {
            name,
            child,
            output,
            exit: None,
        }
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of standard output that `wanted` accepts, from the first line on, and gives it back.
    /// Panics with everything printed when the program ends before, or after `limit`.
    pub(crate) fn wait_line(
        &self,
        what: &str,
        limit: Duration,
        mut wanted: impl FnMut(&str) -> bool,
    ) -> String {
        let mut seen = 0;
        let found = self.wait(limit, |printed| {
            let line = printed.out[seen..].iter().find(|line| wanted(line)).cloned();
            seen = printed.out.len();
            line
        });
        found.unwrap_or_else(|| panic!("{}: no {what} within {limit:?}\n{}", self.name, self.printed()))
    }

    /// Waits for the JSON line with `"event": event`.
    pub(crate) fn wait_event(&self, event: &str, limit: Duration) -> Value {
        let line = self.wait_line(&format!("event \"{event}\""), limit, |line| {
            json_event(line).as_deref() == Some(event)
        });
        serde_json::from_str(&line).unwrap()
    }

    /// Waits until the program has ended by itself; panics after `limit`.
    pub(crate) fn finish(&mut self, limit: Duration) -> ExitStatus {
        let ended = self
            .wait(limit, |printed| (printed.ended == 2).then_some(()))
            .is_some();
        assert!(
            ended,
            "{}: still running after {limit:?}\n{}",
            self.name,
            self.printed()
        );
        self.reap()
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Whether both of its streams have reached their end.
    pub(crate) fn has_printed_end(&self) -> bool {
        self.output.state.lock().unwrap().ended == 2
    }

    /// Sends a signal by name (`TERM`, `KILL`, `STOP`, `CONT`).
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(self.pid().to_string())
            .status()
            .unwrap();
        assert!(status.success(), "{}: kill -{signal} failed", self.name);
    }

    /// Asks it to stop and waits for its end; kills it after `limit`.
    pub(crate) fn stop(&mut self, limit: Duration) -> ExitStatus {
        if self.exit.is_none() && !self.has_ended() {
            self.signal("TERM");
            if self
                .wait(limit, |printed| (printed.ended == 2).then_some(()))
                .is_none()
            {
                let _ = self.child.kill();
            }
        }
        self.reap()
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self) -> ExitStatus {
        let _ = self.child.kill();
        self.reap()
    }

    /// The lines of standard output so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.output.state.lock().unwrap().out.clone()
    }

    /// The lines of standard error so far.
    pub(crate) fn error_lines(&self) -> Vec<String> {
        self.output.state.lock().unwrap().err.clone()
    }

    /// The JSON lines of standard output so far.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        self.lines()
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Everything printed, for a failure's text: the last 60 lines of each stream.
    pub(crate) fn printed(&self) -> String {
        let printed = self.output.state.lock().unwrap();
        let tail = |lines: &[String]| lines[lines.len().saturating_sub(60)..].join("\n");
        format!(
            "--- {} stdout\n{}\n--- {} stderr\n{}",
            self.name,
            tail(&printed.out),
            self.name,
            tail(&printed.err)
        )
    }

    fn reap(&mut self) -> ExitStatus {
        *self.exit.get_or_insert_with(|| self.child.wait().unwrap())
    }

    /// Waits until `ready` gives a value, the program has ended, or `limit` has passed.
    fn wait<T>(&self, limit: Duration, mut ready: impl FnMut(&Printed) -> Option<T>) -> Option<T> {
        let until = Instant::now() + limit;
        let mut printed = self.output.state.lock().unwrap();
        loop {
            if let Some(value) = ready(&printed) {
                return Some(value);
            }
            let left = until.saturating_duration_since(Instant::now());
            if printed.ended == 2 || left.is_zero() {
                return None;
            }
            printed = self.output.changed.wait_timeout(printed, left).unwrap().0;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.exit.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.printed());
        }
    }
}

/// Runs `command` to its end and gives its standard output; panics with both streams when it fails.
pub(crate) fn run(name: &str, command: &mut Command, limit: Duration) -> String {
    let mut process = Process::start(name, command);
    let status = process.finish(limit);
    assert!(status.success(), "{name}: {status}\n{}", process.printed());
    process.lines().join("\n")
}

/// A command with the given settings in its environment.
pub(crate) fn command<'a>(
    program: impl AsRef<OsStr>,
    settings: impl IntoIterator<Item = (&'a str, String)>,
) -> Command {
    let mut command = Command::new(program);
    command.envs(settings);
    command
}

/// Asks again and again until `ready` gives a value; for state that nobody announces (a port, an admin answer).
pub(crate) fn eventually<T>(what: &str, limit: Duration, ready: impl FnMut() -> Option<T>) -> T {
    eventually_or(|| what.to_owned(), limit, ready)
}

/// The same, with a message that is made when it is needed.
pub(crate) fn eventually_or<T>(
    what: impl Fn() -> String,
    limit: Duration,
    mut ready: impl FnMut() -> Option<T>,
) -> T {
    let until = Instant::now() + limit;
    let (_keep, ticks) = std::sync::mpsc::channel::<()>();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(Instant::now() < until, "{}: not within {limit:?}", what());
        let _ = ticks.recv_timeout(Duration::from_millis(50));
    }
}

fn json_event(line: &str) -> Option<String> {
    let value: Value = serde_json::from_str(line).ok()?;
    Some(value.get("event")?.as_str()?.to_owned())
}

fn collect(pipe: impl Read + Send + 'static, output: &Arc<Output>, push: fn(&mut Printed, String)) {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n') {
            let Ok(line) = line else { break };
            push(
                &mut output.state.lock().unwrap(),
                String::from_utf8_lossy(&line).into_owned(),
            );
            output.changed.notify_all();
        }
        output.state.lock().unwrap().ended += 1;
        output.changed.notify_all();
    });
}
