//! Dubbo2 as its users see it: the frames of the spec's section 12.5, and each rule of its sections 2 to 7.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use bytes::{Bytes, BytesMut};
use codecs::Attachments;
use codecs::attachments::AttachmentValue;
use codecs::dubbo2::{
    Answer, DUBBO_VERSION, EncodeError, EncodeRequest, EncodeResponse, Event, Frame, HESSIAN2, Message,
    Opening, Request, Response, ResponseBody, Status, TextLine, descriptor, encode_error,
    may_carry_attachments, split, text_line,
};
use codecs::hessian2::{Limits, Reader, Scratch, Token, throwable};

const LIMITS: Limits = Limits::DEFAULT;
const GENERIC: &str = "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;";

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn frame(bytes: &[u8]) -> Frame {
    let mut buffer = BytesMut::from(bytes);
    let frame = split(&mut buffer, 8 << 20).unwrap().unwrap();
    assert!(buffer.is_empty());
    frame
}

fn request(bytes: &[u8]) -> Request {
    match Message::decode(&frame(bytes), &mut Scratch::new(), &LIMITS).unwrap() {
        Message::Request(request) => request,
        other => panic!("{other:?}"),
    }
}

fn response(bytes: &[u8]) -> Response {
    match Message::decode(&frame(bytes), &mut Scratch::new(), &LIMITS).unwrap() {
        Message::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

/// A frame of these flags, status, id 1 and body.
fn framed(flags: u8, status: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xda, 0xbb, flags, status, 0, 0, 0, 0, 0, 0, 0, 1];
    bytes.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn attachments(pairs: &[(&str, &str)]) -> Attachments {
    let mut attachments = Attachments::new();
    for (name, value) in pairs {
        attachments.set(*name, *value);
    }
    attachments
}

const F1: &str = "dabbc20000000000000000010000006205322e302e3207636f6d2e782e5305302e302e300873617948656c6c6f124c6a6176612f6c616e672f537472696e673b02686948\
    09696e7465726661636507636f6d2e782e53047061746807636f6d2e782e530776657273696f6e05302e302e305a";
const F2: &str = "dabbc20000000000000000020000006105322e302e3207636f6d2e782e5305302e302e300361646402494a91e248047061746807636f6d2e782e5309696e7465726661636507636f6d2e782e530776657273696f6e05302e302e300567726f757001670774696d656f757404333030305a";
const F3: &str = "dabb820000000000000000030000003b05322e302e3207636f6d2e782e5305302e302e300470696e670048047061746807636f6d2e782e5309696e7465726661636507636f6d2e782e535a";
const F4: &str = "dabbc20000000000000000040000005105322e302e3207636f6d2e782e5305302e302e3005246563686f124c6a6176612f6c616e672f4f626a6563743b024f4b48047061746807636f6d2e782e5309696e7465726661636507636f6d2e782e535a";
const F5: &str = "dabbc2000000000000000005000000a905322e302e3207636f6d2e782e5305302e302e300724696e766f6b6530384c6a6176612f6c616e672f537472696e673b5b4c6a6176612f6c616e672f537472696e673b5b4c6a6176612f6c616e672f4f626a6563743b0568656c6c6f71075b737472696e6707636f6d2e782e5071075b6f626a65637448046e616d65016e05636c61737307636f6d2e782e505a48047061746807636f6d2e782e530767656e6572696304747275655a";
/// `RuntimeException("boom")` as a Java provider writes it.
const E1: &str = "431a6a6176612e6c616e672e52756e74696d65457863657074696f6e941473757070726573736564457863657074696f6e730a737461636b54726163650563617573650d64657461696c4d65737361676560701f6a6176612e7574696c2e436f6c6c656374696f6e7324456d7074794c697374701c5b6a6176612e6c616e672e537461636b5472616365456c656d656e74519004626f6f6d";

struct Call {
    hex: &'static str,
    two_way: bool,
    method: &'static str,
    descriptor: &'static str,
    arguments: usize,
    attachments: &'static [(&'static str, &'static str)],
}

const CALLS: [Call; 5] = [
    Call {
        hex: F1,
        two_way: true,
        method: "sayHello",
        descriptor: "Ljava/lang/String;",
        arguments: 1,
        attachments: &[
            ("interface", "com.x.S"),
            ("path", "com.x.S"),
            ("version", "0.0.0"),
        ],
    },
    Call {
        hex: F2,
        two_way: true,
        method: "add",
        descriptor: "IJ",
        arguments: 2,
        attachments: &[
            ("path", "com.x.S"),
            ("interface", "com.x.S"),
            ("version", "0.0.0"),
            ("group", "g"),
            ("timeout", "3000"),
        ],
    },
    Call {
        hex: F3,
        two_way: false,
        method: "ping",
        descriptor: "",
        arguments: 0,
        attachments: &[("path", "com.x.S"), ("interface", "com.x.S")],
    },
    Call {
        hex: F4,
        two_way: true,
        method: "$echo",
        descriptor: "Ljava/lang/Object;",
        arguments: 1,
        attachments: &[("path", "com.x.S"), ("interface", "com.x.S")],
    },
    Call {
        hex: F5,
        two_way: true,
        method: "$invoke",
        descriptor: GENERIC,
        arguments: 3,
        attachments: &[("path", "com.x.S"), ("generic", "true")],
    },
];

#[test]
fn the_requests_of_the_spec_are_read_and_written() {
    for (number, call) in (1u64..).zip(&CALLS) {
        let bytes = unhex(call.hex);
        let request = request(&bytes);
        assert_eq!(
            (request.header.id, request.header.two_way),
            (number, call.two_way),
            "F{number}"
        );
        assert_eq!(&*request.dubbo_version, DUBBO_VERSION);
        assert_eq!(
            (&*request.path, &*request.version, &*request.method),
            ("com.x.S", "0.0.0", call.method)
        );
        assert_eq!(request.descriptor.as_deref(), Some(call.descriptor));
        assert_eq!(request.argument_count, call.arguments, "F{number}");
        let found: Vec<_> = request
            .attachments
            .iter()
            .map(|(n, v)| (n.into_owned(), v.to_text().unwrap().into_owned()))
            .collect();
        let want: Vec<_> = call
            .attachments
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        assert_eq!(found, want, "F{number}");
        assert_eq!(request.is_echo(), call.method == "$echo");
        assert_eq!(request.is_generic(), call.method == "$invoke");
        let target = request.target();
        assert_eq!(
            (&*target.path, &*target.group),
            ("com.x.S", if number == 2 { "g" } else { "" })
        );

        let mut out = Vec::new();
        EncodeRequest {
            id: number,
            two_way: call.two_way,
            dubbo_version: DUBBO_VERSION,
            path: "com.x.S",
            version: "0.0.0",
            method: call.method,
            descriptor: call.descriptor,
            arguments: &request.arguments,
            argument_count: call.arguments,
            attachments: &attachments(call.attachments),
        }
        .encode(1 << 20, &mut Scratch::new(), &LIMITS, &mut out)
        .unwrap();
        assert_eq!(out, bytes, "F{number}");
    }
}

#[test]
fn the_responses_of_the_spec_are_read_and_written() {
    let exception = unhex(E1);
    let hi: &[u8] = b"\x02hi";
    let map = [("dubbo", "2.0.2")];
    let with = "4805647562626f05322e302e325a";
    let cases = [
        ("91026869".to_owned(), Answer::Result(hi), false),
        ("92".to_owned(), Answer::Null, false),
        (format!("94026869{with}"), Answer::Result(hi), true),
        (format!("95{with}"), Answer::Null, true),
        (format!("90{E1}"), Answer::Exception(&exception), false),
        (format!("93{E1}{with}"), Answer::Exception(&exception), true),
    ];
    for (body, answer, with_attachments) in cases {
        let bytes = framed(0x02, 20, &unhex(&body));
        let read = response(&bytes);
        let want = match answer {
            Answer::Result(value) => ResponseBody::Result(Bytes::copy_from_slice(value)),
            Answer::Null => ResponseBody::Null,
            Answer::Exception(value) => ResponseBody::Exception(Bytes::copy_from_slice(value)),
        };
        assert_eq!(read.body, want, "{body}");
        assert_eq!(
            read.attachments.get_text("dubbo").as_deref(),
            with_attachments.then_some("2.0.2")
        );
        let attachments = attachments(&map);
        let response = EncodeResponse {
            id: 1,
            answer,
            attachments: with_attachments.then_some(&attachments),
        };
        let mut out = b"before".to_vec();
        response
            .encode(1 << 20, &mut Scratch::new(), &LIMITS, &mut out)
            .unwrap();
        assert_eq!(out[6..], bytes, "{body}");
        // One byte too many: nothing is written.
        out.truncate(6);
        let most = bytes.len() - 17;
        let refused = response
            .encode(most, &mut Scratch::new(), &LIMITS, &mut out)
            .unwrap_err();
        assert_eq!(
            refused,
            EncodeError::TooLarge {
                len: most + 1,
                max: most
            }
        );
        assert_eq!(out, b"before");
    }
    // A null value is written by tag, whoever asks for it.
    let mut out = Vec::new();
    let null = EncodeResponse {
        id: 1,
        answer: Answer::Result(b"N"),
        attachments: None,
    };
    null.encode(100, &mut Scratch::new(), &LIMITS, &mut out).unwrap();
    assert_eq!(out, framed(0x02, 20, &[0x92]));
    let chain = throwable::read(&exception, &mut Scratch::new(), &LIMITS).unwrap();
    assert_eq!((chain.len(), chain[0].message.as_deref()), (1, Some("boom")));
}

/// Forms that some peers send.
#[test]
fn unusual_responses_are_read() {
    let null = ResponseBody::Null;
    for (body, want) in [
        ("914e", &null),
        ("944e485a", &null),
        // dubbo-go's spare null; a map that is missing, or null.
        ("924e", &null),
        ("95", &null),
        ("954e", &null),
        // The tag in other forms of an int.
        ("c802", &null),
        ("d40002", &null),
        ("4900000002", &null),
        (
            "91 c805 4e",
            &ResponseBody::Result(Bytes::from_static(b"\xc8\x05")),
        ),
    ] {
        let read = response(&framed(0x02, 20, &unhex(body)));
        assert_eq!(&read.body, want, "{body}");
        assert!(read.attachments.is_empty(), "{body}");
    }
    for body in [
        "",
        "96",
        "8f",
        "e1",
        "0131",
        "91",
        "9148",
        "94026869 90",
        "94026869 48 01",
    ] {
        let frame = frame(&framed(0x02, 20, &unhex(body)));
        assert!(
            Message::decode(&frame, &mut Scratch::new(), &LIMITS).is_err(),
            "{body}"
        );
    }
}

#[test]
fn every_status_carries_its_text() {
    for status in 0..=255u8 {
        if status == 20 {
            continue;
        }
        for (body, want) in [
            ("03626164", "bad"),
            ("4e", ""),
            ("00", ""),
            ("", ""),
            ("48", ""),
            ("97", "7"),
            ("54", "true"),
        ] {
            let read = response(&framed(0x02, status, &unhex(body)));
            assert_eq!(read.body, ResponseBody::Error(want.into()), "{status} {body}");
            assert_eq!(read.header.status, Status(status));
        }
        // In fastjson2: status and no text, and no error.
        let read = response(&framed(0x17, status, &[0, 0, 0, 4, 0x4c, b'b', b'a', b'd']));
        assert_eq!(
            (read.body, read.header.serialization),
            (ResponseBody::Error("".into()), 23)
        );
        let mut out = Vec::new();
        encode_error(1, Status(status), "bad", &mut out);
        assert_eq!(out, framed(0x02, status, b"\x03bad"));
    }
    let names = (0..=255u8).filter_map(|status| Status(status).name()).count();
    assert_eq!(names, 12);
    // Cut on a character, and never null.
    let mut out = Vec::new();
    encode_error(
        1,
        Status::SERVER_ERROR,
        &format!("{}é", "x".repeat(4095)),
        &mut out,
    );
    assert_eq!(response(&out).body, ResponseBody::Error("x".repeat(4095).into()));
    out.clear();
    encode_error(1, Status::SERVER_ERROR, "", &mut out);
    assert_eq!(out, framed(0x02, 80, &[0]));
}

#[test]
fn other_serializations_are_known_by_their_header() {
    for serialization in (0..32).filter(|id| *id != HESSIAN2) {
        let body = [0xff, 0x00, 0xda, 0xbb];
        let bytes = framed(0xc0 | serialization, 0, &body);
        match Message::decode(&frame(&bytes), &mut Scratch::new(), &LIMITS).unwrap() {
            Message::Opaque(header, read) => {
                assert_eq!(
                    (header.serialization, header.two_way, &read[..]),
                    (serialization, true, &body[..])
                );
            }
            other => panic!("{other:?}"),
        }
        let read = response(&framed(serialization, 20, &body));
        assert_eq!(read.body, ResponseBody::Opaque(Bytes::copy_from_slice(&body)));
        // And go on under another id as they came.
        let mut out = BytesMut::new();
        frame(&bytes).write_as(u64::MAX, &mut out);
        assert_eq!(out[4..12], [0xff; 8]);
        assert_eq!((&out[..4], &out[12..]), (&bytes[..4], &bytes[12..]));
    }
}

#[test]
fn events_are_told_and_answered() {
    assert_eq!(
        Event::heartbeat(1)[..],
        unhex("dabb e2 00 0000000000000001 00000001 4e")
    );
    assert_eq!(
        Event::readonly(7)[..],
        unhex("dabb a2 00 0000000000000007 00000002 0152")
    );
    assert_eq!(
        Event::writable(7)[..],
        unhex("dabb a2 00 0000000000000007 00000002 0157")
    );
    let cases = [
        // A heartbeat, of dubbo-go, of an old client without body, in fastjson2 and in protobuf.
        (0xe2, "4e", Event::Heartbeat, Some("4e")),
        (0xe2, "4e4e", Event::Heartbeat, Some("4e4e")),
        (0xe2, "", Event::Heartbeat, Some("4e")),
        (0xf7, "00000001af", Event::Heartbeat, Some("00000001af")),
        (0xf6, "00", Event::Heartbeat, Some("00")),
        (0xa2, "4e", Event::Heartbeat, None),
        (0xa2, "0152", Event::Readonly, None),
        (0xa2, "0157", Event::Writable, None),
        (0xe2, "0152", Event::Readonly, Some("0152")),
        (0xa2, "0178", Event::Other(Bytes::from_static(b"\x01x")), None),
        (0xa2, "05", Event::Other(Bytes::from_static(b"\x05")), None),
        (0xa2, "91", Event::Other(Bytes::from_static(b"\x91")), None),
        (0x22, "4e", Event::HeartbeatResponse, None),
        (0x22, "4e4e", Event::HeartbeatResponse, None),
        (0x22, "", Event::HeartbeatResponse, None),
    ];
    for (flags, body, want, answer) in cases {
        let status = if flags & 0x80 == 0 { 20 } else { 0 };
        let frame = frame(&framed(flags, status, &unhex(body)));
        match Message::decode(&frame, &mut Scratch::new(), &LIMITS).unwrap() {
            Message::Event(event) => assert_eq!(event, want, "{flags:x} {body}"),
            other => panic!("{other:?}"),
        }
        let mut out = BytesMut::new();
        assert_eq!(
            Event::answer(&frame, &mut out),
            answer.is_some(),
            "{flags:x} {body}"
        );
        let answer = answer.map(|body| framed(0x20 | flags & 0x1f, 20, &unhex(body)));
        assert_eq!(out, answer.unwrap_or_default());
    }
}

/// Spec 7.2, the row of Java 2.7.8 and later: what `Version.isSupportResponseAttachment` of Dubbo 2.7.23 says of each.
#[test]
fn the_version_of_a_request_decides_about_attachments() {
    for version in [
        "2.0.2",
        "2.0.3",
        "2.0.9",
        "2.0.10",
        "2.0.99",
        "2.0.2-SNAPSHOT",
        "2.0.2.RELEASE-x",
        "2.0.2.",
        "2.0.2.1",
        "2..2",
        "2..2x",
        "2x.0y.2z",
        "2000200",
    ] {
        assert!(may_carry_attachments(version), "{version}");
    }
    for version in [
        "",
        "2.0.0",
        "2.0.1",
        "2.0.1.99",
        "2.1.0",
        "2.4.10",
        "2.5.3",
        "2.5.3.6",
        "2.6.2",
        "2.6.2.1",
        "2.7.0",
        "2.8.4",
        "2.8.4a",
        "3.0.0",
        "3",
        "2",
        "2.0",
        "2.0.x",
        "2.0.100",
        "2.0.2.x.y",
        "x",
        "x.y.z",
        "x.0.2",
        "..",
        "20002",
        "99999999999999999999.0.2",
        "-2.0.2",
        "v2.0.2",
        " 2.0.2",
        "1.2.3.4.5.6.7.8.9.10.11.12",
    ] {
        assert!(!may_carry_attachments(version), "{version}");
    }
}

/// Values that are no strings, and the order in which names win.
#[test]
fn attachments_of_every_kind_are_read() {
    // timeout int, _TO long, flag true, ratio 0.5, nothing null, when date, bytes, list of strings, path, version
    let map = "48 0774696d656f7574 cbe8 035f544f f9f4 04666c6167 54 05726174696f 5f000001f4 076e6f7468696e67 4e \
               047768656e 4b00000000 056279746573 220102 046c697374 7a 0161 0162 0470617468 0b2f616c6961732f6f662f53 \
               0776657273696f6e 05312e302e30 5a";
    let mut body = unhex("05322e302e32 07636f6d2e782e53 4e 0470696e67 00");
    body.extend_from_slice(&unhex(map));
    let request = request(&framed(0xc2, 0, &body));
    let get = |name: &str| request.attachments.get(name).unwrap();
    assert_eq!(get("timeout"), AttachmentValue::Int(1000));
    assert_eq!(get("_TO"), AttachmentValue::Long(500));
    assert_eq!(get("flag"), AttachmentValue::Bool(true));
    assert_eq!(get("ratio"), AttachmentValue::Double(0.5));
    assert_eq!(get("nothing"), AttachmentValue::Null);
    for (name, bytes) in [
        ("when", "4b00000000"),
        ("bytes", "220102"),
        ("list", "7a01610162"),
    ] {
        assert_eq!(get(name), AttachmentValue::Other(Some(&unhex(bytes))), "{name}");
        assert_eq!(request.attachments.get_text(name), None);
    }
    assert_eq!(request.attachments.get_text("timeout").as_deref(), Some("1000"));
    let target = request.target();
    assert_eq!((&*target.path, &*target.version), ("/alias/of/S", "1.0.0"));
    assert_eq!((&*request.path, &*request.version), ("com.x.S", ""));
    // The map goes on as it came.
    let mut out = Vec::new();
    let mut writer = codecs::hessian2::Writer::new(&mut out);
    request
        .attachments
        .write_hessian(&mut writer, &mut Scratch::new(), &LIMITS)
        .unwrap();
    assert_eq!(out, unhex(map));
}

/// What a generic call names: the real method, its types and its arguments.
#[test]
fn a_generic_call_names_the_real_method() {
    let request = request(&unhex(F5));
    let mut scratch = Scratch::new();
    let mut reader = Reader::new(&request.arguments, &mut scratch, &LIMITS);
    assert!(matches!(reader.read().unwrap(), Token::Str(name) if name.is("hello")));
    let mut asynchronous = CALLS[4]
        .hex
        .replace("0724696e766f6b65", "0c24696e766f6b654173796e63");
    asynchronous.replace_range(24..32, "000000ae");
    assert!(self::request(&unhex(&asynchronous)).is_generic());
    // A method of a service may be called so, with other arguments.
    let mut body = unhex("05322e302e32 07636f6d2e782e53 00 0724696e766f6b65 0149 91 4e");
    assert!(!self::request(&framed(0xc2, 0, &body)).is_generic());
    body.truncate(body.len() - 1);
    assert!(self::request(&framed(0xc2, 0, &body)).attachments.is_empty());
}

/// The key by which overloads are told apart is the descriptor, and generic calls spell it by class names.
#[test]
fn descriptors_and_class_names_are_one_grammar() {
    let all = "ZBCSIJFD[I[[JLjava/lang/String;[Ljava/lang/String;Lcom/x/Outer$Inner;[[Lcom/x/A;";
    let names: Vec<_> = descriptor::parameters(all).map(descriptor::class_name).collect();
    let want = [
        "boolean",
        "byte",
        "char",
        "short",
        "int",
        "long",
        "float",
        "double",
        "int[]",
        "long[][]",
        "java.lang.String",
        "java.lang.String[]",
        "com.x.Outer$Inner",
        "com.x.A[][]",
    ];
    assert_eq!(names, want);
    assert_eq!(
        names
            .iter()
            .map(|name| descriptor::of_class_name(name))
            .collect::<String>(),
        all
    );
}

#[test]
fn what_speaks_is_told_by_the_first_bytes() {
    for (bytes, want) in [
        (&b"\xda\xbb"[..], Some(Opening::Dubbo2)),
        (b"\xda", None),
        (b"\xda\xbc", Some(Opening::Unknown)),
        (b"\x16", Some(Opening::Tls)),
        (b"P", None),
        (b"PRI * HTTP/2.0\r\n", Some(Opening::Http2)),
        (b"PRI * HTTP/2.0\r\n\r\nSM", Some(Opening::Http2)),
        (b"POST / HTTP/1.1", Some(Opening::Text)),
        (b"status\r\n", Some(Opening::Text)),
        (b"\xff\xf4\xff\xfd\x06", Some(Opening::Text)),
        (b"\x03", Some(Opening::Text)),
        (b"\x00", Some(Opening::Unknown)),
        (b"", None),
    ] {
        assert_eq!(Opening::of(bytes), want, "{bytes:x?}");
    }
}

#[test]
fn telnet_lines_end_in_either_way_and_are_bounded() {
    let mut buffer = BytesMut::from(&b"status\r\n ls \n\xff\xfe\nrest"[..]);
    for want in ["status", "ls", "\u{fffd}\u{fffd}"] {
        assert_eq!(
            text_line(&mut buffer, 64),
            Some(TextLine::Command(want.to_owned()))
        );
    }
    assert_eq!((text_line(&mut buffer, 64), &buffer[..]), (None, &b"rest"[..]));
    for exit in [&b"\x03"[..], b"\xff\xf4\xff\xfd\x06", b"\xff\xed\xff\xfd\x06"] {
        assert_eq!(text_line(&mut BytesMut::from(exit), 64), Some(TextLine::Exit));
    }
    let mut long = BytesMut::from(&[b'x'; 65][..]);
    assert_eq!(text_line(&mut long, 64), Some(TextLine::TooLong));
    assert_eq!(text_line(&mut BytesMut::from(&[b'x'; 64][..]), 64), None);
}
