//! Objects that a plan wrote, read by Java's own codec as typed classes, and what Java writes of them read by the plan.
//!
//! `plans/Plans.java` is compiled and run with the hessian-lite of Dubbo 3.2 and of Dubbo 3.3. It says what it finds in each
//! field, so that a value that merely survives the way there and back, but is another one for Java, does not pass.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use codecs::hessian2::Limits;
use codecs::protobuf::{Bindings, Scratch};
use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde_json::{Value as Json, json};

use crate::peers::{Peers, peers};

const PROTO: &str = r#"
syntax = "proto3";
package plans;
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "gw.proto";

service Plans { rpc Put(Everything) returns (Everything); }

enum Color { COLOR_UNSPECIFIED = 0; COLOR_RED = 1; COLOR_GREEN = 2; }
message Item { string sku = 1; optional int32 count = 2; }
message Special { string sku = 1; optional int32 count = 2; bool extra = 3; }
message Either { oneof kind { Item item = 1; Special special = 2; } }
message Node { string name = 1; Node parent = 2; repeated Node children = 3; }
message ItemResult { int32 code = 1; Item data = 2; }
message Base { optional string note = 1; int64 version = 2; }
message Longs { repeated int64 items = 1; }
message Names { repeated string items = 1; }
message Hole { optional int32 value = 1; }
message AmountEntry { string key = 1; string value = 2; }

message Everything {
  bool flag = 1; int32 tiny = 2; int32 small = 3; string letter = 4; int32 whole = 5; int64 large = 6; double real = 7;
  optional int32 nothing = 8; google.protobuf.Int64Value zero = 9; optional float boxed_float = 10; optional string boxed_char = 11;
  string text = 12; string emoji = 13; bytes bytes = 14; bytes boxed_bytes = 15; string chars = 16; repeated int32 shorts = 17;
  repeated int64 longs = 18; repeated int32 integers = 19; string amount = 20; string big = 21; string big_zero = 22;
  google.protobuf.Timestamp date = 23; google.protobuf.Timestamp stamp = 24; string sql_date = 25; string sql_time = 26;
  google.protobuf.Timestamp calendar = 27; google.protobuf.Timestamp instant = 28; google.protobuf.Duration duration = 29;
  string day = 30; string time = 31; string moment = 32; string offset_moment = 33; string zoned = 34; string offset_time = 35;
  int32 year = 36; string year_month = 37; string month_day = 38; string period = 39; string zone = 40; string zone_offset = 41;
  string locale = 43; string currency = 44; string uri = 45; string file = 46; string time_zone = 47; string type = 48;
  int32 atomic_int = 49; int64 atomic_long = 50; bool atomic_flag = 51;
  Color color = 52; repeated Color colors = 53; repeated string names = 54; repeated Longs nested = 55; repeated int32 linked = 56;
  map<int64, Item> items = 57; map<string, int32> sorted = 58; map<string, string> by_color = 59; repeated AmountEntry by_amount = 60;
  repeated Item array = 61; Item item = 62; Either special = 63; google.protobuf.Any any = 64; gw.v1.JavaValue dynamic = 65;
  ItemResult result = 66; Node tree = 67; Names empty_list = 68; Names null_list = 69; repeated Hole holes = 70; Base base = 71;
  // The last one: hessian-lite 3 misreads references behind a UUID (decision 0012).
  string uuid = 99;
}
"#;

const JAVA_VALUE: &str = r#"
syntax = "proto3";
package gw.v1;
import "google/protobuf/timestamp.proto";
import "google/protobuf/struct.proto";
message JavaValue { oneof kind { google.protobuf.NullValue null = 1; bool bool = 2; sint32 int = 3; sint64 long = 4; double double = 5;
  string string = 6; bytes bytes = 7; google.protobuf.Timestamp date = 8; JavaList list = 9; JavaMap map = 10; JavaObject object = 11;
  JavaEnum enum = 12; string decimal = 13; string big_integer = 14; } }
