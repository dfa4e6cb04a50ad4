use std::collections::HashMap;
use std::time::Duration;

use registries::directory::{EndpointState, Outlier, Protocol, Warmup};

use super::*;

fn endpoint(port: u16, weight: u32, priority: u32) -> Arc<Endpoint> {
    Arc::new(Endpoint {
        weight,
        priority,
        ..Endpoint::new(
            ([10, 0, 0, 1], port).into(),
            Protocol::Dubbo2 { serialization: 2 },
        )
    })
}

fn cluster(balance: Balance, weights: &[u32]) -> Cluster {
    let endpoints = (1..)
        .zip(weights)
        .map(|(port, weight)| endpoint(port, *weight, 0))
        .collect();
    Cluster::new("test", endpoints).with_balance(balance)
}

fn ejecting(balance: Balance, weights: &[u32], outlier: Outlier) -> Cluster {
    cluster(balance, weights).with_outlier(Some(outlier))
}

fn shares(cluster: &Cluster, call: &Call<'_>, calls: u32) -> HashMap<u16, u32> {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut counts = HashMap::new();
    for _ in 0..calls {
        if let Some(endpoint) = pick(cluster, call, &mut rng) {
            *counts.entry(endpoint.address.port()).or_default() += 1;
        }
    }
    counts
}

const ALL: [Balance; 4] = [
    Balance::LeastRequest,
    Balance::RoundRobin,
    Balance::Random,
    Balance::RingHash,
];

#[test]
fn an_empty_cluster_has_none() {
    for balance in ALL {
        assert!(
            pick(
                &cluster(balance, &[]),
                &Call::default(),
                &mut fastrand::Rng::with_seed(1)
            )
            .is_none()
        );
        assert!(!is_usable(&cluster(balance, &[]), Now::default()));
    }
}

