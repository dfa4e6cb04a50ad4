//! A call's payload in the endpoint's encoding, and the reply in the caller's.
//!
//! The method's [`Plan`] does the work; here are the names and attachments that go with an encoding, and what a failed
//! conversion means for the call.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use codecs::hessian2::Limits;
use codecs::invocation::Text;
use codecs::plan::{self, PlanError, ResultTarget, exception};
use codecs::protobuf::{MethodBinding, ServiceBinding};
use codecs::triple::status::{Code, Status};
use codecs::{Attachments, Encoding, Exception, Invocation, Outcome, Payload, Plan, Reply, ServiceKey};
use registries::directory::{Protocol, Service};
use tokio::time::Instant;

use crate::error::{CallError, Kind};
use crate::worker::Worker;

/// The translation of one call.
pub(super) struct Translation {
    binding: Option<Arc<ServiceBinding>>,
    plan: Plan,
    /// Of a wrapped call, read when it is needed.
    descriptor: OnceCell<Option<Text>>,
}

impl Translation {
    /// By the service's binding, if it binds the method.
    pub(super) fn of(service: &Service, invocation: &Invocation) -> Self {
        let binding = service.binding.clone();
        let mut this = Self {
            binding: None,
            plan: Plan::default(),
            descriptor: OnceCell::new(),
        };
        let Some(binding) = binding else { return this };
        let method = match invocation.arguments.encoding {
            Encoding::Protobuf => binding.rpc(&invocation.method),
            Encoding::Hessian2 | Encoding::Wrapper => binding
                .method(&invocation.method, this.descriptor(invocation))
                .ok(),
            Encoding::Opaque(_) => None,
        };
        this.plan = Plan::new(method.cloned());
        this.binding = Some(binding);
        this
    }

    /// Whether the method has a protobuf binding.
    pub(super) fn is_bound(&self) -> bool {
        self.plan.method().is_some()
    }

    fn method(&self) -> Option<&MethodBinding> {
        self.plan.method().map(|method| &**method)
    }

    /// The method's name on the Java side.
    pub(super) fn java<'a>(&'a self, invocation: &'a Invocation) -> &'a str {
        match self.method() {
            Some(method) => &method.java,
            None => &invocation.method,
        }
    }

