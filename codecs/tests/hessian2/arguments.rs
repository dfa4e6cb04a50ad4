//! Arguments with shared tables, cut apart and joined.

use bytes::Bytes;
use codecs::Attachments;
use codecs::dubbo2::{EncodeRequest, Frame, Header, Message, Request};
use codecs::hessian2::{Limits, Scratch, Skimmer, join_arguments, split_arguments};
use codecs::value::{Value, json};

use super::{LIMITS, hex, unhex};

fn show(bytes: &[u8]) -> String {
    let (value, end) = Value::decode(bytes, &mut Scratch::new(), &LIMITS).unwrap();
    assert_eq!(end, bytes.len());
    json::to_json(&value)
}

/// Class `A{x}`, instance, then class `B{y}` and instances of both, by number.
const USER: &str = "4301419101786091";
const ORDER_AFTER_USER: &str = "4301429101796192";

#[test]
fn a_first_argument_is_sliced() {
    let stream = Bytes::from(unhex(&format!("{USER}91")));
    let parts = split_arguments(&stream, 2, &mut Scratch::new(), &LIMITS).unwrap();
    assert_eq!(hex(&parts[0]), USER);
    assert_eq!(parts[0].as_ptr(), stream.as_ptr());
    assert_eq!(hex(&parts[1]), "91");
}

#[test]
fn an_instance_behind_another_is_renumbered() {
    let stream = Bytes::from(unhex(&format!("{USER}{ORDER_AFTER_USER}")));
    let mut scratch = Scratch::new();
    let parts = split_arguments(&stream, 2, &mut scratch, &LIMITS).unwrap();
    assert_eq!(hex(&parts[1]), "4301429101796092");
    let joined = join_arguments(&parts, &mut scratch, &LIMITS).unwrap();
    assert_eq!(joined, stream);
}

#[test]
fn a_class_of_an_earlier_argument_is_copied_in() {
    let stream = Bytes::from(unhex(&format!("{USER}6095")));
    let parts = split_arguments(&stream, 2, &mut Scratch::new(), &LIMITS).unwrap();
    assert_eq!(hex(&parts[1]), "4301419101786095");
}

#[test]
fn an_object_of_an_earlier_argument_is_copied_in_once() {
    // f(list[user], list[ref user, ref user]): the second list stands alone with its own user.
    let stream = Bytes::from(unhex(&format!("79{USER}7a51915191")));
    let parts = split_arguments(&stream, 2, &mut Scratch::new(), &LIMITS).unwrap();
    assert_eq!(hex(&parts[1]), "7a43014191017860915191");
    // A whole argument that is an earlier one.
    let stream = Bytes::from(unhex(&format!("{USER}5190")));
    let parts = split_arguments(&stream, 2, &mut Scratch::new(), &LIMITS).unwrap();
    assert_eq!(hex(&parts[1]), USER);
}

#[test]
fn an_object_in_the_long_class_form_is_copied_in() {
    let stream = Bytes::from(unhex("4301419101784f9091 5190"));
    let parts = split_arguments(&stream, 2, &mut Scratch::new(), &LIMITS).unwrap();
    assert_eq!(hex(&parts[1]), USER);
}

#[test]
fn a_cycle_in_an_earlier_argument_is_copied_in() {
    let stream = Bytes::from(unhex("795190 7a51905191"));
    let parts = split_arguments(&stream, 2, &mut Scratch::new(), &LIMITS).unwrap();
    assert_eq!(
        show(&parts[1]),
        r#"{"t":"java.util.ArrayList","id":0,"v":[{"t":"java.util.ArrayList","id":1,"v":[{"ref":1}]},{"ref":0}]}"#
    );
}

#[test]
fn type_numbers_are_spelt_out() {
    // int[]{1}, int[]{2} by type number.
    let stream = Bytes::from(unhex("71045b696e7491 719092"));
    let mut scratch = Scratch::new();
    let parts = split_arguments(&stream, 2, &mut scratch, &LIMITS).unwrap();
    assert_eq!(hex(&parts[1]), "71045b696e7492");
    let joined = join_arguments(&parts, &mut scratch, &LIMITS).unwrap();
    assert_eq!(hex(&joined), "71045b696e7491 71045b696e7492".replace(' ', ""));
}