#[test]
fn shares_follow_the_weights() {
    for balance in ALL {
        for weights in [&[1, 1, 1, 1][..], &[80, 20], &[1, 2, 7], &[100]] {
            let cluster = cluster(balance, weights);
            let counts = shares(&cluster, &Call::default(), 20_000);
            let total: u32 = weights.iter().sum();
            for (port, weight) in (1..).zip(weights) {
                let share = f64::from(counts[&port]) / 20_000.0;
                let expected = f64::from(*weight) / f64::from(total);
                // A ring's arcs differ by chance, about 1/sqrt(points of the endpoint).
                let tolerance = if balance == Balance::RingHash { 0.08 } else { 0.02 };
                assert!(
                    (share - expected).abs() < tolerance,
                    "{balance:?} {weights:?} {port}: {share}"
                );
            }
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_weights_are_followed(weights in proptest::collection::vec(1u32..1000, 1..8), seed: u64) {
        let cluster = cluster(Balance::Random, &weights);
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut counts = vec![0u32; weights.len()];
        for _ in 0..4000 {
            let picked = pick(&cluster, &Call::default(), &mut rng).unwrap();
            counts[usize::from(picked.address.port()) - 1] += 1;
        }
        let total: u32 = weights.iter().sum();
        for (count, weight) in counts.iter().zip(&weights) {
            let share = f64::from(*count) / 4000.0;
            let expected = f64::from(*weight) / f64::from(total);
            proptest::prop_assert!((share - expected).abs() < 0.05, "{share} {expected}");
        }
    }

    #[test]
    fn turns_stay_close_to_their_shares(weights in proptest::collection::vec(1u32..100, 1..6), turns in 1u32..400) {
        let cluster = cluster(Balance::RoundRobin, &weights);
        let counts = shares(&cluster, &Call::default(), turns);
        let total: u32 = weights.iter().sum();
        for (port, weight) in (1..).zip(&weights) {
            let exact = f64::from(turns) * f64::from(*weight) / f64::from(total);
            let got = f64::from(counts.get(&port).copied().unwrap_or(0));
            proptest::prop_assert!((got - exact).abs() <= 5.0, "{port}: {got} for {exact}");
        }
    }

    #[test]
    fn an_ejected_endpoint_is_never_picked_beside_a_usable_one(weights in proptest::collection::vec(1u32..50, 2..8), seed: u64) {
        for balance in ALL {
            let cluster = ejecting(balance, &weights, Outlier::default());
            for out in &cluster.endpoints[1..] {
                out.state.ejected_until.store(1000, Relaxed);
            }
            let mut rng = fastrand::Rng::with_seed(seed);
            for _ in 0..50 {
                let call = Call { now: Now { uptime: 10, unix: 0 }, ..Call::default() };
                proptest::prop_assert_eq!(pick(&cluster, &call, &mut rng).unwrap().address.port(), 1);
            }
        }
    }
}

#[test]
fn equal_turns_are_exact() {
    let counts = shares(&cluster(Balance::RoundRobin, &[5, 5, 5]), &Call::default(), 300);
    assert!(counts.values().all(|count| *count == 100), "{counts:?}");
}

#[test]
fn least_request_avoids_the_busy() {
    let cluster = cluster(Balance::LeastRequest, &[1, 1]);
    cluster.endpoints[0].state.in_flight.store(50, Relaxed);
    let counts = shares(&cluster, &Call::default(), 10_000);
    // It is picked only when both draws are it.
    assert!((2200..2800).contains(&counts[&1]), "{counts:?}");
    // In flight counts by weight: 8 of weight 80 is as loaded as 2 of weight 20.
    let cluster = super::tests::cluster(Balance::LeastRequest, &[80, 20]);
    cluster.endpoints[0].state.in_flight.store(8, Relaxed);
    cluster.endpoints[1].state.in_flight.store(2, Relaxed);
    let counts = shares(&cluster, &Call::default(), 10_000);
    assert!((7800..8200).contains(&counts[&1]), "{counts:?}");
}

#[test]
fn the_same_hash_finds_the_same_endpoint() {
    let cluster = cluster(Balance::RingHash, &[1; 10]);
    let mut rng = fastrand::Rng::new();
    let (mut moved, mut others) = (0, 0);
    let smaller = Cluster::new("test", cluster.endpoints[..9].to_vec()).with_balance(Balance::RingHash);
    for hash in (0..2000u64).map(|n| registries::directory::xxh64(&n.to_le_bytes())) {
        let call = Call {
            hash: Some(hash),
            ..Call::default()
        };
        let first = pick(&cluster, &call, &mut rng).unwrap().address;
        assert_eq!(pick(&cluster, &call, &mut rng).unwrap().address, first);
        if first.port() != 10 {
            // An endpoint that leaves takes its own keys along, and the others' few that its points' successors move.
            others += u32::from(pick(&smaller, &call, &mut rng).unwrap().address != first);
        } else {
            moved += 1;
        }
    }
    assert!((100..320).contains(&moved) && others < 300, "{moved} {others}");
}

#[test]
fn tried_endpoints_are_avoided_while_there_is_another() {
    for balance in ALL {
        let cluster = cluster(balance, &[100, 1]);
        let one: SocketAddr = ([10, 0, 0, 1], 1).into();
        let two: SocketAddr = ([10, 0, 0, 1], 2).into();
        let hash = Some(7);
        let counts = shares(
            &cluster,
            &Call {
                tried: &[one],
                hash,
                ..Call::default()
            },
            100,
        );
        assert_eq!(counts, HashMap::from([(2, 100)]), "{balance:?}");
        let counts = shares(
            &cluster,
            &Call {
                tried: &[one, two],
                ..Call::default()
            },
            100,
        );
        assert_eq!(counts.values().sum::<u32>(), 100, "{balance:?}");
    }
}

#[test]
fn lower_priorities_wait() {
    let endpoints = vec![endpoint(3, 100, 1), endpoint(1, 1, 0), endpoint(2, 1, 0)];
    let cluster = Cluster::new("test", endpoints).with_outlier(Some(Outlier::default()));
    assert_eq!(cluster.levels().len(), 2);
    let now = Now { uptime: 1, unix: 0 };
    let call = Call {
        now,
        ..Call::default()
    };
    assert!(!shares(&cluster, &call, 200).contains_key(&3));
    for endpoint in &cluster.endpoints[..2] {
        endpoint.state.ejected_until.store(5, Relaxed);
    }
    assert_eq!(shares(&cluster, &call, 200), HashMap::from([(3, 200)]));
    // Ejected ones come back by the clock alone.
    let call = Call {
        now: Now { uptime: 5, unix: 0 },
        ..Call::default()
    };
    assert!(!shares(&cluster, &call, 200).contains_key(&3));
    // One that was tried makes way for a lower priority.
    let tried = [cluster.endpoints[0].address, cluster.endpoints[1].address];
    assert_eq!(
        shares(
            &cluster,
            &Call {
                tried: &tried,
                ..call
            },
            10
        ),
        HashMap::from([(3, 10)])
    );
}

#[test]
fn panics_only_where_it_may() {
    let now = Now { uptime: 1, unix: 0 };
    let call = Call {
        now,
        ..Call::default()
    };
    for (panic_percent, out, usable) in [(0, 2, false), (50, 2, true), (50, 1, true)] {
        let outlier = Outlier {
            panic_percent,
            ..Outlier::default()
        };
        let cluster = ejecting(Balance::Random, &[1, 1], outlier);
        for endpoint in &cluster.endpoints[..out] {
            endpoint.state.ejected_until.store(5, Relaxed);
        }
        assert_eq!(is_usable(&cluster, now), usable);
        let counts = shares(&cluster, &call, 100);
        assert_eq!(
            counts.len(),
            if usable { 3 - 1 - usize::from(out == 1) } else { 0 },
            "{counts:?}"
        );
    }
    // A cluster without outlier detection ignores what others found.
    let plain = cluster(Balance::Random, &[1]);
    plain.endpoints[0].state.ejected_until.store(5, Relaxed);
    assert!(is_usable(&plain, now) && pick(&plain, &call, &mut fastrand::Rng::new()).is_some());
}

#[test]
fn warming_endpoints_get_a_part() {
    let cold = Arc::new(Endpoint {
        weight: 100,
        warmup: Some(Warmup {
            started: 1000,
            length: Duration::from_millis(1000),
        }),
        ..Endpoint::new(([10, 0, 0, 1], 2).into(), Protocol::Dubbo2 { serialization: 2 })
    });
    let cluster = Cluster::new("test", vec![endpoint(1, 100, 0), cold]).with_balance(Balance::Random);
    for (unix, least, most) in [
        (1000, 0.0, 0.03),
        (1500, 0.28, 0.38),
        (2000, 0.47, 0.53),
        (500, 0.0, 0.03),
    ] {
        let call = Call {
            now: Now { uptime: 0, unix },
            ..Call::default()
        };
        let share = f64::from(shares(&cluster, &call, 10_000).get(&2).copied().unwrap_or(0)) / 10_000.0;
        assert!((least..=most).contains(&share), "at {unix}: {share}");
    }
}

#[test]
fn ejects_after_failures_in_a_row() {
    let outlier = Outlier {
        consecutive: 3,
        consecutive_gateway: 2,
        base: Duration::from_millis(100),
        max: Duration::from_millis(250),
        interval: Duration::from_millis(1000),
        max_percent: 50,
        panic_percent: 0,
    };
    let cluster = ejecting(Balance::Random, &[1, 1], outlier);
    let [one, two] = [&cluster.endpoints[0], &cluster.endpoints[1]];
    let at = |uptime| Now { uptime, unix: 0 };
    let until = |endpoint: &Endpoint| endpoint.state.ejected_until.load(Relaxed);
    use Verdict::{Failure, Gateway, Success};
    for verdict in [Failure, Failure, Success, Failure, Gateway, Success] {
        assert!(!report(&cluster, one, verdict, at(10)));
    }
    assert!(!report(&cluster, one, Gateway, at(10)));
    assert!(report(&cluster, one, Gateway, at(10)));
    assert_eq!(until(one), 110);
    // Half of them are out: the other stays in, whatever it does.
    for _ in 0..10 {
        assert!(!report(&cluster, two, Gateway, at(20)));
    }
    // The second time is twice as long, the third is capped, a quiet interval forgives one.
    for (now, expected) in [(110, 310), (310, 560), (3560, 3660)] {
        let ejected = (0..3).filter(|_| report(&cluster, one, Failure, at(now))).count();
        assert_eq!((ejected, until(one)), (1, expected), "at {now}");
    }
    assert!(!report(
        &super::tests::cluster(Balance::Random, &[1]),
        one,
        Gateway,
        at(9999)
    ));
}

#[test]
fn codes_give_verdicts() {
    for (code, verdict) in [
        (0, Verdict::Success),
        (3, Verdict::Success),
        (8, Verdict::Success),
        (2, Verdict::Failure),
        (12, Verdict::Failure),
        (13, Verdict::Failure),
        (15, Verdict::Failure),
        (4, Verdict::Gateway),
        (14, Verdict::Gateway),
    ] {
        assert_eq!(Verdict::of_code(code), verdict, "{code}");
    }
}

#[test]
fn calls_in_flight_are_counted_and_capped() {
    let cluster = Arc::new(cluster(Balance::Random, &[1]).with_limits(Duration::from_secs(1), 2));
    let endpoint = cluster.endpoints[0].clone();
    let counts = || {
        (
            cluster.state.in_flight.load(Relaxed),
            endpoint.state.in_flight.load(Relaxed),
        )
    };
    let first = acquire(&cluster, &endpoint).unwrap();
    let second = acquire(&cluster, &endpoint).unwrap();
    assert_eq!(acquire(&cluster, &endpoint).unwrap_err(), Overflow);
    assert_eq!(counts(), (2, 2));
    assert_eq!(first.endpoint().address, endpoint.address);
    drop(first);
    assert_eq!(counts(), (1, 1));
    assert!(acquire(&cluster, &endpoint).is_ok());
    drop(second);
    assert_eq!(counts(), (0, 0));
    assert_eq!(EndpointState::default().in_flight.into_inner(), 0);
}