message JavaList { string type = 1; repeated JavaValue items = 2; }
message JavaMap { string type = 1; repeated JavaEntry entries = 2; }
message JavaEntry { JavaValue key = 1; JavaValue value = 2; }
message JavaObject { string class = 1; repeated JavaField fields = 2; }
message JavaField { string name = 1; JavaValue value = 2; }
message JavaEnum { string class = 1; string name = 2; }
"#;

const BINDING: &str = r#"
descriptors: [plans.proto]
strict: true
timezone: Asia/Shanghai
services: [{ java: Plans, proto: plans.Plans }]
enums: [{ proto: plans.Color, java: Plans$Color }]
messages:
  - { proto: plans.Item, java: Plans$Item }
  - { proto: plans.Special, java: Plans$Special }
  - { proto: plans.Either, polymorphic: { item: Plans$Item, special: Plans$Special } }
  - { proto: plans.Node, java: Plans$Node, options: { parent: { back_reference: true } } }
  - { proto: plans.ItemResult, java: Plans$Result, type_args: [Plans$Item], types: { data: T } }
  - { proto: plans.Base, java: Plans$Base }
  - proto: plans.Everything
    java: Plans$Everything
    types:
      { tiny: byte, small: short, letter: char, boxed_char: java.lang.Character, boxed_bytes: "java.lang.Byte[]", chars: "char[]",
        shorts: "short[]", longs: "long[]", integers: "java.lang.Integer[]", amount: java.math.BigDecimal, big: java.math.BigInteger,
        big_zero: java.math.BigInteger, stamp: java.sql.Timestamp, sql_date: java.sql.Date, sql_time: java.sql.Time,
        calendar: java.util.Calendar, instant: java.time.Instant, day: java.time.LocalDate, time: java.time.LocalTime,
        moment: java.time.LocalDateTime, offset_moment: java.time.OffsetDateTime, zoned: java.time.ZonedDateTime,
        offset_time: java.time.OffsetTime, year: java.time.Year, year_month: java.time.YearMonth, month_day: java.time.MonthDay,
        period: java.time.Period, zone: java.time.ZoneId, zone_offset: java.time.ZoneOffset, uuid: java.util.UUID,
        locale: java.util.Locale, currency: java.util.Currency, uri: java.net.URI, file: java.io.File, time_zone: java.util.TimeZone,
        type: java.lang.Class, atomic_int: java.util.concurrent.atomic.AtomicInteger,
        atomic_long: java.util.concurrent.atomic.AtomicLong, atomic_flag: java.util.concurrent.atomic.AtomicBoolean,
        colors: "java.util.EnumSet<Plans$Color>", names: "java.util.Set<java.lang.String>",
        nested: "java.util.List<java.util.Set<java.lang.Long>>", linked: "java.util.LinkedList<java.lang.Integer>",
        sorted: "java.util.TreeMap<java.lang.String,java.lang.Integer>", by_color: "java.util.Map<Plans$Color,java.lang.String>",
        by_amount: "java.util.Map<java.math.BigDecimal,java.lang.String>", array: "Plans$Item[]", special: Plans$Item,
        empty_list: "java.util.List<java.lang.String>", null_list: "java.util.List<java.lang.String>",
        holes: "java.util.List<java.lang.Integer>" }
    options: { base: { inherit: true }, holes: { nullable: true } }
"#;

