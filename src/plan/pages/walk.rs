//! Lists that are read to their end.

use std::time::Duration;

use serde_json::Value;

use crate::document::Document;
use crate::expr::Env;
use crate::mapping::ListCall;
use crate::plan::call::{NativeCall, NativeOutcome, NativeReply};
use crate::plan::judge::{Verdict, judge, unreadable};
use crate::scim::{Bound, ScimError};

use super::pager::{Pager, largest};
use super::{Page, Run, page, trees};

/// Every item, at most `max`.
///
/// # Errors
/// 400 `tooMany` when there are more.
pub(in crate::plan) fn all(
    run: &Run<'_>,
    list: &ListCall,
    env: &Env<'_>,
    max: usize,
) -> impl Future<Output = Result<Vec<Document>, ScimError>> {
    kept(run, list, env, max, None)
}

/// As [`all`], from replies that may have been kept for some time.
pub(in crate::plan) async fn kept(
    run: &Run<'_>,
    list: &ListCall,
    env: &Env<'_>,
    max: usize,
    keep: Option<Duration>,
) -> Result<Vec<Document>, ScimError> {
    let mut walk = Walk::new(list, *env, keep);
    while !walk.is_done() {
        let request = walk.pager.request(run, list, env)?;
        let outcome = run.native.one(request).await?;
        walk.take_or_end(run, list, page(run, list, judge(run, &list.call, outcome, env)), Most::Objects(max));
    }
    walk.result
}

/// One walk per environment, in rounds: the pages of a round are fetched together, at most `parallel` at a time.
/// The outer error ends all walks; an inner one is about one of them.
pub(in crate::plan) async fn many(
    run: &Run<'_>,
    list: &ListCall,
    envs: Vec<Env<'_>>,
    most: Most,
    parallel: usize,
) -> Result<Vec<Result<Vec<Document>, ScimError>>, ScimError> {
    let mut walks: Vec<Walk<'_>> = envs.into_iter().map(|env| Walk::new(list, env, None)).collect();
    let take = |_, walk: &mut Walk<'_>, outcome| {
        let page = page(run, list, judge(run, &list.call, outcome, &walk.env));
        walk.take_or_end(run, list, page, most);
    };
    rounds(run, list, &mut walks, parallel, take).await?;
    Ok(walks.into_iter().map(|walk| walk.result).collect())
}

/// Replies whose lists were read to their ends, one for each environment: the first page with all items in it. The outer
/// error ends all of them; an inner one is about one.
pub(in crate::plan) async fn whole(
    run: &Run<'_>,
    list: &ListCall,
    envs: Vec<Env<'_>>,
    most: Most,
    parallel: usize,
) -> Result<Vec<Result<NativeReply, ScimError>>, ScimError> {
    let mut walks: Vec<Walk<'_>> = envs.into_iter().map(|env| Walk::new(list, env, None)).collect();
    let mut firsts: Vec<Option<NativeReply>> = walks.iter().map(|_| None).collect();
    let take = |index: usize, walk: &mut Walk<'_>, outcome| {
        let mut first = |reply: &NativeReply| {
            if let Some(first) = firsts.get_mut(index) {
                first.get_or_insert_with(|| reply.clone());
            }
        };
        match judge(run, &list.call, outcome, &walk.env) {
            Verdict::Failed(error) => walk.result = Err(error),
            // Success by `also_ok` alone says that there is nothing more.
            Verdict::Accepted(reply) => {
                walk.pager.ended = true;
                first(&reply);
            }
            Verdict::Ok(reply) if reply.unreadable => walk.result = Err(unreadable(run)),
            Verdict::Ok(reply) => {
                first(&reply);
                walk.take_or_end(run, list, page(run, list, Verdict::Ok(reply)), most);
            }
        }
    };
    rounds(run, list, &mut walks, parallel, take).await?;
    let with_all = |(walk, first): (Walk<'_>, Option<NativeReply>)| {
        let items = walk.result?;
        let mut reply = first.unwrap_or_default();
        if list.call.envelope.items.is_whole() {
            reply.body = Value::Array(trees(items)).into();
        } else if !items.is_empty() {
            let mut body = reply.body.into_tree();
            list.call.envelope.items.put(&mut body, Some(Value::Array(trees(items))));
            reply.body = body.into();
        }
        Ok(reply)
    };
    Ok(walks.into_iter().zip(firsts).map(with_all).collect())
}

