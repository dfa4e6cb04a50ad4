//! Istio's own rules, checked before an object is sent (`spec/istio-xds.md` 2.8).
