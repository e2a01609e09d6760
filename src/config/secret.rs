//! Secrets: how the configuration refers to them, and what the shell resolves them to.
//!
//! In: `env:NAME`, `file:PATH`, `sha256:HEX`, `plain:TEXT`. Out: a [`SecretRef`]. Nothing here reads the environment
//! or a file, and nothing here prints a secret.

use std::fmt;

use zeroize::Zeroizing;

use crate::mapping::Origin;

/// What stands in place of every secret that is shown.
const MASK: &str = "***";

/// A reference to a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRef {
    /// Where the secret is.
    pub kind: SecretKind,
    /// Where the reference stands.
    pub origin: Origin,
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// An environment variable.
    Env(String),
    /// A file; white space at its end is not part of the secret.
    File(String),
    /// Not the secret but its SHA-256, for tokens that are only compared.
    Sha256([u8; 32]),
    /// The secret itself; for tests, and a warning.
    Plain(Secret),
}

/// Why a text is no reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It may well be a secret; it is not repeated.
    #[error("a secret may not stand in the file itself")]
    Literal,
    /// Nothing behind the colon.
    #[error("the reference names nothing")]
    Empty,
    /// Not 64 hexadecimal digits.
    #[error("`sha256:` is followed by 64 hexadecimal digits")]
    BadDigest,
}

impl SecretKind {
    /// Parses a reference.
    ///
    /// # Errors
    ///
    /// A literal, or a reference without a name. No error repeats the text.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let (scheme, rest) = text.split_once(':').ok_or(SecretError::Literal)?;
        let named = || if rest.is_empty() { Err(SecretError::Empty) } else { Ok(rest.to_owned()) };
        match scheme {
            "env" => named().map(Self::Env),
            "file" => named().map(Self::File),
            "plain" => named().map(|secret| Self::Plain(Secret::new(secret))),
            "sha256" => digest(rest).map(Self::Sha256).ok_or(SecretError::BadDigest),
            _ => Err(SecretError::Literal),
        }
    }
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        hex.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
    }
    Some(bytes)
}

/// Text that cannot be printed by accident, and is overwritten when it is no longer needed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Box<str>>);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself. The name is long so that uses stand out in review.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_parse_and_literals_are_refused() {
        assert_eq!(SecretKind::parse("env:TOKEN"), Ok(SecretKind::Env("TOKEN".to_owned())));
        assert_eq!(SecretKind::parse("file:/run/x:y"), Ok(SecretKind::File("/run/x:y".to_owned())));
        let digest = SecretKind::parse(&format!("sha256:{}", "0f".repeat(32)));
        assert_eq!(digest, Ok(SecretKind::Sha256([15; 32])));
        for (text, error) in [
            ("hunter2", SecretError::Literal),
            ("Bearer:x", SecretError::Literal),
            ("env:", SecretError::Empty),
            ("sha256:00", SecretError::BadDigest),
            ("sha256:zz", SecretError::BadDigest),
        ] {
            assert_eq!(SecretKind::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        let kind = SecretKind::parse("plain:hunter2").unwrap();
        assert!(!format!("{kind:?} {kind:#?}").contains("hunter2"));
        let SecretKind::Plain(secret) = kind else { panic!("plain") };
        assert_eq!((secret.to_string().as_str(), secret.expose()), ("***", "hunter2"));
    }
}
