//! Whole frames, and vectors that are no single value of typed JSON: read as they are meant, and written as the very bytes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use bytes::BytesMut;
use codecs::Attachments;
use codecs::dubbo2::{
    Answer, EncodeRequest, EncodeResponse, Event, Frame, Message, Request, ResponseBody, Status,
    encode_error, split,
};
use codecs::hessian2::{Limits, Scratch, TypeNames, Writer, split_arguments, throwable};
use codecs::value::{Value, json};

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The one frame in these bytes, and what it carries.
fn message(digits: &str) -> (Frame, Message) {
    let mut buffer = BytesMut::from(&unhex(digits)[..]);
    let frame = split(&mut buffer, 1 << 20).unwrap().unwrap();
    assert!(buffer.is_empty());
    let message = Message::decode(&frame, &mut Scratch::new(), &Limits::DEFAULT).unwrap();
    (frame, message)
}

fn request(digits: &str) -> Request {
    match message(digits).1 {
        Message::Request(request) => request,
        other => panic!("{other:?}"),
    }
}

/// Reads a request of `com.x.S`, and writes it again from its parts.
fn same(
    digits: &str,
    id: u64,
    two_way: bool,
    method: &str,
    descriptor: &str,
    attachments: &[(&str, &str)],
) -> Request {
    let read = request(digits);
    assert_eq!((read.header.id, read.header.two_way), (id, two_way));
    let names = [&read.dubbo_version, &read.path, &read.version, &read.method].map(|text| text.as_str());
    assert_eq!(names, ["2.0.2", "com.x.S", "0.0.0", method]);
    assert_eq!(read.descriptor.as_deref(), Some(descriptor));
    let told: Vec<_> = read
        .attachments
        .iter()
        .map(|(name, value)| (name.into_owned(), value.to_text().unwrap().into_owned()))
        .collect();
    let told: Vec<_> = told
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(told, attachments);
    let mut new = Attachments::new();
    attachments
        .iter()
        .for_each(|(name, value)| new.set(*name, *value));
    // As they were received, and made anew.
    for attachments in [&read.attachments, &new] {
        let encode = EncodeRequest {
            id,
            two_way,
            dubbo_version: "2.0.2",
            path: "com.x.S",
            version: "0.0.0",
            method,
            descriptor,
            arguments: &read.arguments,
            argument_count: read.argument_count,
            attachments,
        };
        let mut out = Vec::new();
        encode
            .encode(1 << 20, &mut Scratch::new(), &Limits::DEFAULT, &mut out)
            .unwrap();
        assert_eq!(hex(&out), hex(&unhex(digits)));
    }
    read
}

fn shown(bytes: &[u8]) -> String {
    let (value, end) = Value::decode(bytes, &mut Scratch::new(), &Limits::DEFAULT).unwrap();
    assert_eq!(end, bytes.len());
    json::to_json(&value)
}

fn arguments(request: &Request) -> Vec<String> {
    let parts = split_arguments(
        &request.arguments,
        request.argument_count,
        &mut Scratch::new(),
        &Limits::DEFAULT,
    );
    parts.unwrap().iter().map(|part| shown(part)).collect()
}

const PATHS: [(&str, &str); 2] = [("path", "com.x.S"), ("interface", "com.x.S")];

