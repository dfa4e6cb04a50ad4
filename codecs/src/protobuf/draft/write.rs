//! A draft as text.

use std::fmt::Write;

use super::names::json_name;
use super::{Draft, Drafter, Message, Service};
use crate::protobuf::binding::upper_snake;

impl Drafter {
    pub(super) fn finish(mut self, proto_file: &str) -> Draft {
        let mut binding = String::new();
        let mut body = String::new();
        self.write_services(&mut body, &mut binding, proto_file);
        self.write_enums(&mut body, &mut binding);
        let mut proto = "syntax = \"proto3\";\n\n".to_owned();
        if !self.package.is_empty() {
            let _ = writeln!(proto, "package {};\n", self.package);
        }
        for (name, file) in [("Duration", "duration"), ("Timestamp", "timestamp")] {
            if body.contains(&format!("google.protobuf.{name}")) {
                let _ = writeln!(proto, "import \"google/protobuf/{file}.proto\";");
            }
        }
        if !self.package.is_empty() {
            let _ = writeln!(proto, "option java_package = \"{}\";", self.package);
        }
        let _ = writeln!(proto, "option java_multiple_files = true;\n{body}");
        while proto.ends_with("\n\n") {
            proto.pop();
        }
        self.report.sort();
        self.report.dedup();
        Draft {
            proto,
            binding,
            lock: self.lock.write(),
            report: self.report,
        }
    }

    fn write_services(&mut self, body: &mut String, binding: &mut String, proto_file: &str) {
        let dot = if self.package.is_empty() { "" } else { "." };
        let services = std::mem::take(&mut self.services);
        let _ = writeln!(binding, "descriptors: [{}]\nservices:", quoted(proto_file));
        let mut written: Vec<&str> = Vec::new();
        for service in &services {
            let name = super::simple_name(&service.java);
            write_binding(service, &format!("{}{dot}{name}", self.package), binding);
            if written.contains(&service.java.as_str()) {
                continue;
            }
            written.push(&service.java);
            let _ = writeln!(body, "\nservice {name} {{");
            let messages = |rpc: &str, suffix: &str| {
                let prefixed = format!("{name}{rpc}{suffix}");
                if self.messages.contains_key(&prefixed) {
                    prefixed
                } else {
                    format!("{rpc}{suffix}")
                }
            };
            for rpc in &service.rpcs {
                let (request, response) = (messages(&rpc.name, "Request"), messages(&rpc.name, "Response"));
                let _ = writeln!(body, "  rpc {}({request}) returns ({response});", rpc.name);
            }
            body.push_str("}\n");
        }
        let messages = std::mem::take(&mut self.messages);
        let mut bound = String::new();
        for message in messages.values() {
            self.write_message(message, body, &mut bound);
        }
        if !bound.is_empty() {
            let _ = write!(binding, "messages:\n{bound}");
        }
    }

    fn write_message(&mut self, message: &Message, body: &mut String, bound: &mut String) {
        // Requests keep the order of the parameters; classes have none that means anything.
        let mut fields = message.fields.clone();
        if message.class.is_some() {
            fields.sort_by(|one, other| one.name.cmp(&other.name));
        }
        let typed: Vec<(String, String)> = fields
            .iter()
            .map(|field| (field.name.clone(), field.proto.clone()))
            .collect();
        let (numbers, reserved) = self.lock.number(&message.name, &typed, 1, &mut self.report);
        let _ = writeln!(body, "\nmessage {} {{", message.name);
        if !reserved.is_empty() {
            let list: Vec<String> = reserved.keys().map(ToString::to_string).collect();
            let _ = writeln!(body, "  reserved {};", list.join(", "));
        }
        let mut lines: Vec<_> = numbers.into_iter().zip(&fields).collect();
        lines.sort_by_key(|(number, _)| *number);
        for (number, field) in lines {
            let json = if message.class.is_some() && json_name(&field.name) != field.java_name {
                format!(" [json_name = \"{}\"]", field.java_name)
            } else {
                String::new()
            };
            let _ = writeln!(body, "  {} {} = {number}{json};", field.proto, field.name);
        }
        body.push_str("}\n");
        let Some(class) = &message.class else {
            return;
        };
        let _ = writeln!(bound, "- proto: {}", quoted(&self.full_name(&message.name)));
        let _ = writeln!(bound, "  java: {}", quoted(class));
        let declared: Vec<_> = fields
            .iter()
            .filter_map(|field| Some((&field.name, field.declared.as_ref()?)))
            .collect();
        if !declared.is_empty() {
            bound.push_str("  types:\n");
            for (name, java) in declared {
                let _ = writeln!(bound, "    {name}: {}", quoted(java));
            }
        }
    }

    fn write_enums(&mut self, body: &mut String, binding: &mut String) {
        let enums = std::mem::take(&mut self.enums);
        if enums.is_empty() {
            return;
        }
        binding.push_str("enums:\n");
        for (class, (name, constants)) in &enums {
            let prefix = upper_snake(name);
            let named: Vec<(String, String)> = constants
                .iter()
                .map(|constant| {
                    let stem: String = constant
                        .chars()
                        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
                        .collect();
                    (format!("{prefix}_{stem}"), constant.clone())
                })
                .collect();
            let (numbers, reserved) = self.lock.number(name, &named, 1, &mut self.report);
            let _ = writeln!(body, "\nenum {name} {{");
            if !reserved.is_empty() {
                let list: Vec<String> = reserved.keys().map(ToString::to_string).collect();
                let _ = writeln!(body, "  reserved {};", list.join(", "));
            }
            let _ = writeln!(body, "  {prefix}_UNSPECIFIED = 0;");
            let mut lines: Vec<_> = numbers.into_iter().zip(&named).collect();
            lines.sort_by_key(|(number, _)| *number);
            for (number, (constant, _)) in lines {
                let _ = writeln!(body, "  {constant} = {number};");
            }
            body.push_str("}\n");
            let _ = writeln!(binding, "- proto: {}", quoted(&self.full_name(name)));
            let _ = writeln!(binding, "  java: {}", quoted(class));
            binding.push_str("  values:\n");
            for (proto, java) in &named {
                let _ = writeln!(binding, "    {proto}: {}", quoted(java));
                if !java.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                    self.report.push(format!(
                        "{class}: {java:?} is a text, not a constant's name: correct it"
                    ));
                }
            }
        }
    }

    fn full_name(&self, name: &str) -> String {
        if self.package.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.package)
        }
    }
}

fn write_binding(service: &Service, proto: &str, binding: &mut String) {
    let _ = writeln!(binding, "- java: {}", quoted(&service.java));
    for (key, value) in [("group", &service.group), ("version", &service.version)] {
        if !value.is_empty() {
            let _ = writeln!(binding, "  {key}: {}", quoted(value));
        }
    }
    let _ = writeln!(binding, "  proto: {}\n  methods:", quoted(proto));
    for rpc in &service.rpcs {
        let _ = writeln!(binding, "  - java: {}", quoted(&rpc.signature));
        let _ = writeln!(binding, "    rpc: {}", rpc.name);
        let returns = if rpc.void { "void" } else { &rpc.returns };
        let _ = writeln!(binding, "    returns: {}", quoted(returns));
        if !rpc.throws.is_empty() {
            let list: Vec<String> = rpc.throws.iter().map(|class| quoted(class)).collect();
            let _ = writeln!(binding, "    throws: [{}]", list.join(", "));
        }
    }
}

/// A YAML text in double quotes: JSON's are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
