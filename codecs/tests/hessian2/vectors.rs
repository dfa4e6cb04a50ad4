//! Vectors: bytes that hessian-lite 3 and 4 and other codecs agree on.

use codecs::hessian2::{Scratch, TypeNames, Writer, throwable};
use codecs::value::{Value, json};

use super::{LIMITS, hex, read, skimmed, unhex};

/// Typed JSON of one value and its bytes; with `<` before the hex we only read it.
const VECTORS: &[(&str, &str)] = &[
    // 12.1
    ("null", "4e"),
    (r#"{"t":"java.lang.Boolean","v":true}"#, "54"),
    (r#"{"t":"java.lang.Boolean","v":false}"#, "46"),
    // 12.3
    (r#"{"t":"[I","v":[I1,I2,I300]}"#, "73045b696e749192c92c"),
    (
        r#"{"t":"[Ljava.lang.String;","v":["a",null]}"#,
        "72075b737472696e6701614e",
    ),
    (
        r#"{"t":"[Ljava.lang.Object;","v":[I1,"a"]}"#,
        "72075b6f626a656374910161",
    ),
    (
        r#"{"t":"[Ljava.lang.Integer;","v":[I1]}"#,
        "71125b6a6176612e6c616e672e496e746567657291",
    ),
    (
        r#"{"t":"[[I","v":[{"t":"[I","v":[I1]},{"t":"[I","v":[I2]}]}"#,
        "72055b5b696e7471045b696e7491719192",
    ),
    (r#"{"t":"java.util.ArrayList","v":[I1,"a"]}"#, "7a910161"),
    (
        r#"{"t":"java.util.ArrayList","w":"java.util.ArrayList","v":[I1,"a"]}"#,
        "72136a6176612e7574696c2e41727261794c697374910161",
    ),
    (
        r#"{"t":"java.util.ArrayList","v":[I0,I1,I2,I3,I4,I5,I6,I7]}"#,
        "58989091929394959697",
    ),
    (
        r#"{"t":"java.util.HashSet","v":[I1]}"#,
        "71116a6176612e7574696c2e4861736853657491",
    ),
    (
        r#"{"t":"java.util.ArrayList","v":[{"t":"java.util.HashSet","v":[I1]},{"t":"java.util.HashSet","v":[I2]}]}"#,
        "7a71116a6176612e7574696c2e4861736853657491719092",
    ),
    (
        r#"{"t":"java.util.ArrayList","w":"java.util.ArrayList","v":[{"t":"java.util.HashSet","v":[I1]},{"t":"java.util.HashSet","v":[I2]}]}"#,
        "72136a6176612e7574696c2e41727261794c69737471116a6176612e7574696c2e4861736853657491719192",
    ),
    (r#"{"t":"java.util.HashMap","v":[["a",I1]]}"#, "480161915a"),
    (r#"{"t":"java.util.HashMap","v":[]}"#, "485a"),
    (
        r#"{"t":"java.util.LinkedHashMap","v":[["k","v"],["n",I1]]}"#,
        "4d176a6176612e7574696c2e4c696e6b6564486173684d6170016b0176016e915a",
    ),
    (
        r#"{"t":"java.util.ArrayList","v":[{"t":"java.util.TreeMap","v":[["k",I1]]},{"t":"java.util.TreeMap","v":[["k",I2]]},{"t":"[I","v":[I1]},{"t":"[I","v":[I2]}]}"#,
        "7c4d116a6176612e7574696c2e547265654d6170016b915a4d90016b925a71045b696e7491719192",
    ),
    (
        r#"{"t":"V$Color","v":"RED"}"#,
        "43075624436f6c6f7291046e616d656003524544",
    ),
    (
        r#"{"t":"java.math.BigDecimal","v":"12.30"}"#,
        "43146a6176612e6d6174682e426967446563696d616c910576616c7565600531322e3330",
    ),
    (
        r#"{"t":"V$Car","v":{"model":"corvette","color":"red"}}"#,
        "4305562443617292056d6f64656c05636f6c6f726008636f72766574746503726564",
    ),
    (
        r#"{"t":"java.util.ArrayList","v":[{"t":"V$Car","id":0,"v":{"model":"corvette","color":"red"}},{"t":"V$Car","v":{"model":"civic","color":"green"}},{"ref":0}]}"#,
        "7b4305562443617292056d6f64656c05636f6c6f726008636f727665747465037265646005636976696305677265656e5191",
    ),
    (r#"{"t":"java.util.ArrayList","id":0,"v":[{"ref":0}]}"#, "795190"),
    (
        r#"{"t":"java.util.HashMap","id":0,"v":[["self",{"ref":0}]]}"#,
        "480473656c6651905a",
    ),
    (
        r#"{"t":"java.util.ArrayList","v":[{"t":"V$Color","id":0,"v":"RED"},{"t":"V$Color","v":"GREEN"},{"ref":0}]}"#,
        "7b43075624436f6c6f7291046e616d6560035245446005475245454e5191",
    ),
    (
        r#"{"t":"V$Child","v":{"tags":null,"m":null,"x":I1,"name":"p","y":L2,"name":"c"}}"#,
        "430756244368696c64960474616773016d0178046e616d650179046e616d65604e4e910170e20163",
    ),
    (
        r#"{"t":"java.util.UUID","v":"00000000-0000-0001-0000-000000000002"}"#,
        "430e6a6176612e7574696c2e55554944910576616c756560302430303030303030302d303030302d303030312d303030302d303030303030303030303032",
    ),
    (
        r#"{"t":"java.time.LocalDate","v":"2020-01-02"}"#,
        "433037636f6d2e616c69626162612e636f6d2e63617563686f2e6865737369616e2e696f2e6a617661382e4c6f63616c4461746548616e646c659303646179056d6f6e74680479656172609291cfe4",
    ),
    (
        r#"{"t":"java.math.BigInteger","v":"255"}"#,
        "43146a6176612e6d6174682e426967496e746567657296036d61671966697273744e6f6e7a65726f496e744e756d506c757354776f136c6f77657374536574426974506c757354776f106269744c656e677468506c75734f6e650f626974436f756e74506c75734f6e65067369676e756d6071045b696e74c8ff9090909091",
    ),
    (
        r#"{"t":"java.util.ArrayList","v":[{"t":"java.util.HashMap","id":0,"v":[["a",I1]]},{"t":"java.util.ArrayList","id":1,"v":[I1]},{"t":"C","id":2,"v":"RED"},{"t":"[I","id":3,"v":[I7]},{"t":"[B","v":"AQ=="},{"t":"java.util.Date","v":0},{"t":"java.math.BigDecimal","id":4,"v":"1"},"x",{"ref":0},{"ref":1},{"ref":2},{"ref":3},{"t":"[B","v":"AQ=="},{"t":"java.util.Date","v":0},{"ref":4},"x"]}"#,
        "58a0 480161915a 7991 43014391046e616d656003524544 71045b696e7497 2101 4b00000000 43146a6176612e6d6174682e426967446563696d616c910576616c7565610131 0178 5191 5192 5193 5194 2101 4b00000000 5195 0178",
    ),
    // O12, X2: read only.
    (
        r#"{"t":"java.math.BigInteger","v":{"signum":I1,"mag":{"t":"[I","v":[I255]}}}"#,
        "<43146a6176612e6d6174682e426967496e746567657292067369676e756d036d6167609171045b696e74c8ff",
    ),
    (r#"{"t":"java.lang.Integer","v":0}"#, "<4301419090"),
];

/// `I1` for an int, `L1` for a long, a bare string for a string.
fn expand(short: &str) -> String {
    let mut out = String::new();
    let mut rest = short;
    while let Some(first) = rest.chars().next() {
        let number = |rest: &str| rest[1..].bytes().take_while(u8::is_ascii_digit).count();
        match first {
            'I' | 'L' if out.ends_with(['[', ',', ':']) => {
                let len = 1 + number(rest);
                let class = if first == 'I' { "Integer" } else { "Long" };
                out.push_str(&format!(r#"{{"t":"java.lang.{class}","v":{}}}"#, &rest[1..len]));
                rest = &rest[len..];
            }
            '"' => {
                let len = rest[1..].find('"').unwrap() + 2;
                let text = &rest[..len];
                let member = rest[len..].starts_with(':');
                let raw = ["\"t\":", "\"w\":"].iter().any(|key| out.ends_with(key)) || leaf(&out);
                if member || raw {
                    out.push_str(text);
                } else {
                    out.push_str(&format!(r#"{{"t":"java.lang.String","v":{text}}}"#));
                }
                rest = &rest[len..];
            }
            _ => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}

/// Whether a string that comes next is the text of `t`, not an element.
fn leaf(out: &str) -> bool {
    out.ends_with("\"v\":")
}

#[test]
fn values_and_their_bytes() {
    let mut scratch = Scratch::new();
    for (short, bytes) in VECTORS {
        let text = expand(short);
        let (read_only, digits) = match bytes.strip_prefix('<') {
            Some(digits) => (true, digits),
            None => (false, *bytes),
        };
        let input = unhex(digits);
        let (value, end) = Value::decode(&input, &mut scratch, &LIMITS).unwrap();
        assert_eq!(end, input.len(), "{text}");
        assert_eq!(json::to_json(&value), text);
        assert_eq!(json::from_json(&text).unwrap(), value, "{text}");
        assert_eq!(skimmed(&input, &LIMITS), Some(end));
        assert_eq!(read(&input, &LIMITS), Some(end));
        if !read_only {
            let mut out = Vec::new();
            value.encode_as(&mut out, TypeNames::Indexed);
            assert_eq!(hex(&out), hex(&input), "{text}");
        }
    }
}

fn scalar(value: &Value, digits: &str) {
    let mut out = Vec::new();
    value.encode(&mut out);
    assert_eq!(hex(&out), digits, "{value:?}");
    let (same, end) = Value::decode(&out, &mut Scratch::new(), &LIMITS).unwrap();
    assert_eq!((&same, end), (value, out.len()));
}

#[test]
fn numbers() {
    let ints = [
        (0, "90"),
        (-16, "80"),
        (47, "bf"),
        (-17, "c7ef"),
        (48, "c830"),
        (-2048, "c000"),
        (2047, "cfff"),
        (-2049, "d3f7ff"),
        (2048, "d40800"),
        (-262_144, "d00000"),
        (262_143, "d7ffff"),
        (-262_145, "49fffbffff"),
        (262_144, "4900040000"),
        (i32::MAX, "497fffffff"),
        (i32::MIN, "4980000000"),
    ];
    ints.iter()
        .for_each(|(value, digits)| scalar(&Value::Int(*value), digits));
    let longs = [
        (0, "e0"),
        (-8, "d8"),
        (15, "ef"),
        (-9, "f7f7"),
        (16, "f810"),
        (-2048, "f000"),
        (2047, "ffff"),
        (-2049, "3bf7ff"),
        (2048, "3c0800"),
        (-262_144, "380000"),
        (262_143, "3fffff"),
        (262_144, "5900040000"),
        (-262_145, "59fffbffff"),
        (2_147_483_647, "597fffffff"),
        (2_147_483_648, "4c0000000080000000"),
        (-2_147_483_649, "4cffffffff7fffffff"),
    ];
    longs
        .iter()
        .for_each(|(value, digits)| scalar(&Value::Long(*value), digits));
    let doubles = [
        (0.0, "5b"),
        (1.0, "5c"),
        (-128.0, "5d80"),
        (127.0, "5d7f"),
        (128.0, "5e0080"),
        (-129.0, "5eff7f"),
        (32767.0, "5e7fff"),
        (32768.0, "5f01f40000"),
        (12.25, "5f00002fda"),
        (0.1, "5f00000064"),
        (314.0 / 100.0, "5f00000c44"),
        (-0.001, "5fffffffff"),
        (2_147_483.647, "5f7fffffff"),
        (1e10, "444202a05f20000000"),
        (f64::from_bits(0x7ff8 << 48), "447ff8000000000000"),
        (f64::INFINITY, "447ff0000000000000"),
        (0.009, "443f826e978d4fdf3b"),
        (0.009000000000000001, "5f00000009"),
        // Java writes 5b and loses the sign; we keep it.
        (-0.0, "448000000000000000"),
        (f64::from(0.1f32), "443fb99999a0000000"),
    ];
    doubles
        .iter()
        .for_each(|(value, digits)| scalar(&Value::Double(*value), digits));
    let dates = [
        (0, "4b00000000"),
        (894_621_060_000, "4b00e3838f"),
        (894_621_091_000, "4a000000d04b9284b8"),
        (-60_000, "4bffffffff"),
        (-1, "4affffffffffffffff"),
        (i64::MIN, "4a8000000000000000"),
    ];
    dates
        .iter()
        .for_each(|(value, digits)| scalar(&Value::Date(*value), digits));
}

#[test]
fn text() {
    let text = |text: &str, digits: &str| scalar(&Value::from(text), digits);
    text("", "00");
    text("hello", "0568656c6c6f");
    text("é", "01c3a9");
    text("中文", "02e4b8ade69687");
    text("\u{1F600}", "02eda0bdedb880");
    text(&"a".repeat(32), &format!("3020{}", "61".repeat(32)));
    text(&"a".repeat(1024), &format!("530400{}", "61".repeat(1024)));
    text(&"a".repeat(32768), &format!("538000{}", "61".repeat(32768)));
    text(&"a".repeat(32769), &format!("528000{}0161", "61".repeat(32768)));
    text(
        &format!("{}\u{1F600}b", "a".repeat(32767)),
        &format!("527fff{}03eda0bdedb88062", "61".repeat(32767)),
    );
}

#[test]
fn binary() {
    let binary = |bytes: &[u8], digits: &str| scalar(&Value::Binary(bytes.into()), digits);
    binary(&[1, 2, 3], "23010203");
    binary(&[], "20");
    binary(&[0; 16], &format!("3410{}", "00".repeat(16)));
    // The chunks that hessian-lite 4 and 3 make of 9000 zeros.
    let zeros = |len: usize| "00".repeat(len);
    for digits in [
        format!("411ffd{}372b{}", zeros(8189), zeros(811)),
        format!("410ffd{0}410ffd{0}372e{1}", zeros(4093), zeros(814)),
    ] {
        let (value, _) = Value::decode(&unhex(&digits), &mut Scratch::new(), &LIMITS).unwrap();
        assert_eq!(value, Value::Binary(vec![0; 9000].into()));
    }
}

#[test]
fn chunked_text_is_one_text() {
    for digits in [
        "520001 61 0162",
        "520001 61 530001 62",
        "520000 520002 6162 00",
        "520001 61 3001 62",
    ] {
        let (value, _) = Value::decode(&unhex(digits), &mut Scratch::new(), &LIMITS).unwrap();
        assert_eq!(value, Value::from("ab"), "{digits}");
    }
    // A surrogate pair cut between two pieces.
    let (value, _) = Value::decode(&unhex("520001 eda0bd 01 edb880"), &mut Scratch::new(), &LIMITS).unwrap();
    assert_eq!(value, Value::from("\u{1F600}"));
}

#[test]
fn refused() {
    let cases = [
        ("01f09f9880", "four-byte text"),
        ("0180", "text that begins inside a character"),
        ("01c080", "text in a longer form than needed"),
        ("01e08080", "text in a longer form than needed"),
        ("5194", "dangling reference"),
        ("60", "undefined class"),
        ("719091", "undefined type"),
        ("568fff", "negative index"),
        ("588f", "negative length"),
        ("5190", "reference to nothing"),
        ("05616263", "text cut short"),
        ("4900", "int cut short"),
        ("5897", "list cut short"),
        ("48", "map without end"),
        ("480161", "map without value"),
        ("4801615a", "map ends before a value"),
        ("5a", "end mark alone"),
        ("40", "reserved"),
        ("45", "reserved"),
        ("47", "reserved"),
        ("50", "reserved"),
        ("430141", "class cut short"),
        ("43014190", "class without a value"),
        ("7190", "type index without types"),
        ("2101024101", "two values are not one: ends in the second"),
        ("", "nothing"),
        ("520001614e", "text that goes on with null"),
    ];
    for (digits, why) in cases {
        let input = unhex(digits);
        let decoded = Value::decode(&input, &mut Scratch::new(), &LIMITS)
            .ok()
            .map(|(_, end)| end);
        if why.starts_with("two values") {
            assert_eq!(decoded, Some(2));
            continue;
        }
        assert_eq!(
            (decoded, skimmed(&input, &LIMITS), read(&input, &LIMITS)),
            (None, None, None),
            "{why}"
        );
    }
}

#[test]
fn every_first_byte_is_known() {
    // Spec 8.1: which first bytes can begin a value at all; the rest is padding that any of them could use.
    let mut input = vec![0u8; 2048];
    for tag in 0..=255u8 {
        input[0] = tag;
        let reserved = matches!(tag, 0x40 | 0x45 | 0x47 | 0x50 | 0x5a);
        let known = skimmed(&input, &LIMITS).is_some();
        if reserved {
            assert!(!known, "{tag:#x}");
        }
        let scalar = matches!(tag, 0x00..=0x3f | 0x42 | 0x44 | 0x46 | 0x49..=0x4c | 0x4e | 0x53 | 0x54
            | 0x59 | 0x5b..=0x5f | 0x78 | 0x80..=0xff);
        if scalar {
            assert!(known, "{tag:#x}");
        }
        assert_eq!(known, read(&input, &LIMITS).is_some(), "{tag:#x}");
    }
}

#[test]
fn throwables() {
    let vectors = [
        (
            "java.lang.RuntimeException",
            "boom",
            "431a6a6176612e6c616e672e52756e74696d65457863657074696f6e941473757070726573736564457863657074696f6e730a737461636b54726163650563617573650d64657461696c4d65737361676560701f6a6176612e7574696c2e436f6c6c656374696f6e7324456d7074794c697374701c5b6a6176612e6c616e672e537461636b5472616365456c656d656e74519004626f6f6d",
        ),
        (
            "com.alibaba.dubbo.rpc.service.GenericException",
            "no",
            "43302e636f6d2e616c69626162612e647562626f2e7270632e736572766963652e47656e65726963457863657074696f6e961473757070726573736564457863657074696f6e730a737461636b54726163650563617573650d64657461696c4d65737361676510657863657074696f6e4d6573736167650e657863657074696f6e436c61737360701f6a6176612e7574696c2e436f6c6c656374696f6e7324456d7074794c697374701c5b6a6176612e6c616e672e537461636b5472616365456c656d656e745190026e6f026e6f0b636f6d2e782e42697a4578",
        ),
    ];
    let mut scratch = Scratch::new();
    for (class, message, digits) in vectors {
        let bytes = unhex(digits);
        let chain = throwable::read(&bytes, &mut scratch, &LIMITS).unwrap();
        assert_eq!(chain.len(), 1);
        assert_eq!(chain[0].class, class);
        assert_eq!(chain[0].message.as_deref(), Some(message));
        if chain[0].is_generic() {
            assert_eq!(chain[0].exception_class.as_deref(), Some("com.x.BizEx"));
        }
    }
    let ours = throwable::encode("java.lang.RuntimeException", "boom");
    let chain = throwable::read(&ours, &mut scratch, &LIMITS).unwrap();
    assert_eq!(
        (&*chain[0].class, chain[0].message.as_deref()),
        ("java.lang.RuntimeException", Some("boom"))
    );
    let mut out = Vec::new();
    let fields = [("exceptionClass", "com.x.BizEx"), ("exceptionMessage", "no")];
    throwable::write(
        &mut Writer::new(&mut out),
        "org.apache.dubbo.rpc.service.GenericException",
        "no",
        &fields,
    );
    let chain = throwable::read(&out, &mut scratch, &LIMITS).unwrap();
    assert!(chain[0].is_generic());
    assert_eq!(chain[0].exception_message.as_deref(), Some("no"));
}
