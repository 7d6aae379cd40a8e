//! Paging of Describe actions: `MaxRecords` and an opaque `NextToken`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::errors;
use crate::sim::answer::ApiError;
use crate::sim::ec2::{Params, Xml};

/// How many records a page has, and the most it may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) usual: usize,
    pub(super) most: usize,
}

/// Writes one page of `items` (ascending by the number given with each) as the list `name`, and the token of the next.
/// The token says after which number to go on, so that what appears or vanishes between pages hides nothing else.
pub(super) fn write<T>(
    params: &Params,
    name: &str,
    limits: Limits,
    items: impl IntoIterator<Item = (u64, T)>,
    mut item: impl FnMut(&mut Xml, T),
) -> Result<Xml, ApiError> {
    let limit = errors::parsed::<usize>(params, "MaxRecords")?.unwrap_or(limits.usual);
    if !(1..=limits.most).contains(&limit) {
        return Err(errors::validation(format!(
            "1 validation error detected: Value '{limit}' at 'maxRecords' failed to satisfy constraint: Member must \
             have value between 1 and {}",
            limits.most
        )));
    }
    let token = params.get("NextToken").filter(|token| !token.is_empty());
    let after = token.map(|token| decode(token, name)).transpose()?;
    let mut rest = items
        .into_iter()
        .filter(|(number, _)| after.is_none_or(|after| *number > after));
    let (mut xml, mut last) = (Xml::default(), None);
    xml.element(name, |xml| {
        for (number, record) in rest.by_ref().take(limit) {
            xml.element("member", |xml| item(xml, record));
            last = Some(number);
        }
    });
    if let (Some(last), Some(_)) = (last, rest.next()) {
        xml.value("NextToken", encode(name, last));
    }
    Ok(xml)
}

fn encode(list: &str, after: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list}/{after}"))
}

fn decode(token: &str, list: &str) -> Result<u64, ApiError> {
    let text = URL_SAFE_NO_PAD.decode(token).ok();
    text.and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.strip_prefix(list)?.strip_prefix('/')?.parse().ok())
        .ok_or_else(|| {
            ApiError::client(
                "InvalidNextToken",
                format!("The token '{token}' is invalid."),
            )
        })
}
