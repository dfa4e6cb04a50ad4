//! Triple by hand: message prefixes and wrapper messages.

use crate::hessian::{Reader, Value};
use crate::proto::{self, Message};

/// A message with its five-byte prefix.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend((message.len() as u32).to_be_bytes());
    bytes.extend_from_slice(message);
    bytes
}

/// The first message of a body; `None` when it is not whole or compressed.
pub fn unframed(body: &[u8]) -> Option<&[u8]> {
    let (prefix, rest) = body.split_at_checked(5)?;
    let length = u32::from_be_bytes(prefix.get(1..)?.try_into().ok()?);
    (prefix.first() == Some(&0)).then_some(())?;
    rest.get(..usize::try_from(length).ok()?)
}

/// A `TripleRequestWrapper` of these arguments and their declared types.
pub fn wrap_arguments(arguments: &[(&str, Value)]) -> Vec<u8> {
    let mut message = Message::new().bytes(1, "hessian4");
    for (_, value) in arguments {
        message = message.bytes(2, value.to_bytes());
    }
    for (java, _) in arguments {
        message = message.bytes(3, java);
    }
    message.into_bytes()
}

/// A `TripleResponseWrapper` of a result and its declared type.
pub fn wrap_result(java: &str, value: &Value) -> Vec<u8> {
    Message::new()
        .bytes(1, "hessian4")
        .bytes(2, value.to_bytes())
        .bytes(3, java)
        .into_bytes()
}

/// The arguments of a `TripleRequestWrapper`, with their declared types; `None` when it is none.
pub fn unwrap_arguments(message: &[u8]) -> Option<Vec<(String, Value)>> {
    let fields = proto::read(message)?;
    let all = |number: u32| {
        fields.iter().filter_map(move |(n, field)| match field {
            proto::Field::Bytes(bytes) if *n == number => Some(bytes.as_slice()),
            _ => None,
        })
    };
    let mut arguments = Vec::new();
    for (value, java) in all(2).zip(all(3)) {
        arguments.push((
            String::from_utf8_lossy(java).into_owned(),
            Reader::new(value).read().ok()?,
        ));
    }
    Some(arguments)
}

/// The value of a `TripleResponseWrapper`; `None` when it is none.
pub fn unwrap_result(message: &[u8]) -> Option<Value> {
    let fields = proto::read(message)?;
    match proto::bytes_of(&fields, 2) {
        Some(data) if !data.is_empty() => Reader::new(data).read().ok(),
        _ => Some(Value::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_as_the_specification_shows() {
        let bytes = framed(&wrap_arguments(&[("java.lang.String", Value::text("world"))]));
        let mut expected = vec![0, 0, 0, 0, 0x24, 0x0a, 8];
        expected.extend(b"hessian4\x12\x06\x05world\x1a\x10java.lang.String");
        assert_eq!(bytes, expected);
        let message = unframed(&bytes).unwrap();
        assert_eq!(
            unwrap_arguments(message),
            Some(vec![("java.lang.String".to_owned(), Value::text("world"))])
        );
        assert_eq!(
            unwrap_result(&wrap_result("void", &Value::Null)),
            Some(Value::Null)
        );
    }
}
