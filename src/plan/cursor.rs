//! Cursors of RFC 9865: signed positions, kept nowhere.
//!
//! A cursor says where the next page begins, for which query, and until when. It is signed with a key that the shell
//! derives from the route's credentials, so every replica accepts what another one issued, and a client cannot forge
//! one or carry it over to another query.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::scim::{ScimError, ScimType};

/// How long a cursor is good for, in seconds.
pub(super) const LIFETIME_SECONDS: u64 = 3600;

const MAC_BYTES: usize = 16;
const PAYLOAD_BYTES: usize = 24;

/// What a cursor is bound to besides its position.
pub(super) struct Binding<'a> {
    pub(super) key: &'a [u8; 32],
    /// Everything that decides which resources the list holds, and in which order.
    pub(super) query: &'a str,
}

/// A cursor for the page that begins at `start` (from 0).
pub(super) fn issue(binding: &Binding<'_>, start: u64, now: u64) -> String {
    let mut bytes = Vec::with_capacity(PAYLOAD_BYTES + MAC_BYTES);
    bytes.extend(start.to_be_bytes());
    bytes.extend((now + LIFETIME_SECONDS).to_be_bytes());
    bytes.extend(Sha256::digest(binding.query).iter().take(8));
    let mac = mac(binding.key, &bytes);
    bytes.extend(mac.into_iter().take(MAC_BYTES));
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Where the page of a cursor begins (from 0).
///
/// # Errors
/// 400 `invalidCursor` for one that is not ours or belongs to another query, `expiredCursor` for an old one.
pub(super) fn open(binding: &Binding<'_>, cursor: &str, now: u64) -> Result<u64, ScimError> {
    let invalid = || ScimError::bad_request(ScimType::InvalidCursor, "this cursor was not issued for this query");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
    let (payload, signature) = bytes.split_at_checked(PAYLOAD_BYTES).ok_or_else(invalid)?;
    let mut verifier = keyed(binding.key);
    verifier.update(payload);
    if signature.len() != MAC_BYTES || verifier.verify_truncated_left(signature).is_err() {
        return Err(invalid());
    }
    let mut words = payload.as_chunks::<8>().0.iter();
    let mut word = || words.next().copied().unwrap_or_default();
    let (start, expires, query) = (word(), word(), word());
    if Sha256::digest(binding.query).get(..8) != Some(query.as_slice()) {
        return Err(invalid());
    }
    if u64::from_be_bytes(expires) < now {
        return Err(ScimError::bad_request(ScimType::ExpiredCursor, "this cursor is too old; begin again without one"));
    }
    Ok(u64::from_be_bytes(start))
}

fn mac(key: &[u8; 32], bytes: &[u8]) -> impl IntoIterator<Item = u8> + use<> {
    let mut mac = keyed(key);
    mac.update(bytes);
    mac.finalize().into_bytes()
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length; this one has 32 bytes")]
    let mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("a key of 32 bytes");
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn binding(query: &str) -> Binding<'_> {
        Binding { key: &KEY, query }
    }

    fn keyword(result: Result<u64, ScimError>) -> Option<&'static str> {
        result.err().and_then(|error| error.scim_type).map(ScimType::as_str)
    }

    #[test]
    fn a_cursor_opens_for_its_own_query_only() {
        let cursor = issue(&binding("User"), 200, 1000);
        assert_eq!(open(&binding("User"), &cursor, 1000), Ok(200));
        assert_eq!(keyword(open(&binding("Group"), &cursor, 1000)), Some("invalidCursor"));
        let other = Binding { key: &[8; 32], query: "User" };
        assert_eq!(keyword(open(&other, &cursor, 1000)), Some("invalidCursor"));
    }

    #[test]
    fn a_cursor_ages_and_cannot_be_altered() {
        let cursor = issue(&binding("User"), 200, 1000);
        assert_eq!(open(&binding("User"), &cursor, 1000 + LIFETIME_SECONDS), Ok(200));
        assert_eq!(keyword(open(&binding("User"), &cursor, 1001 + LIFETIME_SECONDS)), Some("expiredCursor"));
        for position in 0..cursor.len() {
            let mut altered = cursor.clone().into_bytes();
            altered[position] = if altered[position] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            // The last character may hold unused bits; what decodes to the same bytes is the same cursor.
            if URL_SAFE_NO_PAD.decode(&altered) != URL_SAFE_NO_PAD.decode(&cursor) {
                assert_eq!(keyword(open(&binding("User"), &altered, 1000)), Some("invalidCursor"), "{position}");
            }
        }
        assert_eq!(keyword(open(&binding("User"), "", 1000)), Some("invalidCursor"));
    }
}
