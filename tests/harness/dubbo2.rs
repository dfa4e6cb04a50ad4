//! Dubbo2 by hand: frames, requests and responses as a peer writes and reads them.

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::hessian::{NotHessian, Reader, Value, Writer};

/// The serialization id of Hessian 2.
pub const HESSIAN2: u8 = 2;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The third byte: request 0x80, two-way 0x40, event 0x20, serialization id below.
    pub flags: u8,
    /// The fourth byte.
    pub status: u8,
    /// The request id.
    pub id: u64,
    /// The body.
    pub body: Vec<u8>,
}

impl Frame {
    /// A request that wants an answer.
    pub fn request(id: u64, body: Vec<u8>) -> Self {
        Self {
            flags: 0xc0 | HESSIAN2,
            status: 0,
            id,
            body,
        }
    }

    /// A response.
    pub fn response(id: u64, status: u8, body: Vec<u8>) -> Self {
        Self {
            flags: HESSIAN2,
            status,
            id,
            body,
        }
    }

    /// A heartbeat that wants an answer.
    pub fn heartbeat(id: u64) -> Self {
        Self {
            flags: 0xe0 | HESSIAN2,
            status: 0,
            id,
            body: vec![b'N'],
        }
    }

    /// The event by which a provider asks for no new calls.
    pub fn readonly(id: u64) -> Self {
        Self {
            flags: 0xa0 | HESSIAN2,
            status: 0,
            id,
            body: Value::text("R").to_bytes(),
        }
    }

    /// Whether it is a request.
    pub fn is_request(&self) -> bool {
        self.flags & 0x80 != 0
    }

    /// Whether it is a heartbeat or another event.
    pub fn is_event(&self) -> bool {
        self.flags & 0x20 != 0
    }

    /// Whether an answer is wanted.
    pub fn is_two_way(&self) -> bool {
        self.flags & 0x40 != 0
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0xda, 0xbb, self.flags, self.status];
        bytes.extend(self.id.to_be_bytes());
        bytes.extend((self.body.len() as u32).to_be_bytes());
        bytes.extend(&self.body);
        bytes
    }

    /// The next frame of a stream; `None` at its end or where no frame stands.
    pub async fn read<R: AsyncRead + Unpin>(reader: &mut R) -> Option<Self> {
        let mut header = [0; 16];
        reader.read_exact(&mut header).await.ok()?;
        let length = u32::from_be_bytes(header[12..].try_into().ok()?);
        if header[..2] != [0xda, 0xbb] || length > 64 << 20 {
            return None;
        }
        let mut body = vec![0; length as usize];
        reader.read_exact(&mut body).await.ok()?;
        Some(Self {
            flags: header[2],
            status: header[3],
            id: u64::from_be_bytes(header[4..12].try_into().ok()?),
            body,
        })
    }
}

/// A call as a provider reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The path, usually the interface.
    pub path: String,
    /// The version; `0.0.0` for none.
    pub version: String,
    /// The method.
    pub method: String,
    /// The parameter types as a JVM descriptor.
    pub descriptor: String,
    /// The arguments.
    pub arguments: Vec<Value>,
    /// The attachments.
    pub attachments: Value,
    /// The bytes of the arguments.
    pub argument_bytes: Vec<u8>,
}

impl Call {
    /// A call as a consumer writes it, `path` and `interface` alike.
    pub fn new(interface: &str, method: &str, descriptor: &str, arguments: Vec<Value>) -> Self {
        let attachments = [
            ("path", interface),
            ("interface", interface),
            ("version", "0.0.0"),
        ];
        let attachments = attachments.map(|(key, value)| (Value::text(key), Value::text(value)));
        Self {
            path: interface.to_owned(),
            version: "0.0.0".to_owned(),
            method: method.to_owned(),
            descriptor: descriptor.to_owned(),
            arguments,
            attachments: Value::Map(None, attachments.into()),
            argument_bytes: Vec::new(),
        }
    }

    /// The same call with one attachment more.
    #[must_use]
    pub fn attach(mut self, key: &str, value: &str) -> Self {
        if let Value::Map(_, entries) = &mut self.attachments {
            entries.push((Value::text(key), Value::text(value)));
        }
        self
    }

