//! The side-by-side bench: one load generator and one echo provider, and between them nothing, Envoy, or the gateway.
//!
//! Every hop is measured in the same run, round by round, so that a busy machine hits all of them alike. What counts is
//! the CPU time of the proxy process over the calls completed, and the median time a call takes more than without it.
//! The bytes of both protocols are written by hand here, not by the gateway's codecs. `tests/bench/run` builds and
//! starts this; README.md says how to read the table.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench program: a broken assumption ends it, and its tasks end with its runtime"
)]

mod dubbo2;
mod grpc;
mod hop;
mod load;
mod report;

use std::time::Duration;

use hop::Hop;
use load::Load;
use report::{Figures, Report};

/// What is asked for: `--seconds N --rounds N --text BYTES --only WORD`.
struct Options {
    seconds: f64,
    rounds: usize,
    text: usize,
    only: String,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            seconds: 3.0,
            rounds: 3,
            text: 64,
            only: String::new(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().unwrap_or_else(|| panic!("{name} needs a value"));
            match name.as_str() {
                "--seconds" => options.seconds = value.parse().unwrap(),
                "--rounds" => options.rounds = value.parse().unwrap(),
                "--text" => options.text = value.parse().unwrap(),
                "--only" => options.only = value,
                _ => panic!("unknown option {name}"),
            }
        }
        options
    }
}

fn main() {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let good = runtime.block_on(run(&options));
    runtime.shutdown_timeout(Duration::from_millis(100));
    if !good {
        std::process::exit(1);
    }
}

/// Measures every hop; false when one of them failed.
async fn run(options: &Options) -> bool {
    let text = "x".repeat(options.text);
    let providers = hop::Providers {
        dubbo2: dubbo2::serve().await,
        grpc: grpc::serve().await,
    };
    let mut hops: Vec<Hop> = Vec::new();
    for plan in hop::plans(&providers) {
        if plan.name.contains(&options.only) || plan.is_direct() {
            let name = plan.name;
            match plan.start().await {
                Ok(hop) => hops.push(hop),
                Err(why) => println!("left out: {name}: {why}"),
            }
        }
    }
    let mut report = Report::default();
    for round in 1..=options.rounds {
        for load in Load::ALL {
            for hop in &hops {
                let figures = measure(hop, load, &text, options.seconds).await;
                report.add(hop.name, load, figures);
            }
        }
        eprintln!("round {round} of {} done", options.rounds);
    }
    report.print(&hops, options);
    report.good()
}

/// One hop under one load: half a second to warm up, then the given time.
async fn measure(hop: &Hop, load: Load, text: &str, seconds: f64) -> Result<Figures, String> {
    let running = load::start(hop.call, hop.address, load, text).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (cpu, calls, began) = (hop.cpu_ns(), running.record(true), tokio::time::Instant::now());
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    let done = running.record(false) - calls;
    let (spent, took) = (hop.cpu_ns() - cpu, began.elapsed());
    let latencies = running.finish().await?;
    if done == 0 {
        return Err("no call was answered".to_owned());
    }
    Ok(Figures::new(done, took, spent, latencies))
}
