//! The binding under which the messages that have a schema are converted.

use codecs::protobuf::{Bindings, MethodBinding};

const PROTO: &str = "syntax = \"proto3\"; package bench; import \"google/protobuf/timestamp.proto\";
service S { rpc One(User) returns (User); rpc Many(Users) returns (Users); rpc Bean(Item) returns (Item);
  rpc Beans(Items) returns (Items); rpc Map(Numbers) returns (Numbers); rpc Text(Words) returns (Words); }
message Users { repeated User users = 1; }
message Items { repeated Item items = 1; }
message Numbers { map<string, int32> numbers = 1; }
message Words { string text = 1; }
message User { int64 id = 1; string name = 2; string email = 3; int32 age = 4; double score = 5; bool active = 6;
  repeated string tags = 7; }
message Item { google.protobuf.Timestamp created = 1; repeated string tags = 2; int64 id = 3; string sku = 4;
  string name = 5; double price = 6; int32 quantity = 7; bool active = 8; int64 parent = 9; optional string note = 10; }";

const BINDING: &str = "descriptors: [bench.proto]
services: [{java: bench.S, proto: bench.S}]
messages: [{proto: bench.User, java: bench.User}, {proto: bench.Item, java: bench.Item}]";

pub(crate) fn load() -> Bindings {
    Bindings::load("bench.yaml", BINDING, &mut |_| Ok(PROTO.as_bytes().to_vec())).unwrap()
}

/// The method whose one argument the message is.
pub(crate) fn method<'b>(bindings: &'b Bindings, message: &str) -> &'b MethodBinding {
    let rpc = match message {
        "user" => "One",
        "100 users" => "Many",
        "pojo of 10 fields" => "Bean",
        "1000 pojos" => "Beans",
        "map of 1000" => "Map",
        _ => "Text",
    };
    bindings.services()[0].rpc(rpc).unwrap()
}
