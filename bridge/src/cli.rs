//! The program's commands, one file each.
//!
//! Exit codes: 0 done; 1 it failed, and says why on standard error; 2 the command line or the configuration is wrong.

mod admin;
mod check;
mod decode;
#[cfg(feature = "demo")]
mod demo;
mod explain;
mod run;
mod schema;
mod services;
mod table;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

/// The release, and the commit it was built from.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LANDBRIDGE_COMMIT"), ")");

/// A gateway between Dubbo2 with ZooKeeper and an Istio mesh.
///
/// It registers in both, carries calls both ways, and goes away when the migration is over.
/// Begin with `landbridge demo`.
#[derive(Debug, Parser)]
#[command(name = "landbridge", version = VERSION, max_term_width = 100, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "demo")]
    Demo(demo::Arguments),
    Run(run::Arguments),
    Check(check::Arguments),
    Services(services::Arguments),
    Explain(explain::Arguments),
    Decode(decode::Arguments),
    Encode(decode::EncodeArguments),
    Schema(schema::Arguments),
}

/// How a command prints what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Output {
    /// Columns for people.
    #[default]
    Table,
    /// JSON for programs.
    Json,
}

/// Runs the program and gives its exit code.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        #[cfg(feature = "demo")]
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Services(arguments) => services::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Decode(arguments) => decode::run(&arguments),
        Command::Encode(arguments) => decode::encode(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(error)) => {
            complain(&format!("{error:#}"));
            ExitCode::from(1)
        }
        Err(Failure::Wrong(text)) => {
            complain(&text);
            ExitCode::from(2)
        }
    }
}

/// Why a command ends with another code than 0.
#[derive(Debug)]
enum Failure {
    /// It could not be done: code 1.
    Failed(anyhow::Error),
    /// What was asked is wrong: code 2.
    Wrong(String),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<crate::config::Problems> for Failure {
    fn from(problems: crate::config::Problems) -> Self {
        Self::Wrong(problems.to_string())
    }
}

/// Prints a line to standard output; a reader that has gone (`| head`) is no failure.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "error: {text}");
}

/// The runtime of everything but the calls: two threads, so that a large merge does not stop the heartbeats.
fn control_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    use anyhow::Context;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()
        .context("start the control runtime")?;
    Ok(runtime)
}