    /// The same call to a group and version.
    #[must_use]
    pub fn of(mut self, group: &str, version: &str) -> Self {
        self.version = version.to_owned();
        if let Value::Map(_, entries) = &mut self.attachments {
            entries.retain(|(key, _)| key.as_text() != Some("version"));
        }
        let call = self.attach("version", version);
        if group.is_empty() {
            call
        } else {
            call.attach("group", group)
        }
    }

    /// The body of its frame.
    pub fn to_body(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        for text in ["2.0.2", &self.path, &self.version, &self.method, &self.descriptor] {
            writer.write(&Value::text(text));
        }
        self.arguments.iter().for_each(|argument| writer.write(argument));
        writer.write(&self.attachments);
        writer.into_bytes()
    }

    /// Reads the body of a request.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(body: &[u8]) -> Result<Self, NotHessian> {
        let mut reader = Reader::new(body);
        let mut texts = Vec::new();
        for _ in 0..5 {
            texts.push(reader.read()?.as_text().unwrap_or_default().to_owned());
        }
        let begin = reader.position();
        let mut values = Vec::new();
        let mut end = begin;
        while !reader.is_at_end() {
            end = reader.position();
            values.push(reader.read()?);
        }
        let attachments = values.pop().unwrap_or(Value::Null);
        let mut texts = texts.into_iter().skip(1);
        let mut next = || texts.next().unwrap_or_default();
        Ok(Self {
            path: next(),
            version: next(),
            method: next(),
            descriptor: next(),
            arguments: values,
            attachments,
            argument_bytes: body.get(begin..end).unwrap_or_default().to_vec(),
        })
    }
}

/// What a consumer gets for a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// A result.
    Value(Value),
    /// An exception that the provider threw, or that a gateway says is final.
    Exception(Value),
    /// A status other than 20, with its text.
    Status(u8, String),
}

impl Response {
    /// Reads the body of a response.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(frame: &Frame) -> Result<Self, NotHessian> {
        let mut reader = Reader::new(&frame.body);
        if frame.status != 20 {
            let text = reader
                .read()
                .map(|text| text.as_text().unwrap_or_default().to_owned());
            return Ok(Self::Status(frame.status, text.unwrap_or_default()));
        }
        Ok(match reader.read()? {
            Value::Int(0 | 3) => Self::Exception(reader.read()?),
            Value::Int(1 | 4) => Self::Value(reader.read()?),
            Value::Int(2 | 5) => Self::Value(Value::Null),
            _ => Self::Value(Value::Null),
        })
    }

    /// The body of a response frame with this outcome.
    pub fn to_body(&self) -> (u8, Vec<u8>) {
        let mut writer = Writer::default();
        match self {
            Self::Value(Value::Null) => writer.write(&Value::Int(2)),
            Self::Value(value) => {
                writer.write(&Value::Int(1));
                writer.write(value);
            }
            Self::Exception(throwable) => {
                writer.write(&Value::Int(0));
                writer.write(throwable);
            }
            Self::Status(status, text) => {
                writer.write(&Value::text(text));
                return (*status, writer.into_bytes());
            }
        }
        (20, writer.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_request_of_java() {
        let bytes = include_bytes!("../fixtures/java-captures/dubbo-2.7.23-hello.req.bin");
        let call = Call::read(&bytes[16..]).unwrap();
        assert_eq!(
            (call.method.as_str(), call.descriptor.as_str()),
            ("hello", "Ljava/lang/String;")
        );
        assert_eq!(call.arguments, [Value::text("world")]);
        assert_eq!(call.argument_bytes, b"\x05world");
        assert!(call.attachments.field("path").is_some());
    }

    #[test]
    fn reads_a_response_of_java() {
        let bytes = include_bytes!("../fixtures/java-captures/dubbo-2.7.23-hello.resp.bin");
        let frame = Frame::response(0, bytes[3], bytes[16..].to_vec());
        assert_eq!(
            Response::read(&frame),
            Ok(Response::Value(Value::text("hello world")))
        );
    }
}
