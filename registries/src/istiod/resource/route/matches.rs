//! When a route applies.

use std::sync::Arc;

use xds_api::pb::envoy::config::route::v3 as proto;
use xds_api::pb::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use xds_api::pb::envoy::config::route::v3::route_match::PathSpecifier;
use xds_api::pb::envoy::r#type::matcher::v3::{RegexMatcher, StringMatcher, string_matcher::MatchPattern};
use xds_api::pb::envoy::r#type::v3::FractionalPercent;

use crate::istiod::resource::{ResourceError, invalid};
use crate::route::{HeaderMatch, PathMatch, RouteMatch, ValueMatch};

/// The longest regular expression, in bytes.
const REGEX_TEXT: usize = 4096;

pub(super) fn read(matches: &proto::RouteMatch) -> Result<RouteMatch, ResourceError> {
    let mut never = !matches.query_parameters.is_empty() || matches.tls_context.is_some();
    // A claim matcher never holds for us, unless it is turned round.
    never |= matches.dynamic_metadata.iter().any(|matcher| !matcher.invert);
    let path = match &matches.path_specifier {
        Some(PathSpecifier::Prefix(prefix)) => PathMatch::Prefix(prefix.as_str().into()),
        Some(PathSpecifier::Path(path)) => PathMatch::Exact(path.as_str().into()),
        Some(PathSpecifier::PathSeparatedPrefix(prefix)) => PathMatch::SegmentPrefix(prefix.as_str().into()),
        Some(PathSpecifier::SafeRegex(regex)) => PathMatch::Regex(compile("path regex", regex)?),
        Some(PathSpecifier::ConnectMatcher(_) | PathSpecifier::PathMatchPolicy(_)) => {
            never = true;
            PathMatch::Prefix("".into())
        }
        None => return Err(ResourceError::Missing("path of a route match")),
    };
    let mut headers = Vec::new();
    for matcher in &matches.headers {
        match read_header(matcher)? {
            Some(header) => headers.push(header),
            None => never = true,
        }
    }
    let fraction = matches.runtime_fraction.as_ref();
    Ok(RouteMatch {
        path,
        case_sensitive: matches.case_sensitive.as_ref().is_none_or(|value| value.value),
        headers,
        per_million: fraction.map(|fraction| per_million(fraction.default_value.as_ref())),
        never,
    })
}

/// A share per million; none is 0, as Envoy reads it.
pub(super) fn per_million(percent: Option<&FractionalPercent>) -> u32 {
    const MILLION: u64 = 1_000_000;
    let Some(percent) = percent else { return 0 };
    // HUNDRED, TEN_THOUSAND, MILLION
    let unit = match percent.denominator {
        0 => 10_000,
        1 => 100,
        _ => 1,
    };
    let share = u64::from(percent.numerator).saturating_mul(unit).min(MILLION);
    u32::try_from(share).unwrap_or(u32::MAX)
}

/// `None` for a matcher that we cannot evaluate.
fn read_header(matcher: &proto::HeaderMatcher) -> Result<Option<HeaderMatch>, ResourceError> {
    if matcher.name.is_empty() {
        return Err(ResourceError::Missing("header name of a match"));
    }
    #[allow(deprecated, reason = "older control planes still write them")]
    let value = match &matcher.header_match_specifier {
        None => ValueMatch::Present(true),
        Some(HeaderMatchSpecifier::PresentMatch(present)) => ValueMatch::Present(*present),
        Some(HeaderMatchSpecifier::ExactMatch(text)) => ValueMatch::Exact(text.as_str().into(), false),
        Some(HeaderMatchSpecifier::PrefixMatch(text)) => ValueMatch::Prefix(text.as_str().into(), false),
        Some(HeaderMatchSpecifier::SuffixMatch(text)) => ValueMatch::Suffix(text.as_str().into(), false),
        Some(HeaderMatchSpecifier::ContainsMatch(text)) => ValueMatch::Contains(text.as_str().into(), false),
        Some(HeaderMatchSpecifier::SafeRegexMatch(regex)) => {
            ValueMatch::Regex(compile("header regex", regex)?)
        }
        Some(HeaderMatchSpecifier::RangeMatch(range)) => ValueMatch::Range(range.start, range.end),
        Some(HeaderMatchSpecifier::StringMatch(matcher)) => match read_string(matcher)? {
            Some(value) => value,
            None => return Ok(None),
        },
    };
    Ok(Some(HeaderMatch {
        name: matcher.name.to_ascii_lowercase().into(),
        value,
        invert: matcher.invert_match,
        missing_is_empty: matcher.treat_missing_header_as_empty,
    }))
}

fn read_string(matcher: &StringMatcher) -> Result<Option<ValueMatch>, ResourceError> {
    let text = |text: &String| -> Arc<str> { text.as_str().into() };
    let fold = matcher.ignore_case;
    Ok(match &matcher.match_pattern {
        Some(MatchPattern::Exact(value)) => Some(ValueMatch::Exact(text(value), fold)),
        Some(MatchPattern::Prefix(value)) => Some(ValueMatch::Prefix(text(value), fold)),
        Some(MatchPattern::Suffix(value)) => Some(ValueMatch::Suffix(text(value), fold)),
        Some(MatchPattern::Contains(value)) => Some(ValueMatch::Contains(text(value), fold)),
        Some(MatchPattern::SafeRegex(regex)) => Some(ValueMatch::Regex(compile("header regex", regex)?)),
        Some(MatchPattern::Custom(_)) => None,
        None => return Err(ResourceError::Missing("pattern of a header match")),
    })
}

/// The expression, to be matched in full.
fn compile(field: &'static str, matcher: &RegexMatcher) -> Result<regex::Regex, ResourceError> {
    let text = &matcher.regex;
    if text.len() > REGEX_TEXT {
        return Err(invalid(field, format!("longer than {REGEX_TEXT} bytes")));
    }
    crate::route::full_match(text).map_err(|error| {
        // The parser draws the pattern over several lines; an error text has one.
        let error = error.to_string();
        let last = error.lines().last().unwrap_or_default().trim().to_owned();
        invalid(field, format!("{text:?}: {last}"))
    })
}