/// Asks for a page of every walk that is not done, until all are; what becomes of an outcome is decided by `take`, which
/// is told the number of the walk.
async fn rounds<'e>(
    run: &Run<'_>,
    list: &ListCall,
    walks: &mut [Walk<'e>],
    parallel: usize,
    mut take: impl FnMut(usize, &mut Walk<'e>, NativeOutcome) + Send,
) -> Result<(), ScimError> {
    loop {
        let mut requests = Vec::new();
        for walk in walks.iter().filter(|walk| !walk.is_done()) {
            requests.push(walk.pager.request(run, list, &walk.env)?);
        }
        if requests.is_empty() {
            return Ok(());
        }
        let outcomes = run.native.together(requests, parallel).await?;
        let open = walks.iter_mut().enumerate().filter(|(_, walk)| !walk.is_done());
        for ((index, walk), outcome) in open.zip(outcomes) {
            take(index, walk, outcome);
        }
    }
}

/// A list that is read to its end beside other calls.
pub(in crate::plan) struct Reading<'l, 'e> {
    list: &'l ListCall,
    walk: Walk<'e>,
    most: Most,
}

impl<'l, 'e> Reading<'l, 'e> {
    pub(in crate::plan) fn new(list: &'l ListCall, env: Env<'e>, most: Most) -> Self {
        Self { list, walk: Walk::new(list, env, None), most }
    }

    /// The call for its next page.
    pub(in crate::plan) fn request(&self, run: &Run<'_>) -> Result<NativeCall, ScimError> {
        self.walk.pager.request(run, self.list, &self.walk.env)
    }

    /// Takes the outcome of that call; answers with the items at the end of the list. Success by `also_ok` alone says
    /// that there is nothing more.
    pub(in crate::plan) fn take(
        &mut self,
        run: &Run<'_>,
        outcome: NativeOutcome,
    ) -> Result<Option<Vec<Document>>, ScimError> {
        match judge(run, &self.list.call, outcome, &self.walk.env) {
            Verdict::Accepted(_) => self.walk.pager.ended = true,
            verdict => {
                let page = page(run, self.list, verdict)?;
                self.walk.take(run, self.list, page, self.most)?;
            }
        }
        let end = self.walk.pager.ended.then(|| std::mem::replace(&mut self.walk.result, Ok(Vec::new())));
        end.transpose()
    }
}

/// One list being read to its end.
struct Walk<'e> {
    env: Env<'e>,
    pager: Pager,
    result: Result<Vec<Document>, ScimError>,
}

impl<'e> Walk<'e> {
    fn new(list: &ListCall, env: Env<'e>, keep: Option<Duration>) -> Self {
        Self { env, pager: Pager::new(list, largest(list), keep), result: Ok(Vec::new()) }
    }

    fn is_done(&self) -> bool {
        self.pager.ended || self.result.is_err()
    }

    /// Takes a page; an error is the end of this walk.
    fn take_or_end(&mut self, run: &Run<'_>, list: &ListCall, page: Result<Page, ScimError>, most: Most) {
        if let Err(error) = page.and_then(|page| self.take(run, list, page, most)) {
            self.result = Err(error);
        }
    }

    fn take(&mut self, run: &Run<'_>, list: &ListCall, page: Page, most: Most) -> Result<(), ScimError> {
        let Ok(found) = &mut self.result else { return Ok(()) };
        // What the application announces is as good a reason to stop as what it sends.
        let announced = page.total.unwrap_or(0);
        let items = self.pager.take(run, list, page)?;
        found.extend(items);
        most.check(run, found.len().max(announced))
    }
}

/// How much one walk may read, and of what: the advice differs.
#[derive(Clone, Copy)]
pub(in crate::plan) enum Most {
    Objects(usize),
    Members(usize),
    Parts(usize),
}

impl Most {
    /// # Errors
    /// 400 `tooMany` when that many are too many.
    pub(in crate::plan) fn check(self, run: &Run<'_>, items: usize) -> Result<(), ScimError> {
        let name = run.type_name();
        let (Self::Objects(max) | Self::Members(max) | Self::Parts(max)) = self;
        if items <= max {
            return Ok(());
        }
        let error = ScimError::too_many(match self {
            Self::Objects(max) => format!(
                "answering this needs more than {max} {name} objects to be read; narrow the filter, or raise filter '*' scan.max in the mapping"
            ),
            Self::Members(max) => format!(
                "answering this needs more than {max} members of one {name} to be read; exclude members, or raise limits.members_max or members.max"
            ),
            Self::Parts(max) => format!(
                "a list that belongs to one {name} has more than {max} items; raise limits.members_max, or leave out what is read from it"
            ),
        });
        Err(match self {
            Self::Objects(_) => error,
            Self::Members(_) | Self::Parts(_) => error.with_bound(Bound::MembersMax),
        })
    }
}
