//! A request as it is known before it is written: method, target, fields, body.
//!
//! In: what others say is to be sent; names and values are checked by whoever puts them in. Out: the parts, for a
//! writer of HTTP/1.1, or a request as an HTTP library takes it. Most of it is borrowed, as it is written at once.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Uri};

/// A request. It holds credentials, and cannot be printed.
pub(super) struct Outgoing<'a> {
    pub(super) method: Method,
    pub(super) authority: &'a Authority,
    pub(super) target: PathAndQuery,
    pub(super) fields: Fields<'a>,
    pub(super) body: Cow<'a, [u8]>,
}

/// The fields of a head, each name once and in lower case.
pub(super) struct Fields<'a>(Vec<Field<'a>>);

/// One of them.
pub(super) struct Field<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: Cow<'a, [u8]>,
    /// Not printed, and not kept in compression tables.
    pub(super) secret: bool,
}

impl<'a> Outgoing<'a> {
    /// What a request says, unless it has no host.
    pub(super) fn of(request: &'a Request<Bytes>) -> Option<Self> {
        let uri = request.uri();
        let mut fields = Fields::new();
        for (name, value) in request.headers() {
            fields.set(Field { secret: value.is_sensitive(), ..Field::new(name.as_str(), value.as_bytes()) });
        }
        Some(Self {
            method: request.method().clone(),
            authority: uri.authority()?,
            target: uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")),
            fields,
            body: Cow::Borrowed(request.body()),
        })
    }

    /// The same as a library takes it.
    ///
    /// # Errors
    ///
    /// A name or value that cannot stand in a request.
    pub(super) fn to_http(&self, scheme: Scheme) -> Result<Request<Bytes>, http::Error> {
        let mut request = Request::new(Bytes::copy_from_slice(&self.body));
        *request.method_mut() = self.method.clone();
        let uri = Uri::builder().scheme(scheme).authority(self.authority.clone());
        *request.uri_mut() = uri.path_and_query(self.target.clone()).build()?;
        for Field { name, value, secret } in self.fields.iter() {
            let mut value = HeaderValue::from_bytes(value)?;
            value.set_sensitive(*secret);
            request.headers_mut().insert(HeaderName::from_bytes(name.as_bytes())?, value);
        }
        Ok(request)
    }
}

impl<'a> Fields<'a> {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(USUAL))
    }

    /// Puts a field in, in place of another one of its name.
    pub(super) fn set(&mut self, field: Field<'a>) {
        match self.0.iter_mut().find(|other| other.name == field.name) {
            Some(other) => *other = field,
            None => self.0.push(field),
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|field| field.name != name);
    }

    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|field| field.name == name).map(|field| &*field.value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Field<'a>> {
        self.0.iter()
    }
}

impl<'a> Field<'a> {
    /// A field that anybody may see.
    pub(super) fn new(name: &'a str, value: &'a [u8]) -> Self {
        Self { name: Cow::Borrowed(name), value: Cow::Borrowed(value), secret: false }
    }
}

/// Whether a field may have this value: what [`HeaderValue`] allows.
pub(super) fn is_value(value: &[u8]) -> bool {
    value.iter().all(|byte| matches!(byte, b'\t' | 32..=126 | 128..))
}

/// Fields that there is room for; more is taken as needed.
const USUAL: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_the_library_allows() {
        for byte in 0..=u8::MAX {
            let value = [b'a', byte, b'b'];
            assert_eq!(is_value(&value), HeaderValue::from_bytes(&value).is_ok(), "{byte}");
        }
        assert!(is_value(b""));
    }

    #[test]
    fn a_request_is_the_same_by_either_way() {
        let mut request = Request::new(Bytes::from_static(b"{}"));
        *request.method_mut() = Method::PATCH;
        *request.uri_mut() = "https://app:80/users/7?x=y".parse().unwrap();
        let mut key = HeaderValue::from_static("k");
        key.set_sensitive(true);
        request.headers_mut().insert("x-api-key", key);
        let again = Outgoing::of(&request).unwrap().to_http(Scheme::HTTPS).unwrap();
        assert_eq!((again.method(), again.uri(), again.body()), (request.method(), request.uri(), request.body()));
        assert_eq!(again.headers(), request.headers());
        assert!(again.headers()["x-api-key"].is_sensitive());
        *request.uri_mut() = "/users".parse().unwrap();
        assert!(Outgoing::of(&request).is_none());
    }

    #[test]
    fn a_name_stands_once() {
        let mut fields = Fields::new();
        for (name, value) in [("a", "1"), ("b", "2"), ("a", "3")] {
            fields.set(Field::new(name, value.as_bytes()));
        }
        assert_eq!((fields.iter().count(), fields.get("a")), (2, Some(b"3".as_slice())));
        fields.remove("a");
        assert_eq!((fields.iter().count(), fields.get("a")), (1, None));
    }
}
