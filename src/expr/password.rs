//! Generated passwords.
//!
//! In: how long, of which characters, and a seed that is new for every request. Out: a password. The same seed and the
//! same resource give the same one, so that a field to confirm it agrees, and two resources of one request differ.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Every class, in the words of the configuration.
pub(super) const CLASSES: &str = "lower upper digit symbol";

/// What a password is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recipe {
    length: usize,
    classes: Vec<&'static [u8]>,
}

impl Recipe {
    /// `None` for a length out of bounds or an unknown class.
    pub(super) fn new(length: usize, classes: &str) -> Option<Self> {
        let mut found: Vec<&'static [u8]> = Vec::new();
        for class in classes.split(' ') {
            let class: &[u8] = match class {
                "lower" => b"abcdefghijklmnopqrstuvwxyz",
                "upper" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                "digit" => b"0123456789",
                "symbol" => b"!#%+-=_",
                _ => return None,
            };
            if found.contains(&class) {
                return None;
            }
            found.push(class);
        }
        (LENGTH_MIN..=LENGTH_MAX).contains(&length).then_some(Self { length, classes: found })
    }

    pub(super) fn generate(&self, seed: &[u8; 32], resource: Option<&Value>) -> String {
        let mut random = Stream::new(seed, resource);
        let all: Vec<u8> = self.classes.concat();
        // One of each class, the rest of any, and then shuffled.
        let mut drawn: Vec<u8> = self.classes.iter().map(|class| random.one_of(class)).collect();
        while drawn.len() < self.length {
            drawn.push(random.one_of(&all));
        }
        for last in (1..drawn.len()).rev() {
            drawn.swap(last, random.below(last + 1));
        }
        drawn.into_iter().map(char::from).collect()
    }
}

/// Random bytes: the hashes of the seed, the resource and a counter.
struct Stream {
    base: Sha256,
    block: [u8; 32],
    used: usize,
    count: u64,
}

impl Stream {
    fn new(seed: &[u8; 32], resource: Option<&Value>) -> Self {
        let resource = Sha256::digest(resource.map_or_else(String::new, Value::to_string));
        let base = Sha256::new().chain_update(seed).chain_update(resource);
        Self { base, block: [0; 32], used: 32, count: 0 }
    }

    fn byte(&mut self) -> u8 {
        if self.used == self.block.len() {
            self.block = self.base.clone().chain_update(self.count.to_be_bytes()).finalize().into();
            (self.count, self.used) = (self.count.wrapping_add(1), 0);
        }
        let byte = self.block.get(self.used).copied().unwrap_or_default();
        self.used += 1;
        byte
    }

    /// A number below `bound`, each as likely as any other; `bound` is at most 256.
    fn below(&mut self, bound: usize) -> usize {
        let fair = 256 - 256 % bound.max(1);
        loop {
            let byte = usize::from(self.byte());
            if byte < fair {
                return byte % bound.max(1);
            }
        }
    }

    fn one_of(&mut self, characters: &[u8]) -> u8 {
        let at = self.below(characters.len());
        characters.get(at).copied().unwrap_or(b'a')
    }
}

const LENGTH_MIN: usize = 8;
const LENGTH_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn recipes_are_checked() {
        assert!(Recipe::new(8, "digit").is_some());
        for (length, classes) in
            [(7, CLASSES), (129, CLASSES), (8, ""), (8, "digits"), (8, "digit digit"), (8, " digit")]
        {
            assert!(Recipe::new(length, classes).is_none(), "{length} {classes}");
        }
    }

    #[test]
    fn a_password_belongs_to_a_request_and_a_resource() {
        let recipe = Recipe::new(24, CLASSES).unwrap();
        let (ann, bo) = (json!({"userName": "ann"}), json!({"userName": "bo"}));
        let first = recipe.generate(&[1; 32], Some(&ann));
        assert_eq!(first, recipe.generate(&[1; 32], Some(&ann)));
        assert_ne!(first, recipe.generate(&[2; 32], Some(&ann)));
        assert_ne!(first, recipe.generate(&[1; 32], Some(&bo)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_class_is_there(seed in any::<[u8; 32]>(), length in 8_usize..=128, classes in prop::sample::subsequence(vec!["lower", "upper", "digit", "symbol"], 1..=4)) {
            let recipe = Recipe::new(length, &classes.join(" ")).unwrap();
            let password = recipe.generate(&seed, None);
            prop_assert_eq!(password.len(), length);
            for class in &recipe.classes {
                prop_assert!(password.bytes().any(|byte| class.contains(&byte)));
            }
            prop_assert!(password.bytes().all(|byte| recipe.classes.iter().any(|class| class.contains(&byte))));
        }
    }
}