/// The message, each field of it beside what Java must say of it.
fn fields() -> Vec<(&'static str, Json, String)> {
    let emoji = "😀".repeat(20_000) + "x";
    let said = |text: &str| text.to_owned();
    // Java's String.hashCode, over UTF-16 units.
    let hash = emoji.encode_utf16().fold(0i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    let item = |sku: &str, count: i32| json!({"sku": sku, "count": count});
    vec![
        ("flag", json!(true), said("Boolean:true")),
        ("tiny", json!(-128), said("Byte:-128")),
        ("small", json!(-32768), said("Short:-32768")),
        ("letter", json!("é"), said("Character:233")),
        ("whole", json!(i32::MIN), said("Integer:-2147483648")),
        (
            "large",
            json!(i64::MIN.to_string()),
            said("Long:-9223372036854775808"),
        ),
        ("real", json!(0.1), said("Double:0.1")),
        ("nothing", Json::Null, said("null")),
        ("zero", json!("0"), said("Long:0")),
        ("boxedFloat", json!(0.1f32), said("Float:0.1")),
        ("boxedChar", json!(""), said("Character:0")),
        ("text", json!("Zoë 中文 \"\\"), said("String:Zoë 中文 \"\\")),
        ("emoji", json!(emoji), format!("String:40001,{hash}")),
        ("bytes", json!("AP8="), said("byte[]:0,-1")),
        ("boxedBytes", json!("AP8="), said("Byte[]:0,-1")),
        ("chars", json!("ab"), said("char[]:a,b")),
        ("shorts", json!([1, -1]), said("short[]:1,-1")),
        (
            "longs",
            json!(["1", "-9223372036854775808"]),
            said("long[]:1,-9223372036854775808"),
        ),
        ("integers", json!([7, 0]), said("Integer[]:7,0")),
        ("amount", json!("1.50E+3"), said("BigDecimal:1.50E+3")),
        (
            "big",
            json!("-123456789012345678901234567890"),
            said("BigInteger:-123456789012345678901234567890"),
        ),
        ("bigZero", json!("0"), said("BigInteger:0")),
        (
            "date",
            json!("1969-12-31T23:59:59.999Z"),
            said("java.util.Date:-1"),
        ),
        (
            "stamp",
            json!("2024-02-29T00:00:00.123Z"),
            said("java.sql.Timestamp:1709164800123"),
        ),
        // Midnight, and noon of 1970-01-01, in Asia/Shanghai.
        (
            "sqlDate",
            json!("2024-02-29"),
            said("java.sql.Date:1709136000000"),
        ),
        ("sqlTime", json!("12:00"), said("java.sql.Time:14400000")),
        ("calendar", json!("1970-01-01T00:00:00.005Z"), said("Calendar:5")),
        (
            "instant",
            json!("1969-12-31T23:59:59.000000005Z"),
            said("Instant:1969-12-31T23:59:59.000000005Z"),
        ),
        ("duration", json!("-1.500s"), said("Duration:PT-1.5S")),
        ("day", json!("2024-02-29"), said("LocalDate:2024-02-29")),
        (
            "time",
            json!("23:59:59.000000001"),
            said("LocalTime:23:59:59.000000001"),
        ),
        (
            "moment",
            json!("2024-02-29T08:00"),
            said("LocalDateTime:2024-02-29T08:00"),
        ),
        (
            "offsetMoment",
            json!("2024-02-29T08:00-01:00"),
            said("OffsetDateTime:2024-02-29T08:00-01:00"),
        ),
        (
            "zoned",
            json!("2024-11-03T01:30-05:00[America/New_York]"),
            said("ZonedDateTime:2024-11-03T01:30-05:00[America/New_York]"),
        ),
        ("offsetTime", json!("08:00+05:30"), said("OffsetTime:08:00+05:30")),
        ("year", json!(2024), said("Year:2024")),
        ("yearMonth", json!("2024-02"), said("YearMonth:2024-02")),
        ("monthDay", json!("--02-29"), said("MonthDay:--02-29")),
        ("period", json!("P1Y-2M3D"), said("Period:P1Y-2M3D")),
        ("zone", json!("Asia/Shanghai"), said("ZoneRegion:Asia/Shanghai")),
        ("zoneOffset", json!("+08:00"), said("ZoneOffset:+08:00")),
        (
            "uuid",
            json!("123e4567-e89b-12d3-a456-426614174000"),
            said("UUID:123e4567-e89b-12d3-a456-426614174000"),
        ),
        ("locale", json!("zh_CN"), said("Locale:zh_CN")),
        ("currency", json!("EUR"), said("Currency:EUR")),
        ("uri", json!("http://a/b?c#d"), said("URI:http://a/b?c#d")),
        ("file", json!("/a/b"), said("File:/a/b")),
        // In July and in January; a rule for all years to come it has none (decision 0019).
        (
            "timeZone",
            json!("Europe/Paris"),
            said("TimeZone:Europe/Paris,3600000,7200000,3600000,false"),
        ),
        ("type", json!("Plans$Item"), said("Class:class Plans$Item")),
        ("atomicInt", json!(7), said("AtomicInteger:7")),
        ("atomicLong", json!("-1"), said("AtomicLong:-1")),
        ("atomicFlag", json!(true), said("AtomicBoolean:true")),
        ("color", json!("COLOR_RED"), said("enum:RED")),
        (
            "colors",
            json!(["COLOR_RED", "COLOR_GREEN"]),
            said("EnumSet:RED,GREEN"),
        ),
        ("names", json!(["a"]), said("HashSet:[String:a]")),
        (
            "nested",
            json!([{"items": ["5"]}, {}]),
            said("ArrayList:[HashSet:[Long:5]][HashSet:]"),
        ),
        ("linked", json!([2, 1]), said("LinkedList:[Integer:2][Integer:1]")),
        (
            "items",
            json!({"1": item("a", 1)}),
            said("HashMap:[Long:1=Item:Item(a,1)]"),
        ),
        (
            "sorted",
            json!({"a": 1, "b": 0}),
            said("TreeMap:[String:a=Integer:1][String:b=Integer:0]"),
        ),
        (
            "byColor",
            json!({"GREEN": "g"}),
            said("HashMap:[enum:GREEN=String:g]"),
        ),
        (
            "byAmount",
            json!([{"key": "1.50", "value": "x"}]),
            said("HashMap:[BigDecimal:1.50=String:x]"),
        ),
        (
            "array",
            json!([item("a", 1), {"sku": "b"}]),
            said("Item[]:Item(a,1),Item(b,null)"),
        ),
        ("item", item("i", 0), said("Item:Item(i,0)")),
        (
            "special",
            json!({"special": {"sku": "s", "count": 1, "extra": true}}),
            said("Special:Special(s,1,true)"),
        ),
        (
            "any",
            json!({"@type": "type.googleapis.com/plans.Item", "sku": "any"}),
            said("Item:Item(any,null)"),
        ),
        (
            "dynamic",
            json!({"map": {"type": "java.util.TreeMap", "entries": [{"key": {"string": "k"}, "value": {"long": "1"}}]}}),
            said("TreeMap:[String:k=Long:1]"),
        ),
        (
            "result",
            json!({"code": 1, "data": item("r", 2)}),
            said("Result:Result(1,Item(r,2))"),
        ),
        (
            "tree",
            json!({"name": "root", "children": [{"name": "a"}, {"name": "b"}]}),
            said("Node:root[a[], b[]]"),
        ),
        ("emptyList", json!({}), said("ArrayList:")),
        ("nullList", Json::Null, said("null")),
        (
            "holes",
            json!([{"value": 1}, {}]),
            said("ArrayList:[Integer:1][null]"),
        ),
        ("base", json!({"note": "n", "version": "7"}), String::new()),
    ]
}

struct Bound {
    bindings: Bindings,
    message: MessageDescriptor,
}

impl Bound {
    fn new() -> Self {
        let bindings = Bindings::load("plans.yaml", BINDING, &mut |name| match name {
            "plans.proto" => Ok(PROTO.into()),
            "gw.proto" => Ok(JAVA_VALUE.into()),
            _ => Err("no such file".to_owned()),
        })
        .unwrap_or_else(|error| panic!("{error}"));
        let message = bindings.schemas()[0]
            .pool()
            .get_message_by_name("plans.Everything")
            .unwrap();
        Self { bindings, message }
    }

    fn write_java(&self, json: &Json) -> Vec<u8> {
        let message = DynamicMessage::deserialize(self.message.clone(), json).unwrap();
        let method = &self.bindings.services()[0].methods[0];
        let (mut scratch, bytes) = (Scratch::default(), message.encode_to_vec());
        let written = method.arguments_to_hessian(&bytes, &mut scratch, &Limits::DEFAULT);
        assert_eq!(scratch.lossy.iter().count(), 0, "{:?}", scratch.lossy);
        written.unwrap_or_else(|error| panic!("{error}")).to_vec()
    }

    fn read_java(&self, bytes: &[u8]) -> Json {
        let method = &self.bindings.services()[0].methods[0];
        let mut scratch = Scratch::default();
        let read = method.arguments_to_protobuf(bytes, &mut scratch, &Limits::DEFAULT);
        let read = read.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(scratch.lossy.iter().count(), 0, "{:?}", scratch.lossy);
        serde_json::to_value(DynamicMessage::decode(self.message.clone(), &*read).unwrap()).unwrap()
    }
}

/// Runs the Java side with one release's codec on one object: what it says of each field, and its own bytes.
fn ask_java(classes: &Path, jar: &Path, bytes: &[u8]) -> (BTreeMap<String, String>, Vec<u8>) {
    let mut java = Command::new("java");
    for module in ["lang", "math", "util", "util.concurrent.atomic", "time", "net"] {
        java.arg(format!("--add-opens=java.base/java.{module}=ALL-UNNAMED"));
    }
    java.args([
        "--add-opens=java.base/sun.util.calendar=ALL-UNNAMED",
        "--add-opens=java.sql/java.sql=ALL-UNNAMED",
    ]);
    java.args([
        "-Duser.timezone=UTC",
        "-Dfile.encoding=UTF-8",
        "-Dsun.stdout.encoding=UTF-8",
        "-cp",
    ]);
    let path = std::env::join_paths([jar, classes]).unwrap();
    java.arg(path).arg("Plans");
    java.stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = java.spawn().unwrap_or_else(|error| panic!("java: {error}"));
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(child.stdin.take().unwrap(), "{hex}").unwrap();
    let (mut said, mut written) = (BTreeMap::new(), Vec::new());
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.split_once(' ') {
            Some(("field", rest)) => {
                let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
                said.insert(name.to_owned(), value.to_owned());
            }
            Some(("bytes", hex)) => {
                let pairs = hex
                    .as_bytes()
                    .chunks(2)
                    .map(|pair| std::str::from_utf8(pair).unwrap());
                written = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
            }
            _ => panic!("{}: {line}", jar.display()),
        }
    }
    assert!(child.wait().unwrap().success(), "{}", jar.display());
    (said, written)
}

