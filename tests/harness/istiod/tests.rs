use serde_json::json;

use super::*;

#[tokio::test]
async fn refuses_what_it_does_not_simulate() {
    let istiod = Istiod::start().await.unwrap();
    let object = |kind: &str, spec: serde_json::Value| json!({"kind": kind, "metadata": {"name": "a", "namespace": "b"}, "spec": spec});
    for (bad, words) in [
        (object("Gateway", json!({})), "not simulated"),
        (json!({"kind": "ServiceEntry"}), "no namespace"),
        (object("ServiceEntry", json!({})), "no host"),
        (
            object("ServiceEntry", json!({"hosts": ["Bad_Host!"]})),
            "invalid host",
        ),
        (
            object(
                "ServiceEntry",
                json!({"hosts": ["a"], "ports": [{"number": 1, "protocol": "dubbo"}]}),
            ),
            "unsupported protocol",
        ),
    ] {
        let error = istiod.apply(&bad).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert!(istiod.hosts().is_empty());
}
