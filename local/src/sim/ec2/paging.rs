//! Paging of Describe actions: `MaxResults` and an opaque `NextToken`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::errors;
use super::query::Params;
use crate::sim::answer::ApiError;

/// How many results a page may have, as most EC2 actions say.
const LIMITS: std::ops::RangeInclusive<usize> = 5..=1_000;

/// One page of a list.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next_token: Option<String>,
}

/// Cuts `items` (ascending by the number given with each) to the page asked for. The token says after which number to
/// go on, so that what appears or vanishes between pages neither repeats nor hides the others.
pub(super) fn page<T>(
    params: &Params,
    list: &str,
    items: Vec<(u64, T)>,
) -> Result<Page<T>, ApiError> {
    let limit = params.parsed::<usize>("MaxResults")?;
    if let Some(limit) = limit.filter(|limit| !LIMITS.contains(limit)) {
        return Err(errors::invalid(format!(
            "Value ( {limit} ) for parameter maxResults is invalid. Expecting a value between {} and {}.",
            LIMITS.start(),
            LIMITS.end()
        )));
    }
    let after = params
        .get("NextToken")
        .filter(|token| !token.is_empty())
        .map(|t| decode(t, list))
        .transpose()?;
    let limit = limit.unwrap_or(*LIMITS.end());
    let mut rest = items
        .into_iter()
        .filter(|(number, _)| after.is_none_or(|after| *number > after));
    let page: Vec<_> = rest.by_ref().take(limit).collect();
    let next_token = match (page.last(), rest.next()) {
        (Some((number, _)), Some(_)) => Some(encode(list, *number)),
        _ => None,
    };
    Ok(Page {
        items: page.into_iter().map(|(_, item)| item).collect(),
        next_token,
    })
}

/// Numbers for a list that has no ids of its own to go by.
pub(super) fn numbered<T>(items: impl IntoIterator<Item = T>) -> Vec<(u64, T)> {
    (1..).zip(items).collect()
}

fn encode(list: &str, after: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list}/{after}"))
}

fn decode(token: &str, list: &str) -> Result<u64, ApiError> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.strip_prefix(list)?.strip_prefix('/')?.parse().ok())
        .ok_or_else(|| {
            ApiError::client(
                "InvalidPaginationToken",
                "The pagination token is not valid or has expired.",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(pairs: &[(&str, &str)]) -> Result<Page<u64>, ApiError> {
        let params = Params::new(pairs.iter().map(|(n, v)| ((*n).into(), (*v).into())));
        page(&params, "things", (1..=12).map(|n| (n, n)).collect())
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let one = ask(&[("MaxResults", "5")]).unwrap();
        let two = ask(&[("MaxResults", "5"), ("NextToken", &one.next_token.unwrap())]).unwrap();
        let three = ask(&[("MaxResults", "5"), ("NextToken", &two.next_token.unwrap())]).unwrap();
        assert_eq!(
            [one.items, two.items, three.items].concat(),
            (1..=12).collect::<Vec<_>>()
        );
        assert_eq!(three.next_token, None);
        assert_eq!(ask(&[("MaxResults", "12")]).unwrap().next_token, None);
    }

    #[test]
    fn bad_limits_and_tokens_are_refused() {
        for bad in ["4", "1001", "-1", "x"] {
            assert_eq!(
                ask(&[("MaxResults", bad)]).unwrap_err().code,
                "InvalidParameterValue",
                "{bad}"
            );
        }
        for bad in ["nonsense", "b3RoZXIvNQ"] {
            assert_eq!(
                ask(&[("NextToken", bad)]).unwrap_err().code,
                "InvalidPaginationToken",
                "{bad}"
            );
        }
    }
}
