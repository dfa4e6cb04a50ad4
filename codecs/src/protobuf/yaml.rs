//! Files that a person writes, as YAML.

use serde::de::DeserializeOwned;
use serde_saphyr::{MessageFormatter as _, UserMessageFormatter};

/// Reads a text. The error names line and column; the caller names the file.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let what = UserMessageFormatter
            .format_message(error.without_snippet())
            .into_owned();
        match error.location() {
            Some(place) => format!("line {}, column {}: {what}", place.line(), place.column()),
            None => what,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    #[test]
    fn says_where_and_what_but_no_name_of_its_own() {
        let error = super::parse::<BTreeMap<String, u32>>("a: 1\nbee: [\n").unwrap_err();
        assert!(
            error.starts_with("line ") && !error.contains("<input>") && !error.contains('\n'),
            "{error}"
        );
        let error = super::parse::<BTreeMap<String, u32>>("a: 1\nbee: x\n").unwrap_err();
        assert!(error.starts_with("line 2, column 6: "), "{error}");
    }
}
