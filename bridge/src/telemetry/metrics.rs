//! What the workers count, in Prometheus' text format.
//!
//! Workers count in their own shards without labels; only here, when somebody asks, equal series of several workers are
//! summed up and written out. The number of series is bounded by `limits.interned`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use codecs::protobuf::Rule;
use registries::directory::{Directory, Island};

use super::mode_name;
use crate::error::Limit;
use crate::worker::shard::{BOUNDS, OUTCOMES, Series};
use crate::worker::{Event, Shard, Wire};

const LIMITS: [Limit; 6] = [
    Limit::Connection,
    Limit::Cluster,
    Limit::Endpoint,
    Limit::Message,
    Limit::Headers,
    Limit::Connections,
];

/// What a gauge shows of one worker.
type Gauge = fn(&Shard) -> &AtomicU64;

/// What a counter shows of a series.
type Sum = fn(&Sums) -> u64;

/// Everything that `/metrics` shows.
pub fn render(shards: &[Arc<Shard>], directory: &Directory, now: SystemTime) -> String {
    let mut text = String::with_capacity(16 << 10);
    calls(&mut text, shards);
    family(
        &mut text,
        "landbridge_events_total",
        "counter",
        "Things that happened on connections, by kind.",
    );
    for &event in Event::ALL {
        let count: u64 = shards.iter().map(|shard| shard.event(event)).sum();
        sample(
            &mut text,
            "landbridge_events_total",
            &format!("event=\"{}\"", event.name()),
            count,
        );
    }
    family(
        &mut text,
        "landbridge_limit_hits_total",
        "counter",
        "How often a limit of the configuration was hit.",
    );
    for limit in LIMITS {
        let count: u64 = shards.iter().map(|shard| shard.limit(limit)).sum();
        sample(
            &mut text,
            "landbridge_limit_hits_total",
            &format!("limit=\"{}\"", limit.name()),
            count,
        );
    }
    family(
        &mut text,
        "landbridge_lossy_total",
        "counter",
        "How often a conversion by a binding lost something that its rule lets go.",
    );
    for &rule in Rule::ALL {
        let count: u64 = shards.iter().map(|shard| shard.lossy.count(rule)).sum();
        if count > 0 {
            let label = format!("rule=\"{}\"", rule.name());
            sample(&mut text, "landbridge_lossy_total", &label, count);
        }
    }
    let gauges: [(&str, &str, Gauge); 3] = [
        ("landbridge_calls_in_flight", "Calls in flight now.", |shard| {
            &shard.in_flight
        }),
        (
            "landbridge_downstream_connections",
            "Downstream connections now.",
            |shard| &shard.downstream,
        ),
        (
            "landbridge_upstream_connections",
            "Upstream connections now.",
            |shard| &shard.upstream,
        ),
    ];
    for (name, help, gauge) in gauges {
        family(&mut text, name, "gauge", help);
        let sum: u64 = shards
            .iter()
            .map(|shard| gauge(shard).load(Ordering::Relaxed))
            .sum();
        sample(&mut text, name, "", sum);
    }
    sources(&mut text, directory, now);
    text
}

fn sources(text: &mut String, directory: &Directory, now: SystemTime) {
    family(
        text,
        "landbridge_services",
        "gauge",
        "Services known on either side.",
    );
    sample(text, "landbridge_services", "", wide(directory.services.len()));
    family(
        text,
        "landbridge_directory_generation",
        "counter",
        "Grows with every change of the facts.",
    );
    sample(text, "landbridge_directory_generation", "", directory.generation);
    family(
        text,
        "landbridge_registry_connected",
        "gauge",
        "Whether the registry is connected now.",
    );
    for island in [Island::Legacy, Island::Mesh] {
        let source = directory.source(island);
        if source.configured {
            let label = format!("island=\"{}\"", island.as_str());
            sample(
                text,
                "landbridge_registry_connected",
                &label,
                u64::from(source.connected),
            );
        }
    }
    family(
        text,
        "landbridge_registry_age_seconds",
        "gauge",
        "How old the registry's view is; absent before the first.",
    );
    for island in [Island::Legacy, Island::Mesh] {
        let source = directory.source(island);
        let Some(as_of) = source.as_of.filter(|_| source.configured) else {
            continue;
        };
        let age = if source.connected {
            0
        } else {
            now.duration_since(as_of).unwrap_or_default().as_secs()
        };
        sample(
            text,
            "landbridge_registry_age_seconds",
            &format!("island=\"{}\"", island.as_str()),
            age,
        );
    }
}

/// Sums of one series over the workers.
#[derive(Default)]
struct Sums {
    outcomes: [u64; OUTCOMES.len()],
    buckets: [u64; BOUNDS.len() + 1],
    micros: u64,
    bytes_in: u64,
    bytes_out: u64,
    retries: u64,
}

impl Sums {
    fn add(&mut self, series: &Series) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        for (sum, counter) in self.outcomes.iter_mut().zip(&series.outcomes) {
            *sum += load(counter);
        }
        for (sum, counter) in self.buckets.iter_mut().zip(&series.latency.buckets) {
            *sum += load(counter);
        }
        self.micros += load(&series.latency.sum);
        self.bytes_in += load(&series.bytes_in);
        self.bytes_out += load(&series.bytes_out);
        self.retries += load(&series.retries);
    }
}

