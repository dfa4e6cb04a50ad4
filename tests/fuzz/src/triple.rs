//! Triple: messages, wrappers, headers and statuses.

use bytes::{Buf, Bytes, BytesMut};
use codecs::hessian2::{Scratch as HessianScratch, throwable};
use codecs::invocation::Text;
use codecs::plan::exception::{Builds, to_throwable};
use codecs::plan::{self, Plan, ResultTarget, Scratch};
use codecs::triple::headers::{self, Caller, ContentType};
use codecs::triple::message::{Compression, Splitter};
use codecs::triple::status::{Status, details};
use codecs::triple::wrapper;
use codecs::{Attachments, Encoding, Payload};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{LIMITS, MAX};

/// gRPC messages in any chunking; wrappers.
pub fn triple_message(data: &[u8]) {
    let mut whole = Splitter::new(MAX);
    whole.push(Bytes::copy_from_slice(data));
    let mut pieces = Splitter::new(MAX);
    let mut rest = Bytes::copy_from_slice(data);
    while rest.has_remaining() {
        pieces.push(rest.split_to(rest.len().min(5)));
    }
    loop {
        let (message, same) = (whole.next_message(), pieces.next_message());
        match (&message, &same) {
            (Ok(message), Ok(same)) => assert_eq!(message, same),
            (Err(_), Err(_)) => return,
            _ => panic!("{message:?} {same:?}"),
        }
        let Ok(Some(message)) = message else { return };
        let Ok(bytes) = message.inflate(Compression::Gzip, MAX) else {
            continue;
        };
        assert!(bytes.len() <= MAX);
    }
}

/// Wrappers are written as they were read, and what they hold becomes one Hessian stream and back.
pub fn triple_wrapper(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let mut scratch = Scratch::default();
    let mut out = BytesMut::new();
    if let Ok(request) = wrapper::Request::decode(&bytes) {
        request.encode(&mut out);
        let again = wrapper::Request::decode(&out.split().freeze()).expect("what was written is read");
        assert_eq!(
            (&again.serialize_type, &again.args),
            (&request.serialize_type, &request.args)
        );
        let written = |name: &Text| {
            if name.is_empty() {
                "java.lang.Object".into()
            } else {
                name.clone()
            }
        };
        assert!(
            again
                .arg_types
                .iter()
                .eq(&request.arg_types.iter().map(written).collect::<Vec<_>>())
        );
        let from = Payload::new(Encoding::Wrapper, bytes.clone());
        let plan = Plan::default();
        if let Ok(joined) = plan.arguments(&from, None, Encoding::Hessian2, &mut scratch, &LIMITS)
            && let Ok(Some(types)) = plan::descriptor_of_wrapper(&bytes)
            && request.arg_types.len() == request.args.len()
        {
            let _ = plan.arguments(&joined, Some(&types), Encoding::Wrapper, &mut scratch, &LIMITS);
        }
    }
    if let Ok(response) = wrapper::Response::decode(&bytes) {
        response.encode(&mut out);
        let again = wrapper::Response::decode(&out.freeze()).expect("what was written is read");
        assert_eq!(again.value(), response.value());
        let from = Payload::new(Encoding::Wrapper, bytes.clone());
        let target = ResultTarget::new(Encoding::Hessian2);
        let _ = Plan::default().result(&from, &target, &mut scratch, &LIMITS);
        let _ = plan::throwable_of_wrapper(&bytes);
    }
    let _ = wrapper::Exception::decode(&bytes);
}

/// Lines of `name: value` as a header block: attachments, deadline, status with details, and the Throwable of it.
pub fn triple_headers(data: &[u8]) {
    let mut block = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            let _ = block.try_append(name, value);
        }
    }
    let _ = Caller::of(&block);
    for value in block.values() {
        let _ = (
            ContentType::parse(value.as_bytes()),
            Compression::parse(&headers::attachments::header_text(value)),
        );
        if let Some(timeout) = headers::parse_timeout(value.as_bytes()) {
            let text = headers::format_timeout(timeout);
            assert!(
                text.len() <= 9 && headers::parse_timeout(text.as_bytes()).is_some(),
                "{text}"
            );
        }
        let text = headers::attachments::header_text(value);
        if let Some((service, method)) = headers::split_path(&text) {
            assert!(!service.is_empty() && !method.is_empty());
            let _ = (
                headers::without_context_path(service),
                headers::lower_first(method),
            );
            assert!(headers::same_method(method, &headers::lower_first(method)));
        }
    }
    headers::read(&block, |name, _| assert!(!name.is_empty()));
    let attachments = Attachments::from_headers(block.clone());
    let mut written = HeaderMap::new();
    let _ = headers::write_all(&attachments, &mut written, headers::NonAscii::Percent);

    let Some(status) = Status::from_headers(&block) else {
        return;
    };
    let mut trailers = HeaderMap::new();
    status.write(&mut trailers);
    let again = Status::from_headers(&trailers).expect("what was written is read");
    assert_eq!(again.code, status.clone().folded().code);
    if status.message.len() <= 1024 {
        assert_eq!(again.message, status.message);
    }
    if let Some(details) = details::parse(&status.details) {
        let _ = details::error_info(&details);
    }
    let mut scratch = Scratch::default();
    for builds in [
        Builds::Unproven,
        Builds::Alibaba,
        Builds::Apache,
        Builds::Apache33,
    ] {
        let thrown = to_throwable(&status, None, builds, &mut scratch, &LIMITS);
        let chain = throwable::read(
            &thrown,
            &mut HessianScratch::new(),
            &codecs::hessian2::Limits::DEFAULT,
        );
        assert_eq!(chain.expect("a Throwable").len(), 1);
    }
}