    /// The service's and the method's name in a Triple path, for a payload in this encoding.
    pub(super) fn path<'a>(
        &'a self,
        encoding: Encoding,
        key: &'a ServiceKey,
        invocation: &'a Invocation,
    ) -> (&'a str, &'a str) {
        match (encoding, &self.binding, self.method()) {
            (Encoding::Protobuf, Some(binding), Some(method)) => (&binding.proto, &method.rpc),
            _ => (key.interface(), self.java(invocation)),
        }
    }

    /// The parameter types: as the call states them, else as the binding does.
    pub(super) fn descriptor<'a>(&'a self, invocation: &'a Invocation) -> Option<&'a str> {
        if let Some(descriptor) = &invocation.descriptor {
            return Some(descriptor);
        }
        if invocation.arguments.encoding == Encoding::Wrapper {
            let read = || {
                let descriptor = plan::descriptor_of_wrapper(&invocation.arguments.bytes);
                descriptor.ok().flatten().map(Text::from)
            };
            return self.descriptor.get_or_init(read).as_deref();
        }
        self.method().map(|method| method.descriptor.as_str())
    }

    /// The arguments in the endpoint's encoding.
    pub(super) fn arguments<'a>(
        &self,
        invocation: &'a Invocation,
        to: Encoding,
        worker: &Worker,
    ) -> Result<Cow<'a, Payload>, CallError> {
        let arguments = &invocation.arguments;
        if arguments.encoding == to {
            return Ok(Cow::Borrowed(arguments));
        }
        let descriptor = self.descriptor(invocation);
        let scratch = &mut worker.scratch.borrow_mut();
        self.plan
            .arguments(arguments, descriptor, to, scratch, &Limits::DEFAULT)
            .map(Cow::Owned)
            .map_err(refused)
    }

    /// The attachments as an endpoint takes them.
    ///
    /// A Dubbo2 provider looks the service up by attachments (`spec/dubbo2-hessian2.md` 6.3), which a Triple caller does
    /// not send.
    pub(super) fn attachments<'a>(
        invocation: &'a Invocation,
        protocol: Protocol,
        key: &ServiceKey,
        deadline: Instant,
    ) -> Cow<'a, Attachments> {
        let attachments = &invocation.attachments;
        if attachments.headers().is_none() || !matches!(protocol, Protocol::Dubbo2 { .. }) {
            return Cow::Borrowed(attachments);
        }
        let application = attachments.get_text("tri-consumer-appname").map(Cow::into_owned);
        let mut body = attachments.for_body().into_owned();
        body.set(Text::from_static("path"), key.interface());
        body.set(Text::from_static("interface"), key.interface());
        for (name, value) in [("group", key.group()), ("version", key.version())] {
            if !value.is_empty() {
                body.set(Text::from_static(name), value);
            }
        }
        if let Some(application) = application {
            body.set(Text::from_static("remote.application"), application);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        body.set(Text::from_static("timeout"), left.as_millis().max(1).to_string());
        Cow::Owned(body)
    }

    /// The reply in the caller's encoding.
    pub(super) fn reply(&self, reply: Reply, caller: Encoding, worker: &Worker) -> Result<Reply, CallError> {
        let Reply {
            outcome,
            mut attachments,
        } = reply;
        let scratch = &mut worker.scratch.borrow_mut();
        let outcome = match outcome {
            Outcome::Result(payload) => {
                let null = attachments.contains(plan::NULL_RESULT);
                if payload.encoding == caller && !null {
                    Outcome::Result(payload)
                } else {
                    let target = ResultTarget {
                        null,
                        ..ResultTarget::new(caller)
                    };
                    match self.plan.result(&payload, &target, scratch, &Limits::DEFAULT) {
                        Ok(result) => {
                            if result.null {
                                attachments.set(plan::NULL_RESULT, "1");
                            } else {
                                attachments.remove(plan::NULL_RESULT);
                            }
                            Outcome::Result(result.payload)
                        }
                        Err(error)
                            if self
                                .method()
                                .is_some_and(|method| error.is_null_not_found(method)) =>
                        {
                            let status = Status::new(Code::NotFound, "the result is null");
                            Outcome::Exception(Exception::Status(status))
                        }
                        Err(error) => return Err(CallError::sent(Kind::BadReply).because(error)),
                    }
                }
            }
            Outcome::Exception(Exception::Throwable(thrown)) if caller == Encoding::Protobuf => {
                let status = exception::to_status(&thrown, self.method(), scratch, &Limits::DEFAULT);
                Outcome::Exception(Exception::Status(status))
            }
            Outcome::Exception(Exception::Status(status))
                if caller != Encoding::Protobuf
                    && !status.details.is_empty()
                    && is_of_application(&status) =>
            {
                // The caller's release is not known here: a class that every consumer can build.
                let builds = exception::Builds::Unproven;
                let thrown =
                    exception::to_throwable(&status, self.method(), builds, scratch, &Limits::DEFAULT);
                Outcome::Exception(Exception::Throwable(thrown))
            }
            outcome => outcome,
        };
        Ok(Reply { outcome, attachments })
    }
}

/// Whether a status with details speaks for the application, and not of transport, time or overload.
fn is_of_application(status: &Status) -> bool {
    !matches!(
        Code::from_number(status.code),
        Code::DeadlineExceeded | Code::Unavailable | Code::ResourceExhausted | Code::Cancelled
    )
}

/// Why arguments cannot be converted: nothing was sent.
fn refused(error: PlanError) -> CallError {
    let kind = match &error {
        PlanError::NoBinding { .. } => Kind::UnknownService,
        PlanError::Opaque(_) | PlanError::Serialization(_) => Kind::Unsupported,
        _ => Kind::BadRequest,
    };
    CallError::downstream(kind).because(error)
}
