//! Services and methods.

use std::collections::BTreeSet;
use std::sync::Arc;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use super::super::file::{self, FieldOptions};
use super::super::{ExceptionBindings, MethodBinding, NullResult, ServiceBinding};
use super::{Compiler, Loaded};
use crate::ServiceKey;
use crate::protobuf::binding::ExceptionsMode;
use crate::protobuf::error::LoadError;
use crate::protobuf::java::{JavaType, parse_method};
use crate::protobuf::plan::{ArgumentsPlan, FieldPlan, ResultPlan, Types};
use crate::protobuf::schema::Extend;
use crate::triple::headers::lower_first;

/// A service before its types are shared.
pub(super) struct Draft {
    key: ServiceKey,
    proto: String,
    file: String,
    exceptions_mode: ExceptionsMode,
    methods: Vec<MethodDraft>,
}

struct MethodDraft {
    java: String,
    parameters: Vec<JavaType>,
    returns: JavaType,
    rpc: String,
    streaming: bool,
    null_result: NullResult,
    throws: Vec<String>,
    arguments: ArgumentsPlan,
    result: ResultPlan,
}

impl Draft {
    pub(super) fn finish(self, types: &Arc<Types>, exceptions: &Arc<ExceptionBindings>) -> ServiceBinding {
        let methods = self
            .methods
            .into_iter()
            .map(|method| {
                Arc::new(MethodBinding {
                    name: format!("{}.{}", self.key.interface(), method.java),
                    descriptor: method.parameters.iter().map(JavaType::descriptor).collect(),
                    arg_types: method.parameters.iter().map(JavaType::class_name).collect(),
                    return_type: method.returns.class_name(),
                    path: format!("/{}/{}", self.proto, method.rpc),
                    java: method.java,
                    parameters: method.parameters,
                    returns: method.returns,
                    rpc: method.rpc,
                    streaming: method.streaming,
                    null_result: method.null_result,
                    throws: method.throws,
                    arguments: method.arguments,
                    result: method.result,
                    types: Arc::clone(types),
                    exceptions: Arc::clone(exceptions),
                })
            })
            .collect();
        ServiceBinding {
            key: self.key,
            proto: self.proto,
            file: self.file,
            exceptions_mode: self.exceptions_mode,
            methods,
        }
    }
}

