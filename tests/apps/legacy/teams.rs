//! Teams, and who is in them.

use serde_json::json;

use super::super::serve::{Call, Reply};
use super::{Fields, Legacy, done, must, page, refused};

impl Legacy {
    pub(super) fn answer_teams(&mut self, call: &Call, what: &str, fields: &Fields) -> Result<Reply, Reply> {
        let shown = |tid: u64, title: &str| json!({"tid": tid, "title": title});
        match (call.method.as_str(), what) {
            ("GET", "list") => {
                return Ok(page(call, self.teams.iter().map(|(tid, title)| (*tid, shown(*tid, title)))));
            }
            ("GET", "show") => {
                let tid = self.known("team", call.param("tid"))?;
                return Ok(done(json!({"row": shown(tid, &self.teams[&tid])})));
            }
            ("GET", "people") => {
                let tid = self.known("team", call.param("tid"))?;
                let mut people: Vec<u64> =
                    self.members.iter().filter(|(team, _)| *team == tid).map(|(_, uid)| *uid).collect();
                people.sort_unstable();
                return Ok(page(call, people.into_iter().map(|uid| (uid, json!({"uid": uid, "since": "2020"})))));
            }
            ("POST", "add") => {
                let title = must(fields, "title")?;
                self.check_title(None, title)?;
                self.last_tid += 1;
                self.teams.insert(self.last_tid, title.to_owned());
                return Ok(done(json!({"row": {"tid": self.last_tid}})));
            }
            _ => {}
        }
        let tid = self.known("team", fields.get("tid").map(String::as_str))?;
        match what {
            "edit" => {
                let title = must(fields, "title")?;
                self.check_title(Some(tid), title)?;
                self.teams.insert(tid, title.to_owned());
            }
            "purge" => {
                self.teams.remove(&tid);
                self.gone.insert(("team", tid));
                self.members.retain(|(team, _)| *team != tid);
            }
            "join" | "leave" => {
                let uid = self.known("user", fields.get("uid").map(String::as_str))?;
                let joined = self.members.contains(&(tid, uid));
                match (what, joined) {
                    ("join", true) => return Err(refused("E_ALREADY", "is in it already")),
                    ("leave", false) => return Err(refused("E_NOTMEMBER", "is not in it")),
                    ("join", false) => self.members.push((tid, uid)),
                    _ => self.members.retain(|member| *member != (tid, uid)),
                }
            }
            _ => return Err(refused("E_PATH", "no such call")),
        }
        Ok(done(json!({})))
    }

    fn check_title(&self, tid: Option<u64>, title: &str) -> Result<(), Reply> {
        let held = |(other, held): (&u64, &String)| Some(*other) != tid && held.eq_ignore_ascii_case(title);
        if self.teams.iter().any(held) { Err(refused("E_DUP", "title is taken")) } else { Ok(()) }
    }
}
