//! What an error advises the client to do about what was left undone, and when that advice does not hold.

/// What was done is seen, and the rest is sent.
pub(super) const SENDS_REST: &str = "a retry sends what is left";
/// What was done looks like all of it.
pub(super) const SENDS_NOTHING: &str =
    "a retry that finds the attribute as wished sends nothing: change it back and forth to repeat what is left";
/// A whole list is sent as a whole.
pub(super) const SENDS_LIST: &str = "a retry sends the list again";

/// Takes the advice out of a detail: the object is not there any more, or a retry is about another one.
pub(super) fn withdraw(detail: &mut String) {
    for advice in [SENDS_REST, SENDS_NOTHING, SENDS_LIST] {
        *detail = detail.replace(&format!("; {advice}"), "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_advice_is_withdrawn() {
        for (detail, expected) in [
            ("no (1 of 2 failed; a retry sends what is left)", "no (1 of 2 failed)"),
            (
                "no (done: a; a retry sends the list again) (done: b; a retry sends what is left)",
                "no (done: a) (done: b)",
            ),
            ("a retry sends what is left", "a retry sends what is left"),
        ] {
            let mut detail = detail.to_owned();
            withdraw(&mut detail);
            assert_eq!(detail, expected);
        }
    }
}
