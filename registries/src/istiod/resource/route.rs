//! RDS: the rules of one `host:port` (Envoy's `config.route.v3`).

mod action;
mod matches;

use std::sync::Arc;

use prost013::Message as _;
use xds_api::pb::envoy::config::core::v3::HeaderValueOption;
use xds_api::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use xds_api::pb::envoy::config::route::v3 as proto;

use crate::istiod::resource::ResourceError;
use crate::mesh_view::HostPort;
use crate::route::{Route, RouteAction, VirtualHost};

pub(crate) use action::clusters;

/// Headers set: name, value, appended.
type HeadersToAdd = Vec<(Arc<str>, Arc<str>, bool)>;

/// The rules that a route configuration has for `target`, and the configuration's name.
///
/// No virtual host for the target is no error: istiod says so of a host that it does not know (yet).
pub fn parse(bytes: &[u8], target: &HostPort) -> Result<(Arc<str>, VirtualHost), ResourceError> {
    let config = proto::RouteConfiguration::decode(bytes)?;
    let mut routes = Vec::new();
    if let Some(host) = choose(&config.virtual_hosts, target) {
        for route in &host.routes {
            routes.push(Arc::new(read_route(route, host, &config)?));
        }
    }
    Ok((config.name.into(), VirtualHost { routes }))
}

/// The virtual host for a name, in Envoy's order: exact, longest `*.suffix`, longest `prefix.*`, `*`.
fn choose<'a>(hosts: &'a [proto::VirtualHost], target: &HostPort) -> Option<&'a proto::VirtualHost> {
    let names = [target.host.to_string(), target.to_string()];
    let rank = |domain: &str| -> Option<(u8, usize)> {
        let domain = domain.to_ascii_lowercase();
        if domain == "*" {
            Some((0, 0))
        } else if names.contains(&domain) {
            Some((3, 0))
        } else if let Some(suffix) = domain.strip_prefix('*') {
            let fits = |name: &String| name.len() > suffix.len() && name.ends_with(suffix);
            names.iter().any(fits).then_some((2, suffix.len()))
        } else if let Some(prefix) = domain.strip_suffix('*') {
            let fits = |name: &String| name.len() > prefix.len() && name.starts_with(prefix);
            names.iter().any(fits).then_some((1, prefix.len()))
        } else {
            None
        }
    };
    let best = |host: &proto::VirtualHost| host.domains.iter().filter_map(|domain| rank(domain)).max();
    hosts
        .iter()
        .filter_map(|host| best(host).map(|rank| (rank, host)))
        .max_by_key(|(rank, _)| *rank)
        .map(|(_, host)| host)
}

fn read_route(
    route: &proto::Route,
    host: &proto::VirtualHost,
    config: &proto::RouteConfiguration,
) -> Result<Route, ResourceError> {
    let matches = route
        .r#match
        .as_ref()
        .ok_or(ResourceError::Missing("route match"))?;
    let levels = [
        (&route.request_headers_to_add, &route.request_headers_to_remove),
        (&host.request_headers_to_add, &host.request_headers_to_remove),
        (&config.request_headers_to_add, &config.request_headers_to_remove),
    ];
    let mut headers_to_add = HeadersToAdd::new();
    let mut headers_to_remove = Vec::new();
    let mut authority = None;
    for (add, remove) in levels {
        headers_to_add.extend(read_headers(add, &mut authority));
        headers_to_remove.extend(names_to_remove(remove));
    }
    let mut action = action::read(route, host)?;
    if let (RouteAction::Forward(forward), Some(authority)) = (&mut action, authority) {
        forward.host_rewrite.get_or_insert(authority);
    }
    Ok(Route {
        name: route.name.as_str().into(),
        matches: matches::read(matches)?,
        action,
        headers_to_add,
        headers_to_remove,
    })
}

/// Headers of the connection, the framing and the call's deadline are not an operator's to set.
fn is_ours(name: &str) -> bool {
    name.is_empty()
        || name.starts_with(':')
        || name.starts_with("grpc-")
        || matches!(name, "te" | "content-type")
}

/// The headers to set; `host` and `:authority` go to `authority` instead.
fn read_headers(options: &[HeaderValueOption], authority: &mut Option<Arc<str>>) -> HeadersToAdd {
    let mut headers = HeadersToAdd::new();
    for option in options {
        let Some(header) = &option.header else { continue };
        let name = header.key.to_ascii_lowercase();
        let value = literal(&header.value);
        if matches!(name.as_str(), "host" | ":authority") {
            authority.get_or_insert(value.into());
            continue;
        }
        if is_ours(&name) {
            continue;
        }
        #[allow(deprecated, reason = "older control planes still write it")]
        let append = match &option.append {
            Some(append) => append.value,
            None => option.append_action == i32::from(HeaderAppendAction::AppendIfExistsOrAdd),
        };
        headers.push((name.into(), value.into(), append));
    }
    headers
}

fn names_to_remove(names: &[String]) -> impl Iterator<Item = Arc<str>> {
    let names = names.iter().map(|name| name.to_ascii_lowercase());
    names
        .filter(|name| !is_ours(name) && name != "host")
        .map(Arc::from)
}

/// A header value with Envoy's command operators taken out: `%%` is a percent sign, `%ANYTHING%` a dash.
fn literal(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let Some((command, after)) = after.split_once('%') else {
            out.push('%');
            rest = after;
            continue;
        };
        out.push(if command.is_empty() { '%' } else { '-' });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;
