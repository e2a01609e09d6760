//! In: token hashes, and the `Authorization` header of each request. Out: which token it was. Tokens are compared as
//! SHA-256 hashes, each of them every time, so that the time taken tells nothing about any of them.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::{AuthFailure, Principal};

/// Knows the tokens of one authenticator by their hashes.
#[derive(Clone, Debug)]
pub struct BearerVerifier {
    name: Arc<str>,
    hashes: Vec<TokenHash>,
}

impl BearerVerifier {
    /// A verifier that accepts any of these tokens; with none of them it accepts nobody.
    pub fn new(name: Arc<str>, hashes: impl IntoIterator<Item = TokenHash>) -> Self {
        Self { name, hashes: hashes.into_iter().collect() }
    }

    /// A key for another purpose, derived from all tokens: equal wherever the same tokens are configured.
    pub fn derive_key(&self, purpose: &[u8]) -> [u8; 32] {
        let digest =
            self.hashes.iter().fold(Sha256::new().chain_update(purpose), |digest, hash| digest.chain_update(hash.0));
        digest.finalize().into()
    }

    /// Checks the value of the `Authorization` header. A request with several such headers has none that counts: the
    /// caller answers it as [`AuthFailure::Malformed`].
    ///
    /// ```
    /// use scimshim::auth::{AuthFailure, BearerVerifier, TokenHash};
    /// let verifier = BearerVerifier::new("entra".into(), [TokenHash::parse("s3cr3t-token").unwrap()]);
    /// assert_eq!(verifier.verify(Some("bearer s3cr3t-token")).unwrap().credential, Some(0));
    /// assert_eq!(verifier.verify(Some("Bearer other")), Err(AuthFailure::Unknown));
    /// ```
    ///
    /// # Errors
    ///
    /// Each of them is 401 with [`AuthFailure::challenge`].
    pub fn verify(&self, authorization: Option<&str>) -> Result<Principal, AuthFailure> {
        let token = bearer_token(authorization.ok_or(AuthFailure::Missing)?).ok_or(AuthFailure::Malformed)?;
        let sent = TokenHash::of(token);
        let mut found = u64::MAX;
        for (index, hash) in (0_u64..).zip(&self.hashes) {
            found.conditional_assign(&index, hash.0.ct_eq(&sent.0));
        }
        match usize::try_from(found) {
            Ok(index) if index < self.hashes.len() => {
                Ok(Principal { name: Arc::clone(&self.name), credential: Some(index) })
            }
            _ => Err(AuthFailure::Unknown),
        }
    }
}

/// SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Reads what a secret holds: a token, or `sha256:` and the 64 hexadecimal digits of its hash.
    ///
    /// # Errors
    ///
    /// An empty token (an unset variable must not open the door), one that cannot stand in a header, and a hash that
    /// is none.
    pub fn parse(secret: &str) -> Result<Self, TokenError> {
        if let Some(hex) = secret.strip_prefix("sha256:") {
            return from_hex(hex).map(Self).ok_or(TokenError::Hash);
        }
        if secret.is_empty() {
            return Err(TokenError::Empty);
        }
        if secret.len() > TOKEN_MAX_BYTES {
            return Err(TokenError::TooLong);
        }
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Unsendable);
        }
        Ok(Self::of(secret))
    }

    /// The hash of a token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// A key for another purpose that whoever knows the token can derive as well, such as another replica.
    pub fn derive_key(&self, purpose: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update(purpose).chain_update(self.0).finalize().into()
    }
}

impl From<[u8; 32]> for TokenHash {
    /// A SHA-256 that the configuration states.
    fn from(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash(***)")
    }
}

/// A secret that cannot be a bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nothing.
    #[error("the token is empty")]
    Empty,
    /// Longer than any header that is read.
    #[error("the token is longer than {TOKEN_MAX_BYTES} bytes")]
    TooLong,
    /// Holds a space, a control character or a character outside ASCII.
    #[error("the token holds characters that no Authorization header can carry")]
    Unsendable,
    /// `sha256:` without 64 hexadecimal digits.
    #[error("sha256: is followed by the 64 hexadecimal digits of the token's hash")]
    Hash,
}

/// The token of `Bearer TOKEN`; the scheme is compared without case (RFC 9110 11.1).
fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, rest) = authorization.trim_matches([' ', '\t']).split_once(' ')?;
    let token = rest.trim_start_matches(' ');
    let sound = token.len() <= TOKEN_MAX_BYTES && token.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && sound).then_some(token)
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

