//! `landbridge services`: what a running gateway knows, a line each.

use anyhow::Context;

use super::admin::{Admin, Answer};
use super::table::Table;
use super::{Failure, Output, say};
use crate::admin::ServiceLine;

/// List the services that a running gateway knows
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only services whose key contains this
    filter: Option<String>,
    #[command(flatten)]
    admin: Admin,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Answer::Found(body) = arguments.admin.get("/v1/services")? else {
        return Err(anyhow::anyhow!("the gateway has no list of services: is it of another version?").into());
    };
    let mut lines: Vec<ServiceLine> = serde_json::from_slice(&body).context("read the gateway's answer")?;
    if let Some(filter) = &arguments.filter {
        lines.retain(|line| line.service.contains(filter.as_str()));
    }
    if arguments.output == Output::Json {
        say(&serde_json::to_string_pretty(&lines).context("print")?)?;
        return Ok(());
    }
    let mut table = Table::new(["SERVICE", "STAGE", "LEGACY", "MESH", "HOST", "NOTES"]);
    for line in lines {
        table.row([
            line.service,
            format!("{:?}", line.stage).to_lowercase(),
            line.legacy.to_string(),
            line.mesh.to_string(),
            if line.host.is_empty() {
                "-".to_owned()
            } else {
                line.host
            },
            if line.notes.is_empty() {
                String::new()
            } else {
                line.notes.join("; ")
            },
        ]);
    }
    say(&table.to_string())?;
    Ok(())
}