#[test]
fn joining_shifts_what_reads_tables_and_slices_the_rest() {
    let mut scratch = Scratch::new();
    let user = Bytes::from(unhex(USER));
    let text = Bytes::from(unhex("0161"));
    let own_reference = Bytes::from(unhex("7a785191"));
    let joined = join_arguments(&[text, user.clone(), user, own_reference], &mut scratch, &LIMITS).unwrap();
    assert_eq!(
        hex(&joined),
        format!("0161 {USER} 4301419101786191 7a785193").replace(' ', "")
    );
    let parts = split_arguments(&joined, 4, &mut scratch, &LIMITS).unwrap();
    assert_eq!(hex(&parts[3]), "7a785191");
}

#[test]
fn copying_is_bounded() {
    // One large list, then many arguments that are that list.
    let mut stream = vec![0x58, 0xd4, 0x40, 0x00];
    stream.extend(std::iter::repeat_n(0x90, 0x4000));
    for _ in 0..1000 {
        stream.extend_from_slice(&[0x51, 0x90]);
    }
    let stream = Bytes::from(stream);
    let limits = Limits {
        decoded_bytes: 4 << 20,
        ..LIMITS
    };
    let error = split_arguments(&stream, 1001, &mut Scratch::new(), &limits).unwrap_err();
    assert!(error.is_limit(), "{error}");
}

fn request(body: &str) -> Request {
    let body = Bytes::from(unhex(body));
    let length = u32::try_from(body.len()).unwrap();
    let header = Header {
        length,
        ..Header::request(7, true)
    };
    match Message::decode(&Frame { header, body }, &mut Scratch::new(), &LIMITS).unwrap() {
        Message::Request(request) => request,
        other => panic!("{other:?}"),
    }
}

fn write(request: &Request, attachments: &Attachments) -> Vec<u8> {
    let mut out = Vec::new();
    let encode = EncodeRequest {
        id: 7,
        two_way: true,
        dubbo_version: &request.dubbo_version,
        path: &request.path,
        version: &request.version,
        method: &request.method,
        descriptor: request.descriptor.as_deref().unwrap_or_default(),
        arguments: &request.arguments,
        argument_count: request.argument_count,
        attachments,
    };
    encode
        .encode(1 << 20, &mut Scratch::new(), &LIMITS, &mut out)
        .unwrap();
    out
}

const FIELDS: &str = "05322e302e32 0153 00 0166";

#[test]
fn attachments_that_share_objects_with_arguments() {
    // f(user) with attachments {u: the user, t: "x", p: another user}.
    let body = format!("{FIELDS} 034c413b {USER} 48 0175 5190 0174 0178 0170 6093 5a");
    let request = request(&body);
    assert!(request.attachments.uses_tables());
    assert_eq!(request.attachments.get_text("t").unwrap(), "x");
    assert_eq!(request.attachments.get_text("u"), None);
    let names: Vec<_> = request
        .attachments
        .iter()
        .map(|(name, _)| name.into_owned())
        .collect();
    assert_eq!(names, ["u", "t", "p"]);
    // Written behind the same argument they have their own copies, with numbers that fit there.
    let out = write(&request, &request.attachments);
    let tail = hex(&out[out.len() - 32..]);
    assert!(
        tail.ends_with(
            "48 0175 4301419101786191 0174 0178 0170 6193 5a"
                .replace(' ', "")
                .as_str()
        ),
        "{tail}"
    );
    // The same with a change.
    let mut changed = request.attachments.clone();
    changed.remove("t");
    changed.set("z", "1");
    let out = write(&request, &changed);
    let again = super::arguments::request(&hex(&out[16..]));
    let names: Vec<_> = again
        .attachments
        .iter()
        .map(|(name, _)| name.into_owned())
        .collect();
    assert_eq!(names, ["u", "p", "z"]);
}

