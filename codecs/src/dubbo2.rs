//! Dubbo2: frames, requests, responses, events.
