//! One table for both ways: a `Shapes` as JSON of its message, and as Java says it.

use serde_json::{Value as Json, json};

/// Values that arrive as they left.
pub(super) fn whole() -> Vec<(&'static str, Json, &'static str)> {
    vec![
        (
            "map-string",
            json!({"by_name": {"a": -1, "b": 2}}),
            r#"byName=HashMap["a"=Integer:-1, "b"=Integer:2]"#,
        ),
        (
            "map-integer",
            json!({"by_int": {"-5": "minus", "70000": "much"}}),
            r#"byInt=HashMap[Integer:-5="minus", Integer:70000="much"]"#,
        ),
        (
            "map-long",
            json!({"by_long": {"1": {"code": "one", "count": 1}, "1099511627776": {"code": "far", "price": "0.10"}}}),
            r#"byLong=HashMap[Long:1099511627776=Entry(code="far", count=null, price=BigDecimal:0.10), Long:1=Entry(code="one", count=Integer:1, price=null)]"#,
        ),
        (
            "map-enum",
            json!({"by_kind": {"CREDIT": 7, "DEBIT": 0}}),
            "byKind=HashMap[Kind.CREDIT=Integer:7, Kind.DEBIT=Integer:0]",
        ),
        // the keys are texts in protobuf: a constant that its enum has not is one, too
        (
            "map-enum-beyond",
            json!({"by_kind": {"LOST": 1}}),
            "byKind=HashMap[Kind.LOST=Integer:1]",
        ),
        (
            "map-boolean",
            json!({"by_flag": {"true": "yes", "false": ""}}),
            r#"byFlag=HashMap[Boolean:false="", Boolean:true="yes"]"#,
        ),
        (
            "map-decimal",
            json!({"by_amount": [{"key": "1.50", "value": "fare"}]}),
            r#"byAmount=HashMap[BigDecimal:1.50="fare"]"#,
        ),
        (
            "map-object",
            json!({"by_entry": [{"key": {"code": "k", "count": 1, "price": "2"}, "value": "-9"}]}),
            r#"byEntry=HashMap[Entry(code="k", count=Integer:1, price=BigDecimal:2)=Long:-9]"#,
        ),
        (
            "set-string",
            json!({"tags": ["x", "é"]}),
            r#"tags=HashSet["x", "é"]"#,
        ),
        (
            "set-sorted",
            json!({"ids": ["-1", "3"]}),
            "ids=TreeSet[Long:-1, Long:3]",
        ),
        (
            "set-enum",
            json!({"kinds": ["KIND_CREDIT"]}),
            "kinds=HashSet[Kind.CREDIT]",
        ),
        (
            "decimal",
            json!({"amount": "-1.50E+3", "big": "-123456789012345678901234567890"}),
            "amount=BigDecimal:-1.50E+3, big=BigInteger:-123456789012345678901234567890",
        ),
        (
            "decimal-zero",
            json!({"amount": "0.00", "big": "0"}),
            "amount=BigDecimal:0.00, big=BigInteger:0",
        ),
        (
            "times",
            json!({"date": "1969-12-31T23:59:59.999Z", "instant": "1969-12-31T23:59:59.000000005Z", "day": "2024-02-29",
                "moment": "2024-02-29T23:59:58.123456789", "duration": "-1.500s", "zoned": "2024-07-01T08:00+08:00[Asia/Shanghai]"}),
            "date=Date:-1, instant=Instant:1969-12-31T23:59:59.000000005Z, day=LocalDate:2024-02-29, \
             moment=LocalDateTime:2024-02-29T23:59:58.123456789, duration=Duration:PT-1.5S, \
             zoned=ZonedDateTime:2024-07-01T08:00+08:00[Asia/Shanghai]",
        ),
        (
            "nested-lists",
            json!({"nested": [{"items": ["1", "2"]}, {}, {"items": ["-3"]}]}),
            "nested=ArrayList[ArrayList[Long:1, Long:2], ArrayList[], ArrayList[Long:-3]]",
        ),
        (
            "list-of-maps",
            json!({"tables": [{"items": {"a": 1}}, {}]}),
            r#"tables=ArrayList[HashMap["a"=Integer:1], HashMap[]]"#,
        ),
        (
            "unmodifiable",
            json!({"names": ["a", ""]}),
            r#"names=ArrayList["a", ""]"#,
        ),
        (
            "holes",
            json!({"holes": [{"value": 1}, {}, {"value": 0}]}),
            "holes=ArrayList[Integer:1, null, Integer:0]",
        ),
        (
            "boxed",
            json!({"whole": 0, "large": "-9223372036854775808", "flag": false, "real": 0.1, "text": "", "kind": "KIND_DEBIT"}),
            r#"whole=Integer:0, large=Long:-9223372036854775808, flag=Boolean:false, real=Double:0.1, text="", kind=Kind.DEBIT"#,
        ),
        ("nulls", json!({}), ""),
        (
            "base-class",
            json!({"any": {"entry": {"code": "plain", "count": 3, "price": "3.0"}}}),
            r#"any=Entry(code="plain", count=Integer:3, price=BigDecimal:3.0)"#,
        ),
        (
            "subclass",
            json!({"any": {"refund": {"code": "back", "reason": "broken", "at": "8589934592"}}}),
            r#"any=Refund(code="back", count=null, price=null, reason="broken", at=Long:8589934592)"#,
        ),
        (
            "inherited",
            json!({"audited": {"audit": {"by": "me", "version": "8"}, "note": "n"}}),
            r#"audited=Audited(by="me", version=Long:8, note="n")"#,
        ),
        (
            "shared",
            json!({"first": {"code": "both", "count": 1}, "second": {"code": "both", "count": 1},
                "entries": [{"code": "both", "count": 1}, {"code": "both", "count": 1}]}),
            r#"first=Entry(code="both", count=Integer:1, price=null), second=Entry(code="both", count=Integer:1, price=null), entries=ArrayList[Entry(code="both", count=Integer:1, price=null), Entry(code="both", count=Integer:1, price=null)]"#,
        ),
    ]
}

/// A `Tight` of which every field is at a bound of its type.
pub(super) fn tight(note: &str) -> Json {
    json!({"note": note, "tiny": -128, "positive": 2147483647u32, "whole": "-2147483648", "large": "9223372036854775807",
        "amount": "1E+2", "kind": "KIND_CREDIT", "names": ["a"], "at": "1970-01-01T00:00:00.005Z"})
}

/// The same as Java says it.
pub(super) fn said_tight(note: &str) -> String {
    format!(
        "Tight(note=\"{note}\", tiny=Byte:-128, positive=Integer:2147483647, whole=Integer:-2147483648, \
         large=Long:9223372036854775807, amount=BigDecimal:1E+2, kind=Kind.CREDIT, names=ArrayList[\"a\"], at=Date:5)"
    )
}

/// An `Overdrawn` as JSON, and the fields of its exception as Java says them.
pub(super) fn overdrawn() -> (Json, &'static str) {
    (
        json!({"account": "poor", "missing": "1.50", "hints": ["wait", "pay"], "kind": "KIND_CREDIT",
            "until": "1970-01-01T00:00:00.005Z", "last": {"code": "last", "count": 2, "price": "0.10"}}),
        r#"account="poor", missing=BigDecimal:1.50, hints=ArrayList["wait", "pay"], kind=Kind.CREDIT, until=Date:5, last=Entry(code="last", count=Integer:2, price=BigDecimal:0.10)"#,
    )
}