impl Compiler<'_> {
    pub(super) fn service(&mut self, raw: &file::Service, file: &str) -> Loaded<Draft> {
        let descriptor = self
            .pool
            .get_service_by_name(&raw.proto)
            .ok_or_else(|| LoadError::new(&raw.proto, "", "no such service in the descriptors"))?;
        let option = Extend::of(&descriptor.options());
        let java = raw.java.as_deref().or_else(|| option.text(1));
        let java = java.unwrap_or(&raw.proto);
        if JavaType::parse(java).is_none() {
            return Err(LoadError::new(java, "", "is no class name"));
        }
        for name in raw
            .methods
            .iter()
            .map(|method| &method.rpc)
            .chain(raw.unbound.iter())
        {
            if !descriptor.methods().any(|method| method.name() == name) {
                self.fault(LoadError::new(
                    java,
                    name,
                    format!("{} has no such rpc", raw.proto),
                ));
            }
        }
        let mut methods: Vec<MethodDraft> = Vec::new();
        let mut seen = BTreeSet::new();
        for rpc in descriptor.methods() {
            let mut given = raw.methods.iter().filter(|method| method.rpc == rpc.name());
            let method = given.next();
            for second in given {
                let problem = format!("rpc {} is bound to two methods", rpc.name());
                self.fault(LoadError::new(java, &second.java, problem));
            }
            if raw.unbound.iter().any(|name| name == rpc.name()) {
                if method.is_some() {
                    self.fault(LoadError::new(java, rpc.name(), "is bound and unbound"));
                }
                continue;
            }
            self.within = Some((java.to_owned(), rpc.name().to_owned()));
            let draft = self.method(&rpc, method);
            let draft = draft.map_err(|error| self.fault(error));
            self.compile_pending();
            self.within = None;
            let Ok(draft) = draft else { continue };
            let signature: String = draft.parameters.iter().map(JavaType::descriptor).collect();
            if !draft.streaming && !seen.insert((draft.java.clone(), signature)) {
                let problem = "is bound to two rpcs with the same parameters";
                self.fault(LoadError::new(java, &draft.java, problem));
            }
            methods.push(draft);
        }
        Ok(Draft {
            key: ServiceKey::new(java, raw.group.as_str(), raw.version.as_str()),
            proto: raw.proto.clone(),
            file: file.to_owned(),
            exceptions_mode: raw.exceptions_mode,
            methods,
        })
    }

    fn method(&mut self, rpc: &MethodDescriptor, raw: Option<&file::Method>) -> Loaded<MethodDraft> {
        let err = |text: String| LoadError::new("", "", text);
        let (java, parameters) = match raw {
            Some(raw) => {
                parse_method(&raw.java).ok_or_else(|| err(format!("{} is no Java method", raw.java)))?
            }
            None => {
                let option = Extend::of(&rpc.options());
                let java = option
                    .text(1)
                    .map_or_else(|| lower_first(rpc.name()).into_owned(), str::to_owned);
                (java, None)
            }
        };
        let mut draft = MethodDraft {
            java,
            parameters: parameters.clone().unwrap_or_default(),
            returns: JavaType::object(),
            rpc: rpc.name().to_owned(),
            streaming: rpc.is_client_streaming() || rpc.is_server_streaming(),
            null_result: raw.map(|raw| raw.null_result).unwrap_or_default(),
            throws: raw.map(|raw| raw.throws.clone()).unwrap_or_default(),
            arguments: ArgumentsPlan::None,
            result: ResultPlan::None,
        };
        if draft.streaming {
            return Ok(draft);
        }
        for class in &draft.throws {
            if JavaType::parse(class).is_none() {
                return Err(err(format!("throws: {class} is no class name")));
            }
        }
        let args = raw.and_then(|raw| raw.args.as_deref());
        match self.arguments(&rpc.input(), parameters, args) {
            Ok(arguments) => (draft.parameters, draft.arguments) = arguments,
            Err(error) => self.fault(error),
        }
        let returns = match raw.and_then(|raw| raw.returns.as_deref()) {
            Some(text) => Some(
                JavaType::parse(text)
                    .ok_or_else(|| err(format!("returns: {text} is no Java type")))?
                    .unwrap_future(),
            ),
            None => None,
        };
        let field = raw.and_then(|raw| raw.result.as_deref());
        (draft.returns, draft.result) = self.result(&rpc.output(), returns, field)?;
        Ok(draft)
    }

    fn arguments(
        &mut self,
        message: &MessageDescriptor,
        parameters: Option<Vec<JavaType>>,
        args: Option<&[String]>,
    ) -> Loaded<(Vec<JavaType>, ArgumentsPlan)> {
        let name = message.full_name();
        let err = |text: String| LoadError::new(name, "", text);
        let (class, explicit) = self.class_of(message);
        let extend_args = Extend::of(&message.options()).flag(4);
        let mut fields: Vec<FieldDescriptor> = message.fields().collect();
        fields.sort_by_key(FieldDescriptor::number);
        if let Some(names) = args {
            fields = names
                .iter()
                .map(|name| {
                    message
                        .get_field_by_name(name)
                        .ok_or_else(|| err(format!("args: no field {name}")))
                })
                .collect::<Loaded<_>>()?;
            let distinct: BTreeSet<_> = fields.iter().map(FieldDescriptor::number).collect();
            if distinct.len() != fields.len() {
                return Err(err("args: a field is named twice".into()));
            }
        }
        let known = match (&parameters, args.is_some() || extend_args) {
            (Some(types), false) => match types.as_slice() {
                [only] if only.name() == Some(class.as_str()) => None,
                [_] if explicit => {
                    return Err(err(format!(
                        "is bound to {class}, which is not the parameter's type; give args to spread it"
                    )));
                }
                types => Some(types),
            },
            (Some(types), true) => Some(types.as_slice()),
            (None, false) if explicit => None,
            (None, _) => Some(&[][..]),
        };
        let Some(types) = known else {
            let java = JavaType::class(class);
            let (conv, _) = self.conv(&Kind::Message(message.clone()), &java, &FieldOptions::default())?;
            return Ok((vec![java], ArgumentsPlan::Whole(conv)));
        };
        if parameters.is_some() && types.len() != fields.len() {
            return Err(err(format!(
                "has {} fields for {} parameters; give args",
                fields.len(),
                types.len()
            )));
        }
        self.hold(message, explicit);
        let options = self.messages.get(name).copied().map(|raw| raw.options.clone());
        let options = options.unwrap_or_default();
        let (mut plans, mut parameters) = (Vec::new(), Vec::new());
        for (position, field) in fields.iter().enumerate() {
            let java = match types.get(position) {
                Some(java) => java.clone(),
                None => self.declared_java(name, field)?,
            };
            let field_options = options.get(field.name()).cloned().unwrap_or_default();
            let argument = format!("arg{position}");
            match self.field(name, field, &argument, Some(java.clone()), &field_options) {
                Ok(plan) => plans.push(plan),
                Err(error) => self.fault(error),
            }
            parameters.push(java);
        }
        Ok((parameters, ArgumentsPlan::Spread(plans)))
    }

    fn result(
        &mut self,
        message: &MessageDescriptor,
        returns: Option<JavaType>,
        field: Option<&str>,
    ) -> Loaded<(JavaType, ResultPlan)> {
        let name = message.full_name();
        let err = |text: String| LoadError::new(name, "", text);
        let (class, explicit) = self.class_of(message);
        let mut fields = message.fields();
        let only = match (fields.next(), fields.next()) {
            (Some(only), None) => Some(only),
            _ => message.get_field_by_name("result").filter(|_| !explicit),
        };
        if returns.as_ref().is_some_and(JavaType::is_void)
            || (returns.is_none() && field.is_none() && message.fields().len() == 0 && !explicit)
        {
            return Ok((JavaType::Primitive("void"), ResultPlan::Void));
        }
        if let Some(field) = field {
            let field = message
                .get_field_by_name(field)
                .ok_or_else(|| err(format!("result: no field {field}")))?;
            return self.single(message, &field, returns);
        }
        let well_known = !matches!(
            self.default_of(&Kind::Message(message.clone()), true).name(),
            Some(name) if name == class
        );
        let whole = match &returns {
            Some(java) => java.name() == Some(class.as_str()) || well_known || (explicit && only.is_none()),
            None => explicit || only.is_none() || well_known,
        };
        match (whole, only) {
            (false, Some(only)) => self.single(message, &only, returns),
            _ => {
                let kind = Kind::Message(message.clone());
                let java = match returns {
                    Some(java) => java,
                    None => self.default_of(&kind, true),
                };
                let (conv, _) = self.conv(&kind, &java, &FieldOptions::default())?;
                Ok((java, ResultPlan::Whole(conv)))
            }
        }
    }

    /// Notes that the fields of a message are arguments or a result. One that is bound to a class stays that, too.
    fn hold(&mut self, message: &MessageDescriptor, explicit: bool) {
        if explicit {
            return;
        }
        if let Some(raw) = self.messages.get(message.full_name()).copied() {
            self.check_names(message, raw);
        }
        self.holders.insert(message.full_name().to_owned());
    }

    /// The Java type of a field of a holder: as the binding's `types` or the field's option say, else its default.
    fn declared_java(&mut self, message: &str, field: &FieldDescriptor) -> Loaded<JavaType> {
        match self.declared(message, field)? {
            Some(declared) => Ok(declared),
            None => Ok(self.default_java(field)),
        }
    }

    fn single(
        &mut self,
        message: &MessageDescriptor,
        field: &FieldDescriptor,
        returns: Option<JavaType>,
    ) -> Loaded<(JavaType, ResultPlan)> {
        let java = match returns {
            Some(java) => java,
            None => self.declared_java(message.full_name(), field)?,
        };
        let (_, explicit) = self.class_of(message);
        self.hold(message, explicit);
        let options = self
            .messages
            .get(message.full_name())
            .and_then(|raw| raw.options.get(field.name()))
            .cloned()
            .unwrap_or_default();
        let plan: FieldPlan =
            self.field(message.full_name(), field, "result", Some(java.clone()), &options)?;
        Ok((java, ResultPlan::Single(Box::new(plan))))
    }
}
