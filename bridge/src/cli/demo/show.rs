//! What the demo prints.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use super::islands::{LegacyIsland, MeshIsland};
use super::tour::Crossing;
use crate::app::{Gateway, Ports};
use crate::cli::out::{Unwritten, say, show};
use crate::telemetry::mode_name;

/// How often a summary is printed where there is no terminal to rewrite a line of.
const SELDOM: Duration = Duration::from_secs(10);

/// The times kept for the summary's percentiles: the newest.
const TIMES: usize = 1_000;

/// Standard output, and what the summary counts.
pub(super) struct Screen {
    live: bool,
    last: Instant,
    answered: u64,
    failed: u64,
    times: Vec<Duration>,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            live: std::io::stdout().is_terminal(),
            last: Instant::now(),
            answered: 0,
            failed: 0,
            times: Vec::new(),
        }
    }

    /// Who is there.
    pub(super) fn head(
        &mut self,
        legacy: &LegacyIsland,
        mesh: &MeshIsland,
        ports: &Ports,
    ) -> Result<(), Unwritten> {
        let kind = |real: bool| if real { "real" } else { "simulated" };
        let at = |port: Option<std::net::SocketAddr>| port.map_or("-".to_owned(), |port| port.to_string());
        say(&format!(
            "landbridge {}: two islands and the gateway between them\n",
            crate::cli::VERSION
        ))?;
        say(&format!(
            "  legacy   ZooKeeper {} ({})",
            legacy.zookeeper(),
            kind(legacy.is_real())
        ))?;
        say(&format!(
            "           StockService    Dubbo2 provider  {}",
            legacy.stock()
        ))?;
        say(&format!(
            "  mesh     istiod {} ({})",
            mesh.istiod(),
            kind(mesh.is_real())
        ))?;
        say(&format!(
            "           CatalogService  Triple provider  {}",
            mesh.catalog()
        ))?;
        say(&format!(
            "           Pricing         gRPC provider    {}",
            mesh.pricing()
        ))?;
        say(&format!(
            "  gateway  Dubbo2 {}   Triple {}   admin http://{}\n",
            at(ports.dubbo2),
            at(ports.triple),
            ports.admin
        ))?;
        say("Each island finds the other's providers in its own registry: waiting until it does ...\n")
    }

    pub(super) fn columns(&mut self) -> Result<(), Unwritten> {
        say(&format!(
            "{:<17} {:<31} {:<12} {:<30} {:<21} {:>8}  ANSWER",
            "DIRECTION", "CALL", "MODE", "ROUTE", "ENDPOINT", "TIME"
        ))
    }

    /// One call in a line.
    pub(super) fn crossing(&mut self, crossing: &Crossing) -> Result<(), Unwritten> {
        self.count(crossing);
        let record = crossing.record.as_ref();
        let mode = record.and_then(|record| record.mode).map_or("-", mode_name);
        let route = record.map_or("-".to_owned(), |record| {
            let cluster = record.cluster.as_deref().unwrap_or("-");
            if record.route.is_empty() {
                cluster.to_owned()
            } else {
                record.route.to_string()
            }
        });
        let endpoint = record.and_then(|record| record.endpoint);
        let endpoint = endpoint.map_or("-".to_owned(), |endpoint| endpoint.to_string());
        let verdict = if crossing.as_it_should { "" } else { "FAILED: " };
        say(&format!(
            "{:<17} {:<31} {mode:<12} {:<30} {endpoint:<21} {:>8}  {verdict}{}",
            crossing.direction,
            crossing.call,
            shortened(&route, 30),
            in_millis(crossing.took),
            crossing.answer
        ))
    }

    /// Where to look, before the summary begins.
    pub(super) fn invite(&mut self, ports: &Ports) -> Result<(), Unwritten> {
        let admin = if ports.admin.port() == 9880 {
            String::new()
        } else {
            format!(" --admin {}", ports.admin)
        };
        say(&format!(
            "\nTry `landbridge services{admin}` or `landbridge explain demo.stock.StockService{admin}` in another \
             terminal. Ctrl-C ends the demo.\n"
        ))
    }

    /// Counts a call for the summary.
    pub(super) fn count(&mut self, crossing: &Crossing) {
        if crossing.as_it_should {
            self.answered += 1;
        } else {
            self.failed += 1;
        }
        if self.times.len() >= TIMES {
            self.times.remove(0);
        }
        self.times.push(crossing.took);
    }

    /// The one line that says how it goes. Gives whether somebody still reads.
    pub(super) fn summary(&mut self, gateway: &Gateway) -> Result<bool, Unwritten> {
        if !self.live && self.last.elapsed() < SELDOM {
            return Ok(true);
        }
        self.last = Instant::now();
        let mut times = self.times.clone();
        times.sort_unstable();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        let readiness = gateway.readiness();
        let state = if readiness.ready {
            "ready".to_owned()
        } else {
            readiness.waiting.join("; ")
        };
        let line = format!(
            "{} calls answered, {} failed, median {}, {} services, {state}",
            self.answered,
            self.failed,
            in_millis(median),
            gateway.directory().services.len()
        );
        if self.live {
            show(&format!("\r{line}\x1b[K"))
        } else {
            show(&format!("{line}\n"))
        }
    }
}

fn in_millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1_000.0)
}

fn shortened(text: &str, most: usize) -> String {
    let letters = text.chars().count();
    if letters <= most {
        return text.to_owned();
    }
    let end: String = text.chars().skip(letters - (most - 2)).collect();
    format!("..{end}")
}