/// The longest token, in bytes.
pub const TOKEN_MAX_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn verifier(secrets: &[&str]) -> BearerVerifier {
        BearerVerifier::new(Arc::from("idp"), secrets.iter().map(|secret| TokenHash::parse(secret).unwrap()))
    }

    #[test]
    fn headers_are_judged_by_form_then_by_token() {
        let verifier = verifier(&["old-token", "other/token=="]);
        let cases: [(Option<&str>, Result<usize, AuthFailure>); 14] = [
            (None, Err(AuthFailure::Missing)),
            (Some("Bearer old-token"), Ok(0)),
            (Some("bEARER   other/token=="), Ok(1)),
            (Some(" Bearer old-token\t"), Ok(0)),
            (Some("Bearer old-tokeN"), Err(AuthFailure::Unknown)),
            (Some("Bearer old-token2"), Err(AuthFailure::Unknown)),
            (Some("Bearer old-toke"), Err(AuthFailure::Unknown)),
            (Some(""), Err(AuthFailure::Malformed)),
            (Some("Bearer"), Err(AuthFailure::Malformed)),
            (Some("Bearer  "), Err(AuthFailure::Malformed)),
            (Some("old-token"), Err(AuthFailure::Malformed)),
            (Some("Basic b2xkLXRva2Vu"), Err(AuthFailure::Malformed)),
            (Some("Bearer old-token old-token"), Err(AuthFailure::Malformed)),
            (Some("Bearer old-tok\u{e9}n"), Err(AuthFailure::Malformed)),
        ];
        for (header, expected) in cases {
            let verdict = verifier.verify(header);
            let expected = expected.map(|index| Principal { name: Arc::from("idp"), credential: Some(index) });
            assert_eq!(verdict, expected, "{header:?}");
        }
    }

    #[test]
    fn a_hash_stands_for_its_token_and_is_no_token_itself() {
        let hash = format!("sha256:{}", hex(&TokenHash::of("new-token").0));
        let verifier = verifier(&["old-token", &hash]);
        assert_eq!(verifier.verify(Some("Bearer new-token")).map(|principal| principal.credential), Ok(Some(1)));
        assert_eq!(verifier.verify(Some(&format!("Bearer {hash}"))), Err(AuthFailure::Unknown));
        assert_eq!(TokenHash::parse(&hash.to_uppercase().replace("SHA", "sha")), TokenHash::parse(&hash));
    }

    #[test]
    fn the_hash_is_sha_256() {
        let of_abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(TokenHash::parse(of_abc), Ok(TokenHash::of("abc")));
        assert_eq!(TokenHash::from(TokenHash::of("abc").0), TokenHash::of("abc"));
    }

    #[test]
    fn secrets_that_are_no_tokens_are_refused() {
        let long = "x".repeat(TOKEN_MAX_BYTES + 1);
        let cases = [
            ("", TokenError::Empty),
            (long.as_str(), TokenError::TooLong),
            ("two words", TokenError::Unsendable),
            ("line\n", TokenError::Unsendable),
            ("schl\u{fc}ssel", TokenError::Unsendable),
            ("sha256:", TokenError::Hash),
            ("sha256:abcd", TokenError::Hash),
            ("sha256:zz7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", TokenError::Hash),
        ];
        for (secret, error) in cases {
            assert_eq!(TokenHash::parse(secret), Err(error), "{secret:?}");
        }
        assert!(TokenHash::parse(&long[1..]).is_ok());
    }

    #[test]
    fn tokens_of_the_longest_kind_are_read_and_longer_ones_are_not_hashed() {
        let longest = "x".repeat(TOKEN_MAX_BYTES);
        let verifier = verifier(&[&longest]);
        assert!(verifier.verify(Some(&format!("Bearer {longest}"))).is_ok());
        assert_eq!(verifier.verify(Some(&format!("Bearer {longest}x"))), Err(AuthFailure::Malformed));
    }

    #[test]
    fn nobody_is_accepted_without_tokens_and_nothing_is_printed() {
        assert_eq!(verifier(&[]).verify(Some("Bearer x")), Err(AuthFailure::Unknown));
        assert!(!format!("{:?}", verifier(&["hush"])).contains("hush"));
        assert!(format!("{:?}", verifier(&["hush"])).contains("***"));
    }

    #[test]
    fn the_challenge_names_an_error_only_where_something_was_sent() {
        assert!(!AuthFailure::Missing.challenge().contains("error"));
        assert!(AuthFailure::Malformed.challenge().ends_with(r#"error="invalid_token""#));
        assert!(AuthFailure::Unknown.challenge().ends_with(r#"error="invalid_token""#));
    }

    fn hex(bytes: &[u8]) -> String {
        use std::fmt::Write as _;
        bytes.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    }
}
