//! The table.

use std::collections::HashMap;
use std::time::Duration;

use crate::Options;
use crate::hop::{Hop, direct};
use crate::load::Load;

/// One measurement of one hop.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    /// Calls answered in a second.
    rate: f64,
    /// CPU time of the proxy process for each, in microseconds.
    cpu: f64,
    /// Half of the calls took less, in microseconds.
    p50: f64,
    /// 99 of 100 took less.
    p99: f64,
}

impl Figures {
    /// From the calls answered in `took`, the CPU nanoseconds spent, and the latencies in tenths of a microsecond.
    pub(crate) fn new(calls: u64, took: Duration, cpu_ns: u64, mut latencies: Vec<u32>) -> Self {
        latencies.sort_unstable();
        let at = |share: usize| {
            latencies
                .get(latencies.len() * share / 100)
                .map_or(0.0, |tenths| f64::from(*tenths) / 10.0)
        };
        Self {
            rate: float(calls) / took.as_secs_f64(),
            cpu: float(cpu_ns) / 1000.0 / float(calls),
            p50: at(50),
            p99: at(99),
        }
    }
}

fn float(number: u64) -> f64 {
    f64::from(u32::try_from(number / 1000).unwrap_or(u32::MAX)) * 1000.0
        + f64::from(u32::try_from(number % 1000).unwrap_or(0))
}

/// The measurements of all rounds.
#[derive(Default)]
pub(crate) struct Report {
    rows: HashMap<(&'static str, &'static str), Vec<Figures>>,
    failures: Vec<String>,
}

impl Report {
    /// Adds one measurement.
    pub(crate) fn add(&mut self, hop: &'static str, load: Load, figures: Result<Figures, String>) {
        match figures {
            Ok(figures) => self.rows.entry((hop, load.name())).or_default().push(figures),
            Err(why) => self.failures.push(format!("{hop}, {}: {why}", load.name())),
        }
    }

    /// Whether every measurement gave a figure.
    pub(crate) fn good(&self) -> bool {
        self.failures.is_empty()
    }

    /// Prints one table for each load, with the medians of the rounds.
    pub(crate) fn print(&self, hops: &[Hop], options: &Options) {
        println!(
            "{} bytes of text, {} rounds of {} s each, medians; one worker thread in each proxy",
            options.text, options.rounds, options.seconds
        );
        for load in Load::ALL {
            println!(
                "\n{:<20} {:>9} {:>12} {:>9} {:>9} {:>9} {:>9}",
                load.name(),
                "calls/s",
                "CPU us/call",
                "to Envoy",
                "p50 us",
                "p50 added",
                "p99 us"
            );
            for hop in hops {
                let Some(figures) = self.median(hop.name, load) else {
                    println!("{:<20} failed", hop.name);
                    continue;
                };
                let added = self
                    .median(direct(hop.call), load)
                    .map(|direct| figures.p50 - direct.p50);
                let ratio = self.median(hop.beside, load).map(|envoy| figures.cpu / envoy.cpu);
                let cell = |value: Option<f64>, digits: usize| {
                    value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
                };
                let proxy = |value: Option<f64>, digits| cell(value.filter(|_| !hop.is_direct()), digits);
                println!(
                    "{:<20} {:>9.0} {:>12} {:>9} {:>9.1} {:>9} {:>9.1}",
                    hop.name,
                    figures.rate,
                    proxy(Some(figures.cpu), 2),
                    proxy(ratio, 2),
                    figures.p50,
                    proxy(added, 1),
                    figures.p99
                );
            }
        }
        for failure in &self.failures {
            println!("FAILED {failure}");
        }
    }

    fn median(&self, hop: &'static str, load: Load) -> Option<Figures> {
        let rounds = self.rows.get(&(hop, load.name()))?;
        let middle = |pick: fn(&Figures) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(pick).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Some(Figures {
            rate: middle(|f| f.rate),
            cpu: middle(|f| f.cpu),
            p50: middle(|f| f.p50),
            p99: middle(|f| f.p99),
        })
    }
}
