//! What the suites of the peers print about their cases.

use crate::calls::{Outcome, Thrown};
use crate::process::Process;

/// What a suite printed.
#[derive(Debug, Default)]
pub(crate) struct Suite {
    /// Names of the cases that went well.
    pub(crate) ok: Vec<String>,
    /// Names of the cases that did not, and why.
    pub(crate) failed: Vec<(String, String)>,
    /// Whether the program reached its closing line; without it nothing was proven.
    pub(crate) ended: bool,
    printed: String,
}

impl Suite {
    /// `case NAME ok`, `case NAME FAIL detail`, `suite ok cases=N failed=N`.
    pub(crate) fn of_java(process: &Process) -> Self {
        let mut suite = Self {
            printed: process.printed(),
            ..Self::default()
        };
        for line in process.lines() {
            if let Some(rest) = line.strip_prefix("case ") {
                match rest.split_once(' ') {
                    Some((name, "ok")) => suite.ok.push(name.to_owned()),
                    Some((name, why)) => suite.failed.push((name.to_owned(), why.to_owned())),
                    None => {}
                }
            }
            suite.ended |= line.starts_with("suite ");
        }
        suite
    }

    /// `{"case":NAME,"ok":true}`, closed by `N passed, N failed, N skipped`.
    pub(crate) fn of_go(process: &Process) -> Self {
        let mut suite = Self {
            printed: process.printed(),
            ..Self::default()
        };
        for line in process.json_lines() {
            let Some(name) = line["case"].as_str() else {
                continue;
            };
            match line["ok"].as_bool() {
                Some(true) => suite.ok.push(name.to_owned()),
                Some(false) => suite.failed.push((name.to_owned(), line.to_string())),
                None => {}
            }
        }
        suite.ended = process.lines().iter().any(|line| line.contains(" passed, "));
        suite
    }

    /// Whether the case `timeout` ended with code 0 (unknown) in place of 2 (timeout).
    fn has_raced(&self) -> bool {
        self.failed.iter().any(|(name, why)| {
            name == "timeout"
                && why.contains(r#"want {"t":"java.lang.Integer","v":2} got {"t":"java.lang.Integer","v":0}"#)
        })
    }

    /// The same with calls like that of the case `timeout` in its place, where its timer lost a race: each has to end by its
    /// deadline, and one of them with code 2.
    pub(crate) fn with_races_run_again(mut self, again: impl FnOnce() -> Vec<Outcome>) -> Self {
        if !self.has_raced() {
            return self;
        }
        println!("timeout: ended with code 0; called again and again");
        let thrown: Vec<_> = again().into_iter().map(|outcome| outcome.result).collect();
        let timed_out = |result: &Result<String, Thrown>| result.as_ref().is_err_and(Thrown::is_timeout);
        let plainly = |result: &Result<String, Thrown>| result.as_ref().is_err_and(|thrown| thrown.code == 2);
        if thrown.iter().all(timed_out) && thrown.iter().any(plainly) {
            self.failed.retain(|(name, _)| name != "timeout");
            self.ok.push("timeout".to_owned());
        } else {
            self.failed
                .push(("timeout".to_owned(), format!("again and again: {thrown:?}")));
        }
        self
    }

    /// Panics unless the suite ended, nothing failed, and at least `least` cases ran: a suite that leaves out its cases proves nothing.
    #[track_caller]
    pub(crate) fn assert_all(&self, least: usize) {
        assert!(self.ended, "the suite did not end\n{}", self.printed);
        let failures: Vec<String> = self
            .failed
            .iter()
            .map(|(name, why)| format!("{name}: {}", why.chars().take(300).collect::<String>()))
            .collect();
        let shown = failures.len().min(25);
        assert!(
            failures.is_empty(),
            "{} of {} cases failed, the first of them:\n{}",
            failures.len(),
            failures.len() + self.ok.len(),
            failures[..shown].join("\n")
        );
        assert!(
            self.ok.len() >= least,
            "only {} cases ran, {least} expected\n{}",
            self.ok.len(),
            self.printed
        );
        println!("{} cases", self.ok.len());
    }
}