/// Compiles the Java side against one release's codec.
fn compile_java(peers: &Peers, jar: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("real/plans/Plans.java");
    let mut javac = Command::new("javac");
    javac.args(["-nowarn", "-encoding", "UTF-8", "-cp"]).arg(jar);
    javac.arg("-d").arg(peers.scratch()).arg(source);
    let output = javac.output().unwrap_or_else(|error| panic!("javac: {error}"));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn jar(peers: &Peers, release: &str, start: &str) -> std::path::PathBuf {
    let folder = peers.path(&format!("java/{release}/target/lib"));
    let found = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_string_lossy().starts_with(start));
    found
        .unwrap_or_else(|| panic!("no {start} in {}", folder.display()))
        .path()
}

#[test]
fn java_reads_what_plans_write_and_plans_read_what_java_writes() {
    let Some(peers) = peers() else { return };
    let bound = Bound::new();
    let names: BTreeMap<String, String> = bound
        .message
        .fields()
        .map(|field| (field.json_name().to_owned(), field.name().to_owned()))
        .collect();
    let json: serde_json::Map<String, Json> = fields()
        .into_iter()
        .filter(|(_, value, _)| !value.is_null())
        .map(|(name, value, _)| (names[name].clone(), value))
        .collect();
    let json = Json::Object(json);
    let bytes = bound.write_java(&json);
    let wanted = {
        let message = DynamicMessage::deserialize(bound.message.clone(), &json).unwrap();
        serde_json::to_value(
            DynamicMessage::decode(bound.message.clone(), &*message.encode_to_vec()).unwrap(),
        )
        .unwrap()
    };
    for (release, start) in [("dubbo32", "hessian-lite-3"), ("dubbo33", "hessian-lite-4")] {
        let jar = jar(&peers, release, start);
        compile_java(&peers, &jar);
        let (said, written) = ask_java(peers.scratch(), &jar, &bytes);
        for (name, _, expected) in fields() {
            if name != "base" {
                assert_eq!(said.get(name), Some(&expected), "{start}: {name}");
            }
        }
        assert_eq!(said["note"], "String:n", "{start}");
        assert_eq!(said["version"], "Long:7", "{start}");
        assert_eq!(bound.read_java(&written), wanted, "{start}");
    }
}
