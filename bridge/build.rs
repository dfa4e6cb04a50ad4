//! Tells the program the commit it is built from.
#![allow(clippy::print_stdout, reason = "that is how a build script speaks to Cargo")]

use std::process::Command;

fn main() {
    let git = |arguments: &[&str]| -> Option<String> {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    // A source archive has no repository: then a packager may name the commit.
    println!("cargo::rerun-if-env-changed=LANDBRIDGE_COMMIT");
    let named = std::env::var("LANDBRIDGE_COMMIT").ok();
    let commit = named
        .or_else(|| git(&["rev-parse", "--short=12", "HEAD"]))
        .unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=LANDBRIDGE_COMMIT={commit}");
    // The log of HEAD changes with every commit and checkout, in a worktree, too.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
