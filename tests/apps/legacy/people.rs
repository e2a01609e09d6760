//! People: what can be changed by `edit`, and what has a call of its own.

use serde_json::{Value, json};

use super::super::serve::{Call, Reply};
use super::{Document, Fields, Legacy, SERVICE, SERVICE_UID, done, must, page, refused};

impl Legacy {
    /// Somebody who was there before.
    pub(crate) fn seed(&mut self, login: &str) -> u64 {
        let mail = format!("{login}@acme.example");
        let fields = [("login", login), ("fname", "Old"), ("lname", "Hand"), ("mail", &mail), ("badge", "K-9")];
        self.insert(fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect())
    }

    fn insert(&mut self, mut person: Document) -> u64 {
        self.last_uid += 1;
        let defaults =
            json!({"tel": "", "locked": "N", "dept": 99, "lang": "en", "badge": "", "ctime": WINTER, "mtime": SUMMER});
        for (name, value) in defaults.as_object().into_iter().flatten() {
            person.entry(name).or_insert_with(|| value.clone());
        }
        person.insert("uid".into(), json!(self.last_uid));
        self.people.insert(self.last_uid, person);
        self.last_uid
    }

    pub(super) fn answer_people(
        &mut self,
        call: &Call,
        what: &str,
        fields: &Fields,
        harm: &mut Vec<String>,
    ) -> Result<Reply, Reply> {
        match (call.method.as_str(), what) {
            ("GET", "list") => {
                return Ok(page(call, self.people.iter().map(|(uid, person)| (*uid, Value::Object(person.clone())))));
            }
            ("GET", "show") => {
                // Without an id it is about whoever asks.
                let uid = call.param("uid").map_or(Ok(SERVICE_UID), |text| self.known("user", Some(text)))?;
                return Ok(done(json!({"row": self.people[&uid]})));
            }
            ("POST", "add") => return self.add_person(fields, harm),
            _ => {}
        }
        let uid = self.known("user", fields.get("uid").map(String::as_str))?;
        if uid == SERVICE_UID {
            harm.push(format!("{what} of {SERVICE}, who makes these calls"));
        }
        match what {
            "edit" => self.edit_person(uid, fields, harm)?,
            "lock" => {
                must(fields, "reason")?;
                self.switch(uid, "Y", "is locked already")?;
            }
            "unlock" => self.switch(uid, "N", "is not locked")?,
            "passwd" => {
                let password = must(fields, "newpw")?;
                if password.chars().count() < 8 {
                    return Err(refused("E_BADVAL", "newpw is too short"));
                }
                self.passwords.insert(uid, password.to_owned());
            }
            "purge" => {
                if fields.get("confirm").is_none_or(|word| word != "yes") {
                    return Err(refused("E_CONFIRM", "purging is for ever; confirm it"));
                }
                self.people.remove(&uid);
                self.gone.insert(("user", uid));
                self.members.retain(|(_, member)| *member != uid);
            }
            _ => return Err(refused("E_PATH", "no such call")),
        }
        Ok(done(json!({})))
    }

    fn switch(&mut self, uid: u64, locked: &str, already: &str) -> Result<(), Reply> {
        let person = self.people.get_mut(&uid).unwrap();
        if person["locked"] == locked {
            return Err(refused("E_STATE", already));
        }
        person.insert("locked".into(), json!(locked));
        Ok(())
    }

    fn add_person(&mut self, fields: &Fields, harm: &mut Vec<String>) -> Result<Reply, Reply> {
        for name in MANDATORY {
            must(fields, name)?;
        }
        let person = self.checked(None, fields, harm)?;
        let uid = self.insert(person);
        Ok(done(json!({"row": {"uid": uid}})))
    }

    fn edit_person(&mut self, uid: u64, fields: &Fields, harm: &mut Vec<String>) -> Result<(), Reply> {
        for name in MANDATORY.iter().filter(|name| fields.contains_key(**name)) {
            must(fields, name)?;
        }
        let changes = self.checked(Some(uid), fields, harm)?;
        let person = self.people.get_mut(&uid).unwrap();
        if person["dept"] == LEGAL && changes.get("dept").is_some_and(|dept| *dept != LEGAL) {
            harm.push(format!("{} was moved out of the legal department", person["login"]));
        }
        person.extend(changes);
        person.insert("mtime".into(), json!(SUMMER));
        Ok(())
    }

    /// The fields that `add` and `edit` know, as they are kept; all others are ignored.
    fn checked(&self, uid: Option<u64>, fields: &Fields, harm: &mut Vec<String>) -> Result<Document, Reply> {
        let mut kept = Document::new();
        for (name, value) in fields {
            let value = match name.as_str() {
                "login"
                    if !value
                        .bytes()
                        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'@' | b'-')) =>
                {
                    return Err(refused("E_BADVAL", "a login has a-z, 0-9 and .@_- only"));
                }
                "login" | "mail" if self.is_held(uid, name, value) => {
                    return Err(refused("E_DUP", &format!("{name} is taken")));
                }
                "lang" if !is_language(value) => return Err(refused("E_BADVAL", "lang is no language")),
                "dept" => {
                    let dept: u64 = value.parse().map_err(|_| refused("E_BADVAL", "dept is a number"))?;
                    if ![10, 20, LEGAL, 99].contains(&dept) {
                        harm.push(format!("somebody is in the department {dept}, which there is not"));
                    }
                    json!(dept)
                }
                "login" | "fname" | "lname" | "mail" | "tel" | "lang" => json!(value),
                _ => continue,
            };
            kept.insert(name.clone(), value);
        }
        Ok(kept)
    }

    fn is_held(&self, uid: Option<u64>, name: &str, value: &str) -> bool {
        let others = self.people.iter().filter(|(other, _)| Some(**other) != uid);
        others.into_iter().any(|(_, person)| person[name].as_str().is_some_and(|held| held.eq_ignore_ascii_case(value)))
    }
}

/// `en`, or `nb_NO`.
fn is_language(text: &str) -> bool {
    let (language, country) = text.split_once('_').unwrap_or((text, "NO"));
    let two = |part: &str| part.len() == 2;
    two(language) && two(country) && language.bytes().all(|byte| byte.is_ascii_lowercase())
}

const MANDATORY: [&str; 4] = ["login", "fname", "lname", "mail"];
/// A department that people are put into by hand.
const LEGAL: u64 = 30;
/// In Oslo: an hour ahead of UTC, and two.
const WINTER: &str = "2024-01-31 09:15:00";
const SUMMER: &str = "2024-07-31 09:15:00";
