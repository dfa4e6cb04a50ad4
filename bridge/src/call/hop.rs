//! How many bridges a call has crossed.
//!
//! The attachment is `installation|service key|method|count`. It counts on while service and method stay the same, by
//! whichever installation it was written: two installations that send a call to each other are a loop, too. Another
//! service or method begins at one, because Dubbo 2.x copies the attachments it received into the calls it makes.

use codecs::Attachments;
use codecs::invocation::Text;

use super::Method;
use crate::error::{CallError, Kind};

/// The attachment's name.
pub(crate) const HOP: &str = "landbridge-hop";

/// Counts this bridge in, or refuses the call when it has crossed `most` of them.
pub(super) fn count(attachments: &mut Attachments, method: &Method, most: u8) -> Result<(), CallError> {
    let crossed = match attachments.get_text(HOP) {
        Some(text) => crossed(&text, method),
        None => 0,
    };
    if crossed >= most {
        return Err(CallError::downstream(Kind::Loop));
    }
    let value = match crossed {
        0 => method.first_hop.clone(),
        _ => Text::from(hop(&method.hop_head, crossed.saturating_add(1))),
    };
    attachments.set(Text::from_static(HOP), value);
    Ok(())
}

fn crossed(text: &str, method: &Method) -> u8 {
    let Some((head, count)) = text.rsplit_once('|') else {
        return 0;
    };
    let same =
        head.split_once('|').map(|(_, rest)| rest) == method.hop_head.split_once('|').map(|(_, rest)| rest);
    if same { count.parse().unwrap_or(u8::MAX) } else { 0 }
}

/// What is written: `head` is `installation|service key|method`.
pub(super) fn hop(head: &str, count: u8) -> String {
    format!("{head}|{count}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(before: Option<&str>) -> Result<String, Kind> {
        let method = Method::new("east", "g/a.B:1", "f");
        let mut attachments = Attachments::new();
        if let Some(before) = before {
            attachments.set(HOP, before);
        }
        count(&mut attachments, &method, 4).map_err(|error| error.kind)?;
        Ok(attachments.get_text(HOP).unwrap().into_owned())
    }

    #[test]
    fn counts_on_for_the_same_call_by_any_installation() {
        assert_eq!(counted(None).unwrap(), "east|g/a.B:1|f|1");
        assert_eq!(counted(Some("east|g/a.B:1|f|1")).unwrap(), "east|g/a.B:1|f|2");
        assert_eq!(counted(Some("west|g/a.B:1|f|3")).unwrap(), "east|g/a.B:1|f|4");
        assert_eq!(counted(Some("west|g/a.B:1|f|4")).unwrap_err(), Kind::Loop);
    }

    #[test]
    fn begins_anew_for_another_call() {
        for copied in ["east|g/a.B:1|g|4", "east|a.C|f|4", "nonsense", ""] {
            assert_eq!(counted(Some(copied)).unwrap(), "east|g/a.B:1|f|1", "{copied}");
        }
        assert_eq!(counted(Some("east|g/a.B:1|f|many")).unwrap_err(), Kind::Loop);
    }
}