#[test]
fn attachments_of_all_kinds() {
    let body =
        format!("{FIELDS} 00 48 0169 95 016c e7 0162 54 0164 5c 016e 4e 0161 7a01610162 0173 0173 91 96 5a");
    let request = request(&body);
    let text = |name| request.attachments.get_text(name).map(|text| text.into_owned());
    assert_eq!(text("i").as_deref(), Some("5"));
    assert_eq!(text("l").as_deref(), Some("7"));
    assert_eq!(text("d").as_deref(), Some("1.0"));
    assert_eq!(text("n"), None);
    assert!(request.attachments.contains("n"));
    assert_eq!(text("a"), None);
    assert_eq!(text("1").as_deref(), Some("6"));
    let out = write(&request, &request.attachments);
    assert_eq!(out[16..], request.body[..]);
}

#[test]
fn the_last_of_equal_names_counts() {
    let request = request(&format!("{FIELDS} 00 48 0161 0131 0161 0132 5a"));
    assert_eq!(request.attachments.get_text("a").unwrap(), "2");
}

#[test]
fn attachments_may_be_null_or_missing() {
    for end in ["", "4e", "485a", "485a4e", "4d03666f6f5a"] {
        let request = request(&format!("{FIELDS} 00 {end}"));
        assert!(request.attachments.is_empty(), "{end}");
    }
}

#[test]
fn headers_are_attachments_of_any_case() {
    let mut headers = http::HeaderMap::new();
    headers.insert("tenant", http::HeaderValue::from_static("blue"));
    headers.insert("other", http::HeaderValue::from_static("1"));
    let mut attachments = Attachments::from_headers(headers);
    assert_eq!(attachments.get_text("Tenant").unwrap(), "blue");
    attachments.set("Tenant", "green");
    attachments.remove("OTHER");
    assert_eq!(attachments.get_text("tenant").unwrap(), "green");
    let all: Vec<_> = attachments.iter().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(all, ["Tenant"]);
    let mut out = Vec::new();
    let mut writer = codecs::hessian2::Writer::new(&mut out);
    attachments
        .write_hessian(&mut writer, &mut Scratch::new(), &LIMITS)
        .unwrap();
    assert_eq!(hex(&out), "480654656e616e7405677265656e5a");
}

#[test]
fn dubbox_writes_a_count_or_minus_one() {
    let fields = "05322e382e34 0153 00 0166";
    let with_descriptor = request(&format!("{fields} 8f 0149 95 485a"));
    assert_eq!(with_descriptor.descriptor.as_deref(), Some("I"));
    assert_eq!(hex(&with_descriptor.arguments), "95");
    let with_count = request(&format!("{fields} 92 95 96 485a"));
    assert_eq!(with_count.descriptor, None);
    assert_eq!(hex(&with_count.arguments), "9596");
}

#[test]
fn attachments_win_over_fields() {
    let request = request(&format!(
        "{FIELDS} 00 48 0470617468 0178 0567726f7570 0167 0776657273696f6e 0132 5a"
    ));
    let target = request.target();
    assert_eq!((&*target.path, &*target.group, &*target.version), ("x", "g", "2"));
}

#[test]
fn a_bad_body_is_a_bad_message() {
    for body in [
        "",
        "05",
        "05322e302e32 0153 00 0166 0149",
        "05322e302e32 0153 00 0166 0149 95 91",
    ] {
        let body = Bytes::from(unhex(body));
        let header = Header::request(1, true);
        assert!(Message::decode(&Frame { header, body }, &mut Scratch::new(), &LIMITS).is_err());
    }
}

#[test]
fn skimming_tells_table_use() {
    let mut scratch = Scratch::new();
    let bytes = unhex(&format!("{USER} 6091 5190 71045b696e7490 719090"));
    let mut skimmer = Skimmer::new(&bytes, &mut scratch, &LIMITS);
    let uses: Vec<_> = (0..5).map(|_| skimmer.skim().unwrap()).collect();
    assert!(uses[0].stands_alone());
    assert!(uses[1].uses.classes && !uses[1].stands_alone());
    assert!(uses[2].uses.references && !uses[2].stands_alone());
    assert!(!uses[3].uses.any() && uses[3].stands_alone());
    assert!(uses[4].uses.types && !uses[4].stands_alone());
    assert_eq!(
        (
            uses[4].after.classes,
            uses[4].after.types,
            uses[4].after.references
        ),
        (1, 1, 4)
    );
}