#[test]
fn requests() {
    // F1
    let hello = same(
        "da bb c2 00 00 00 00 00 00 00 00 01 00 00 00 62 05 32 2e 30 2e 32 07 63 6f 6d 2e 78 2e 53 05 30 2e 30 2e 30
         08 73 61 79 48 65 6c 6c 6f 12 4c 6a 61 76 61 2f 6c 61 6e 67 2f 53 74 72 69 6e 67 3b 02 68 69 48
         09 69 6e 74 65 72 66 61 63 65 07 63 6f 6d 2e 78 2e 53 04 70 61 74 68 07 63 6f 6d 2e 78 2e 53
         07 76 65 72 73 69 6f 6e 05 30 2e 30 2e 30 5a",
        1,
        true,
        "sayHello",
        "Ljava/lang/String;",
        &[("interface", "com.x.S"), ("path", "com.x.S"), ("version", "0.0.0")],
    );
    assert_eq!(arguments(&hello), [r#"{"t":"java.lang.String","v":"hi"}"#]);
    // F2
    let add = same(
        "dabbc20000000000000000020000006105322e302e3207636f6d2e782e5305302e302e300361646402494a91e248047061746807636f\
         6d2e782e5309696e7465726661636507636f6d2e782e530776657273696f6e05302e302e300567726f757001670774696d656f757404\
         333030305a",
        2,
        true,
        "add",
        "IJ",
        &[
            PATHS[0],
            PATHS[1],
            ("version", "0.0.0"),
            ("group", "g"),
            ("timeout", "3000"),
        ],
    );
    assert_eq!(
        arguments(&add),
        [
            r#"{"t":"java.lang.Integer","v":1}"#,
            r#"{"t":"java.lang.Long","v":2}"#
        ]
    );
    assert_eq!((&*add.target().group, &*add.target().path), ("g", "com.x.S"));
    // F3
    let ping = same(
        "dabb820000000000000000030000003b05322e302e3207636f6d2e782e5305302e302e300470696e670048047061746807636f6d2e78\
         2e5309696e7465726661636507636f6d2e782e535a",
        3,
        false,
        "ping",
        "",
        &PATHS,
    );
    assert!(arguments(&ping).is_empty());
    // F4
    let echo = same(
        "dabbc20000000000000000040000005105322e302e3207636f6d2e782e5305302e302e3005246563686f124c6a6176612f6c616e672f\
         4f626a6563743b024f4b48047061746807636f6d2e782e5309696e7465726661636507636f6d2e782e535a",
        4,
        true,
        "$echo",
        "Ljava/lang/Object;",
        &PATHS,
    );
    assert!(echo.is_echo());
    assert_eq!(arguments(&echo), [r#"{"t":"java.lang.String","v":"OK"}"#]);
    // F5
    let generic = same(
        "dabbc2000000000000000005000000a905322e302e3207636f6d2e782e5305302e302e300724696e766f6b6530384c6a6176612f6c61\
         6e672f537472696e673b5b4c6a6176612f6c616e672f537472696e673b5b4c6a6176612f6c616e672f4f626a6563743b0568656c6c6f\
         71075b737472696e6707636f6d2e782e5071075b6f626a65637448046e616d65016e05636c61737307636f6d2e782e505a4804706174\
         6807636f6d2e782e530767656e6572696304747275655a",
        5,
        true,
        "$invoke",
        "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;",
        &[PATHS[0], ("generic", "true")],
    );
    assert!(generic.is_generic());
    assert_eq!(
        arguments(&generic),
        [
            r#"{"t":"java.lang.String","v":"hello"}"#,
            r#"{"t":"[Ljava.lang.String;","v":[{"t":"java.lang.String","v":"com.x.P"}]}"#,
            concat!(
                r#"{"t":"[Ljava.lang.Object;","v":[{"t":"java.util.HashMap","v":"#,
                r#"[[{"t":"java.lang.String","v":"name"},{"t":"java.lang.String","v":"n"}],"#,
                r#"[{"t":"java.lang.String","v":"class"},{"t":"java.lang.String","v":"com.x.P"}]]}]}"#
            ),
        ]
    );
    // F18: dubbox writes an int before the descriptor. Ours is the frame around the rule.
    let body = "05322e382e34 07636f6d2e782e53 05302e302e30 0873617948656c6c6f 8f \
                124c6a6176612f6c616e672f537472696e673b 026869 485a";
    let length = format!("{:08x}", unhex(body).len());
    let dubbox = request(&format!("dabbc2000000000000000006{length}{body}"));
    assert_eq!(dubbox.descriptor.as_deref(), Some("Ljava/lang/String;"));
    assert_eq!(arguments(&dubbox), [r#"{"t":"java.lang.String","v":"hi"}"#]);
}

#[test]
fn events() {
    // F6, F7
    let ask = "dabb e2 00 0000000000000001 00000001 4e";
    let (frame, event) = message(ask);
    assert!(matches!(event, Message::Event(Event::Heartbeat)));
    assert_eq!(hex(&Event::heartbeat(1)), hex(&unhex(ask)));
    let mut out = Vec::new();
    assert!(Event::answer(&frame, &mut out));
    let answer = "dabb 22 14 0000000000000001 00000001 4e";
    assert_eq!(hex(&out), hex(&unhex(answer)));
    // F8: from dubbo-go, with a spare null.
    for answer in [answer, "dabb 22 14 0000000000000001 00000002 4e4e"] {
        assert!(matches!(
            message(answer).1,
            Message::Event(Event::HeartbeatResponse)
        ));
    }
    // F9
    let readonly = "dabb a2 00 0000000000000007 00000002 0152";
    let (frame, event) = message(readonly);
    assert!(matches!(event, Message::Event(Event::Readonly)));
    assert_eq!(hex(&Event::readonly(7)), hex(&unhex(readonly)));
    assert!(!Event::answer(&frame, &mut Vec::new()));
}

/// E1: what Java writes of `new RuntimeException("boom")` with an empty stack.
const E1: &str = "431a6a6176612e6c616e672e52756e74696d65457863657074696f6e941473757070726573736564457863657074696f6e730a\
                  737461636b54726163650563617573650d64657461696c4d65737361676560701f6a6176612e7574696c2e436f6c6c6563746\
                  96f6e7324456d7074794c697374701c5b6a6176612e6c616e672e537461636b5472616365456c656d656e74519004626f6f6d";

#[test]
fn responses() {
    let mut attachments = Attachments::new();
    attachments.set("dubbo", "2.0.2");
    let more = "4805647562626f05322e302e325a";
    let thrown = unhex(E1);
    let hi: &[u8] = b"\x02hi";
    // F10 to F15
    for (tag, value, answer, with, length) in [
        ("91", "026869", Answer::Result(hi), false, 4),
        ("92", "", Answer::Null, false, 1),
        ("94", "026869", Answer::Result(hi), true, 0x12),
        ("95", "", Answer::Null, true, 0xf),
        ("90", E1, Answer::Exception(&thrown), false, 0x99),
        ("93", E1, Answer::Exception(&thrown), true, 0xa7),
    ] {
        let tail = if with { more } else { "" };
        let digits = format!("dabb0214 0000000000000001 {length:08x} {tag} {value} {tail}");
        let Message::Response(read) = message(&digits).1 else {
            panic!("{digits}");
        };
        match (&read.body, answer) {
            (ResponseBody::Result(read), Answer::Result(value)) => assert_eq!(read, value),
            (ResponseBody::Exception(read), Answer::Exception(value)) => {
                assert_eq!(read, value);
                let chain = throwable::read(read, &mut Scratch::new(), &Limits::DEFAULT).unwrap();
                assert_eq!(chain[0].message.as_deref(), Some("boom"));
            }
            (ResponseBody::Null, Answer::Null) => {}
            other => panic!("{other:?}"),
        }
        let told = read.attachments.get_text("dubbo");
        assert_eq!(told.as_deref(), with.then_some("2.0.2"));
        let encode = EncodeResponse {
            id: 1,
            answer,
            attachments: with.then_some(&attachments),
        };
        let mut out = Vec::new();
        encode
            .encode(1 << 20, &mut Scratch::new(), &Limits::DEFAULT, &mut out)
            .unwrap();
        assert_eq!(hex(&out), hex(&unhex(&digits)));
    }
    // F16, F17
    for (digits, status, text) in [
        (
            "dabb 02 46 0000000000000001 00000004 03626164",
            Status::SERVICE_ERROR,
            "bad",
        ),
        (
            "dabb 02 64 0000000000000001 00000005 0466756c6c",
            Status::SERVER_THREADPOOL_EXHAUSTED,
            "full",
        ),
    ] {
        let Message::Response(read) = message(digits).1 else {
            panic!("{digits}");
        };
        assert_eq!(read.header.status, status);
        assert!(matches!(&read.body, ResponseBody::Error(told) if told.as_str() == text));
        let mut out = Vec::new();
        encode_error(1, status, text, &mut out);
        assert_eq!(hex(&out), hex(&unhex(digits)));
    }
}

#[test]
fn values_beside_those_of_typed_json() {
    // S14: floats are doubles on the wire; S15: a char is text.
    let float = f64::from(0.1f32);
    for (value, digits) in [
        (
            Value::typed_list("[float", [Value::Double(float)]),
            "71065b666c6f6174443fb99999a0000000",
        ),
        (Value::from("A"), "0141"),
        (Value::from("\u{4e2d}"), "01e4b8ad"),
    ] {
        let mut out = Vec::new();
        value.encode_as(&mut out, TypeNames::Indexed);
        assert_eq!(hex(&out), digits);
        let read = Value::decode(&out, &mut Scratch::new(), &Limits::DEFAULT).unwrap();
        assert_eq!(read, (value, out.len()));
    }
    // O8: the seventeenth class of a stream takes the long form.
    let objects: Vec<Value> = (0..17).map(|n| Value::object(&format!("C{n}"), [])).collect();
    let mut out = Vec::new();
    Value::List(objects.into()).encode(&mut out);
    assert!(
        hex(&out).ends_with("43034331369 04fa0".replace(' ', "").as_str()),
        "{}",
        hex(&out)
    );
    // E3: an RpcException's code and message.
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    let fields = [
        "suppressedExceptions",
        "stackTrace",
        "cause",
        "detailMessage",
        "code",
    ];
    let class = writer.define_class("org.apache.dubbo.rpc.RpcException", fields);
    writer.begin_object(class);
    writer.begin_list(Some("java.util.Collections$EmptyList"), 0);
    writer.begin_list(Some("[java.lang.StackTraceElement"), 0);
    writer.reference(0);
    writer.string("to");
    writer.int(2);
    assert!(hex(&out).ends_with("519002746f92"));
    let chain = throwable::read(&out, &mut Scratch::new(), &Limits::DEFAULT).unwrap();
    assert_eq!(
        (chain.len(), chain[0].code, chain[0].message.as_deref()),
        (1, Some(2), Some("to"))
    );
}
