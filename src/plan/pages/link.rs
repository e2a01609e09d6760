//! The next page by a URL of the application.

use crate::scim::ScimError;

use super::Run;

/// The target of `rel="next"` in a `Link` header (RFC 8288).
pub(super) fn next(value: &str) -> Option<&str> {
    let mut rest = value;
    // A target may hold commas, so links are found by their brackets.
    while let Some((target, after)) = rest.split_once('<').and_then(|(_, link)| link.split_once('>')) {
        let parameters = after.split_once('<').map_or(after, |(parameters, _)| parameters);
        if parameters.split([';', ',']).any(is_next) {
            return Some(target);
        }
        rest = after;
    }
    None
}

/// `rel="next"`, perhaps among other relations.
fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let relations = value.trim().trim_matches('"').split_ascii_whitespace();
    name.trim().eq_ignore_ascii_case("rel") && relations.into_iter().any(|rel| rel.eq_ignore_ascii_case("next"))
}

/// The path and query of a next URL, below the backend's base path. It is resolved against the call; scheme and host
/// are the backend's always.
pub(super) fn target(run: &Run<'_>, current: &str, link: &str) -> Result<String, ScimError> {
    let below = below(&run.backend.url.path, current, link);
    below.ok_or_else(|| ScimError::new(502, format!("{} names a next page outside its API", run.backend.name)))
}

fn below(base: &str, current: &str, link: &str) -> Option<String> {
    let link = link.split('#').next().filter(|link| !link.is_empty())?;
    let path = current.split('?').next().unwrap_or(current);
    if link.starts_with('?') {
        return Some(format!("{path}{link}"));
    }
    let after_authority = |rest: &str| rest.find('/').and_then(|slash| rest.get(slash..)).map(str::to_owned);
    let rooted = match link.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => after_authority(rest)?,
        _ => match link.strip_prefix("//") {
            Some(rest) => after_authority(rest)?,
            None if link.starts_with('/') => link.to_owned(),
            None => {
                let folder = path.rfind('/').and_then(|slash| path.get(..=slash)).unwrap_or("/");
                format!("{base}{folder}{link}")
            }
        },
    };
    let below = rooted.strip_prefix(base)?;
    let fits = below.starts_with('/') && rooted.bytes().all(|byte| byte.is_ascii_graphic());
    (fits && !climbs(below)).then(|| below.to_owned())
}

/// Whether a path has a segment that leads upwards, in any spelling.
fn climbs(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or(target).to_ascii_lowercase().replace("%2e", ".");
    path.split(['/', '\\']).any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::{below, next};

    #[test]
    fn the_next_relation_is_found_among_others() {
        assert_eq!(next(r#"</a?p=1>; rel="prev", </a?p=3>; rel="next""#), Some("/a?p=3"));
        assert_eq!(next("</a?p=3>; rel=next"), Some("/a?p=3"));
        assert_eq!(next(r#"</a?ids=1,2>; title="x"; rel="last next", </b>; rel="first""#), Some("/a?ids=1,2"));
        assert_eq!(next(r#"</a?p=1>; rel="last""#), None);
        assert_eq!(next("garbage"), None);
        assert_eq!(next("<half"), None);
    }

    #[test]
    fn a_next_url_is_resolved_against_the_call_and_stays_below_the_backend() {
        let check = |link: &str, expected: Option<&str>| {
            assert_eq!(below("/api", "/users?page=1", link).as_deref(), expected, "{link}");
        };
        check("https://elsewhere.example/api/users?c=2", Some("/users?c=2"));
        check("//elsewhere.example/api/users?c=2", Some("/users?c=2"));
        check("/api/users?c=2#end", Some("/users?c=2"));
        check("?c=2", Some("/users?c=2"));
        check("users/next?c=2", Some("/users/next?c=2"));
        check("/api/users?u=http://x/../y", Some("/users?u=http://x/../y"));
        for outside in ["", "#x", "/users?c=2", "/apix/users", "/api/../admin", "/api/%2E%2e/admin", "../admin", "/api"]
        {
            check(outside, None);
        }
    }
}
