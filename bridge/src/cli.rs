//! The program's commands, one file each.
//!
//! Exit codes: 0 done; 1 it failed, or not all of it could be written, and standard error says why; 2 the command line, the
//! configuration or the hints are wrong.

mod admin;
mod check;
mod decode;
#[cfg(feature = "demo")]
mod demo;
mod explain;
mod out;
mod run;
mod schema;
mod services;
mod table;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use self::out::{Unwritten, say};

/// What the program ends with.
const STATUS: &str = "Exit status: 0 done; 1 it failed, or not all of it could be written, and standard error says why; \
                      2 the command line, the configuration or the hints are wrong.";

/// The release, and the commit it was built from.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LANDBRIDGE_COMMIT"), ")");

/// A gateway between Dubbo2 with ZooKeeper and an Istio mesh.
///
/// It registers in both, carries calls both ways, and goes away when the migration is over.
/// Begin with `landbridge demo`.
#[derive(Debug, Parser)]
#[command(
    name = "landbridge",
    version = VERSION,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = STATUS
)]
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
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return unparsed(&error),
    };
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

/// Prints what the command line was refused for, or the help or version that it asks for.
fn unparsed(error: &clap::Error) -> ExitCode {
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    let printed = error.print().and_then(|()| std::io::stdout().flush());
    match printed.or_else(Unwritten::unless_gone) {
        Err(unwritten) if code == 0 => {
            complain(&format!("{:#}", anyhow::Error::from(unwritten)));
            ExitCode::from(1)
        }
        _ => ExitCode::from(code),
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

impl From<Unwritten> for Failure {
    fn from(unwritten: Unwritten) -> Self {
        Self::Failed(unwritten.into())
    }
}

impl From<crate::config::Problems> for Failure {
    fn from(problems: crate::config::Problems) -> Self {
        Self::Wrong(problems.to_string())
    }
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "error: {text}");
}

fn warn(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "warning: {text}");
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
