//! What a method's binding makes of a call: its names on both sides and the plan of its payloads.
//!
//! Found once for a method and its parameter types, and kept with the method. Only a generic call to a bound service is
//! looked at each time: it names the real method in its first argument.

use std::rc::Rc;
use std::sync::Arc;

use codecs::hessian2::{Limits, Reader, Token};
use codecs::invocation::Text;
use codecs::plan::{PlanError, descriptor};
use codecs::protobuf::binding::{ExceptionsMode, MethodBinding, NoMethod, ServiceBinding};
use codecs::{Attachments, Encoding, Invocation, Outcome, Payload, Plan, Reply};

use super::known::{Known, Method};
use crate::error::{CallError, Kind};
use crate::upstream::Answer;
use crate::worker::Worker;

/// Overloads remembered of one method name.
const OVERLOADS: usize = 64;

/// Parameter types of a generic call that are read.
const TYPES: usize = 255;

pub(crate) struct Bound {
    /// The conversion of its payloads.
    pub(super) plan: Plan,
    /// The Java method.
    pub(super) java_name: Box<str>,
    /// `/interface/method`.
    pub(super) java_path: String,
    /// `/package.Service/Rpc`; as the caller named them when nothing is bound.
    pub(super) proto_path: String,
    /// `$echo`.
    pub(super) is_echo: bool,
    /// The service's binding says that Java callers of wrapped calls read a Throwable as it is.
    pub(super) throwables: bool,
    /// Why the service's binding has no plan for it.
    unbound: Option<NoMethod>,
}

impl Bound {
    fn new(known: &Known, name: &str, found: Result<Plan, NoMethod>) -> Self {
        let unbound = found.as_ref().err().copied();
        let plan = found.unwrap_or_default();
        let method = plan.method();
        let java_name: Box<str> = match method {
            Some(method) if !name.starts_with('$') => method.java.as_str().into(),
            _ => name.into(),
        };
        Self {
            java_path: format!("/{}/{java_name}", known.upstream_key.interface()),
            proto_path: match method {
                Some(method) => method.path.clone(),
                None => format!("/{}/{name}", known.key.interface()),
            },
            is_echo: name == "$echo",
            throwables: known
                .binding()
                .is_some_and(|binding| binding.exceptions_mode == ExceptionsMode::TriExceptionCode),
            unbound,
            java_name,
            plan,
        }
    }

    /// Service and method as the mesh names them.
    pub(super) fn names<'a>(&'a self, known: &'a Known) -> (&'a str, &'a str) {
        let path = self.proto_path.trim_start_matches('/');
        path.rsplit_once('/')
            .unwrap_or((known.key.interface(), &self.java_name))
    }

    /// The Java method and its descriptor: the caller's, or where it named an rpc those of the binding.
    pub(super) fn java<'a>(&'a self, invocation: &'a Invocation) -> (&'a str, &'a str) {
        let of_binding = self.plan.method().map_or("", |method| method.descriptor.as_str());
        let descriptor = match &invocation.descriptor {
            Some(descriptor) => descriptor.as_str(),
            None => of_binding,
        };
        (&self.java_name, descriptor)
    }

    /// Arguments that cannot be brought into the endpoint's encoding.
    pub(super) fn refused(&self, error: PlanError) -> CallError {
        let kind = match &error {
            PlanError::NoBinding { .. } => match self.unbound {
                Some(why) => return CallError::downstream(Kind::Unsupported).because(why),
                None => Kind::Unsupported,
            },
            PlanError::Opaque(_) | PlanError::Serialization(_) => Kind::Unsupported,
            _ => Kind::BadRequest,
        };
        CallError::downstream(kind).because(error)
    }

    /// The answer to an echo that the endpoint cannot be asked for: its argument.
    pub(super) fn echo(&self, worker: &Worker, arguments: &Payload) -> Result<Answer, CallError> {
        let scratch = &mut worker.scratch.borrow_mut();
        let value = self
            .plan
            .arguments(arguments, None, Encoding::Hessian2, scratch, &Limits::DEFAULT)
            .map_err(|error| self.refused(error))?;
        Ok(Answer::whole(Reply {
            outcome: Outcome::Result(value),
            attachments: Attachments::new(),
        }))
    }
}

impl Known {
    fn binding(&self) -> Option<&ServiceBinding> {
        self.service.as_ref()?.binding.as_deref()
    }

    /// What the service's binding makes of a call.
    pub(super) fn bound(&self, worker: &Worker, method: &Method, invocation: &Invocation) -> Rc<Bound> {
        let binding = self.binding();
        let generic = matches!(invocation.method.as_str(), "$invoke" | "$invokeAsync");
        if let (Some(binding), true) = (binding, generic) {
            let plan = generic_plan(worker, binding, &invocation.arguments);
            return Rc::new(Bound::new(self, &invocation.method, plan));
        }
        let is_proto = invocation.arguments.encoding == Encoding::Protobuf;
        let mut overloads = method.overloads.borrow_mut();
        let found = overloads
            .iter()
            .find(|(proto, descriptor, _)| *proto == is_proto && *descriptor == invocation.descriptor);
        if let Some((_, _, bound)) = found {
            return bound.clone();
        }
        let plan = match binding {
            Some(binding) => {
                method_binding(binding, invocation, is_proto).map(|method| Plan::new(Some(method)))
            }
            None => Ok(Plan::default()),
        };
        let bound = Rc::new(Bound::new(self, &invocation.method, plan));
        if overloads.len() < OVERLOADS {
            // What is kept must not pin a request's buffer.
            let descriptor = invocation
                .descriptor
                .as_ref()
                .map(|text| Text::from(text.as_str()));
            overloads.push((is_proto, descriptor, bound.clone()));
        }
        bound
    }
}

fn method_binding(
    binding: &ServiceBinding,
    invocation: &Invocation,
    is_proto: bool,
) -> Result<Arc<MethodBinding>, NoMethod> {
    let name = invocation.method.as_str();
    let found = if is_proto {
        binding.rpc(name).ok_or(NoMethod::Unknown)
    } else {
        binding.method(name, invocation.descriptor.as_deref())
    };
    found.cloned()
}

/// The plan of the method that a generic call names; none when it names none.
fn generic_plan(worker: &Worker, binding: &ServiceBinding, arguments: &Payload) -> Result<Plan, NoMethod> {
    let Some((name, types)) = named_method(worker, arguments) else {
        return Ok(Plan::default());
    };
    let method = binding.method(&name, types.as_deref())?;
    Ok(Plan::generic(method.clone()))
}

/// The method's name and its parameter types as one JVM descriptor, out of a generic call's arguments.
fn named_method(worker: &Worker, arguments: &Payload) -> Option<(String, Option<String>)> {
    let scratch = &mut worker.scratch.borrow_mut();
    let arguments = Plan::default()
        .arguments(arguments, None, Encoding::Hessian2, scratch, &Limits::DEFAULT)
        .ok()?;
    let mut reader = Reader::new(&arguments.bytes, &mut scratch.hessian, &Limits::DEFAULT);
    let Token::Str(name) = reader.read().ok()? else {
        return None;
    };
    let name = name.to_cow().into_owned();
    let mut types = String::new();
    let Token::ListStart { .. } = reader.read().ok()? else {
        return Some((name, None));
    };
    for _ in 0..TYPES {
        match reader.read().ok()? {
            Token::Str(class) => types.push_str(&descriptor::of_class_name(&class.to_cow())),
            _ => break,
        }
    }
    Some((name, Some(types)))
}