fn calls(text: &mut String, shards: &[Arc<Shard>]) {
    let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
    for series in shards.iter().flat_map(|shard| shard.series()) {
        let labels = &series.labels;
        let key = format!(
            "interface=\"{}\",group=\"{}\",version=\"{}\",method=\"{}\",from=\"{}\",to=\"{}\",mode=\"{}\"",
            escape(labels.service.interface()),
            escape(labels.service.group()),
            escape(labels.service.version()),
            escape(&labels.method),
            labels.from.name(),
            labels.to.map_or("", Wire::name),
            labels.mode.map_or("", mode_name),
        );
        sums.entry(key).or_default().add(&series);
    }
    family(text, "landbridge_calls_total", "counter", "Calls by result.");
    for (labels, sum) in &sums {
        for (name, count) in OUTCOMES.iter().zip(sum.outcomes).filter(|(_, count)| *count > 0) {
            sample(
                text,
                "landbridge_calls_total",
                &format!("{labels},outcome=\"{name}\""),
                count,
            );
        }
    }
    family(
        text,
        "landbridge_call_seconds",
        "histogram",
        "From the whole request to the reply's being written.",
    );
    for (labels, sum) in &sums {
        let mut count = 0;
        for (n, bucket) in sum.buckets.iter().enumerate() {
            count += bucket;
            let bound = BOUNDS.get(n).map_or("+Inf".to_owned(), |micros| seconds(*micros));
            sample(
                text,
                "landbridge_call_seconds_bucket",
                &format!("{labels},le=\"{bound}\""),
                count,
            );
        }
        let _ = writeln!(
            text,
            "landbridge_call_seconds_sum{{{labels}}} {}",
            seconds(sum.micros)
        );
        sample(text, "landbridge_call_seconds_count", labels, count);
    }
    let counters: [(&str, &str, Sum); 3] = [
        (
            "landbridge_argument_bytes_total",
            "Bytes of arguments taken in.",
            |sum| sum.bytes_in,
        ),
        (
            "landbridge_result_bytes_total",
            "Bytes of results given out.",
            |sum| sum.bytes_out,
        ),
        ("landbridge_retries_total", "Attempts beyond the first.", |sum| {
            sum.retries
        }),
    ];
    for (name, help, value) in counters {
        family(text, name, "counter", help);
        for (labels, sum) in &sums {
            sample(text, name, labels, value(sum));
        }
    }
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing into a String cannot fail, here and below.
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn sample(text: &mut String, name: &str, labels: &str, value: u64) {
    let _ = if labels.is_empty() {
        writeln!(text, "{name} {value}")
    } else {
        writeln!(text, "{name}{{{labels}}} {value}")
    };
}

/// Microseconds as seconds, exactly.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A label's value: names come from callers.
fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn wide(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use codecs::ServiceKey;
    use codecs::hessian2::Limits;
    use codecs::plan::Scratch;
    use codecs::protobuf::Bindings;
    use registries::directory::Mode;

    use super::*;
    use crate::worker::shard::{Labels, Outcome};

    #[test]
    fn sums_equal_series_of_several_workers() {
        let labels = Labels {
            service: ServiceKey::new("a.\"B", "g", "1"),
            method: "place".into(),
            from: Wire::Dubbo2,
            to: Some(Wire::Triple),
            mode: Some(Mode::Wrapper),
        };
        let shards = [Arc::new(Shard::default()), Arc::new(Shard::default())];
        for shard in &shards {
            let series = shard.add_series(labels.clone());
            series.record(Outcome::OK, Duration::from_micros(60), 10, 20);
            shard.count(Event::Accepted);
            shard.count_limit(Limit::Message);
        }
        let text = render(&shards, &Directory::default(), SystemTime::UNIX_EPOCH);
        let labels = "interface=\"a.\\\"B\",group=\"g\",version=\"1\",method=\"place\",from=\"dubbo2\",to=\"triple\",\
                      mode=\"wrapper\"";
        for line in [
            format!("landbridge_calls_total{{{labels},outcome=\"ok\"}} 2"),
            format!("landbridge_call_seconds_bucket{{{labels},le=\"0.00005\"}} 0"),
            format!("landbridge_call_seconds_bucket{{{labels},le=\"0.0001\"}} 2"),
            format!("landbridge_call_seconds_bucket{{{labels},le=\"+Inf\"}} 2"),
            format!("landbridge_call_seconds_sum{{{labels}}} 0.00012"),
            format!("landbridge_result_bytes_total{{{labels}}} 40"),
            "landbridge_events_total{event=\"accepted\"} 2".to_owned(),
            "landbridge_limit_hits_total{limit=\"message\"} 2".to_owned(),
            "landbridge_services 0".to_owned(),
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(!text.contains("registry_connected{"), "no registry is configured");
        assert!(!text.contains("lossy_total{"), "nothing was lost");
    }

    #[test]
    fn sums_what_the_conversions_of_several_workers_lost() {
        let proto = "syntax = \"proto3\"; package t; service S { rpc Put(M) returns (M); } message M { string v = 1; }";
        let yaml = "descriptors: [t.proto]\nservices: [{java: t.S, proto: t.S}]";
        let bindings = Bindings::load("t.yaml", yaml, &mut |_| Ok(proto.as_bytes().to_vec())).unwrap();
        let method = &bindings.services()[0].methods[0];
        let shards = [Arc::new(Shard::default()), Arc::new(Shard::default())];
        for shard in &shards {
            let mut scratch = Scratch::counting(shard.lossy.clone());
            // Null for a string that cannot be unset.
            method
                .arguments_to_protobuf(b"N", &mut scratch, &Limits::DEFAULT)
                .unwrap();
        }
        let text = render(&shards, &Directory::default(), SystemTime::UNIX_EPOCH);
        let line = "landbridge_lossy_total{rule=\"null_to_default\"} 2";
        assert!(text.lines().any(|l| l == line), "{text}");
    }
}
