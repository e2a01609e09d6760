//! Tokens that are fetched, shared by all calls that may share them, and fetched again when they are refused.
//!
//! In: which token a call was refused with, if any, and how to fetch one. Out: a token. Whoever comes first fetches
//! while the others wait; a failure is the answer for everybody who waited, and for a moment for those who come after.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::credential::Token;
use crate::config::secret::Secret;
use crate::plan::NativeFailure;

/// What tells sessions of one backend apart: the values of the route variables that the login reads.
pub(super) type SessionKey = Vec<Option<String>>;

/// The sessions of one backend.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_key: Mutex<HashMap<SessionKey, Arc<Session>>>,
}

/// A token in use.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) token: Arc<Token>,
    /// Which fetch it came from.
    pub(super) generation: u64,
}

/// A token as fetched.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) token: Token,
    /// How long it may be used.
    pub(super) lasts: Option<Duration>,
}

impl Sessions {
    /// The session of a key.
    pub(super) fn of(&self, key: SessionKey) -> Arc<Session> {
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if by_key.len() >= SESSIONS_MAX && !by_key.contains_key(&key) {
            // Who is dropped while in use finishes with the token it has; the next call logs in again.
            let idle = by_key.iter().find(|(_, session)| Arc::strong_count(session) == 1).map(|(key, _)| key.clone());
            if let Some(key) = idle.or_else(|| by_key.keys().next().cloned()) {
                by_key.remove(&key);
            }
        }
        Arc::clone(by_key.entry(key).or_default())
    }

    /// Every token that is held at the moment.
    pub(super) fn texts(&self) -> Vec<Secret> {
        let by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        by_key.values().filter_map(|session| session.text()).collect()
    }
}

/// One shared token.
#[derive(Debug, Default)]
pub(super) struct Session {
    state: tokio::sync::Mutex<State>,
    /// Beside the state, which is locked while a token is fetched.
    shown: Mutex<Option<Secret>>,
}

#[derive(Debug, Default)]
struct State {
    fetches: u64,
    token: Option<(Held, Option<Instant>)>,
    failed: Option<(NativeFailure, Instant)>,
}

impl Session {
    /// A token other than the one of generation `refused`. `fetch` is only polled if there is none yet.
    pub(super) async fn token(
        &self,
        refused: Option<u64>,
        deadline: Instant,
        fetch: impl Future<Output = Result<Fresh, NativeFailure>>,
    ) -> Result<Held, NativeFailure> {
        let arrived = Instant::now();
        let mut state = timeout_at(deadline, self.state.lock()).await.map_err(|_| NativeFailure::Timeout)?;
        let now = Instant::now();
        if let Some((held, until)) = &state.token
            && Some(held.generation) != refused
            && until.is_none_or(|until| now < until)
        {
            return Ok(held.clone());
        }
        if let Some((failure, at)) = state.failed
            && (at >= arrived || now < at + hold(failure))
        {
            return Err(failure);
        }
        match fetch.await {
            Ok(Fresh { token, lasts }) => {
                state.fetches += 1;
                state.failed = None;
                *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.bare().clone());
                let held = Held { token: Arc::new(token), generation: state.fetches };
                state.token = Some((held.clone(), lasts.map(|lasts| now + lasts)));
                Ok(held)
            }
            Err(failure) => {
                state.token = None;
                state.failed = Some((failure, Instant::now()));
                Err(failure)
            }
        }
    }

    fn text(&self) -> Option<Secret> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How long a failed login is not tried again. A refusal is held longer: with every attempt, some applications come
/// closer to locking the account.
fn hold(failure: NativeFailure) -> Duration {
    match failure {
        NativeFailure::LoginRefused => Duration::from_secs(10),
        _ => Duration::from_secs(1),
    }
}

/// Sessions of one backend kept.
const SESSIONS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::config::{SendAs, TokenPlace};

    fn token(text: &str) -> Token {
        let send = SendAs { place: TokenPlace::Header("X-Token".to_owned()), prefix: String::new() };
        Token::new(&send, text).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_fetched_once_and_again_when_refused_or_old() {
        let session = Session::default();
        let count = AtomicU32::new(0);
        let get = async |refused| {
            let fetch = async {
                let number = count.fetch_add(1, Ordering::SeqCst);
                Ok(Fresh { token: token(&format!("t{number}")), lasts: Some(Duration::from_secs(60)) })
            };
            session.token(refused, soon(), fetch).await.unwrap().generation
        };
        assert_eq!((get(None).await, get(None).await), (1, 1));
        assert_eq!((get(Some(1)).await, get(Some(1)).await), (2, 2));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!((get(Some(1)).await, count.load(Ordering::SeqCst)), (3, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_answers_everybody_who_waited_and_is_held_for_a_while() {
        let session = Session::default();
        let count = AtomicU32::new(0);
        let get = async || {
            let fetch = async {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(2)).await;
                Err(NativeFailure::LoginUnavailable(5))
            };
            session.token(None, soon(), fetch).await.map(drop)
        };
        let (one, two, three) = tokio::join!(get(), get(), get());
        assert_eq!([one, two, three], [Err(NativeFailure::LoginUnavailable(5)); 3]);
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert!(get().await.is_err());
        assert_eq!(count.load(Ordering::SeqCst), 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(get().await.is_err());
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_login_waits_no_longer_than_its_own_deadline() {
        let session = Session::default();
        let slow = async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            Ok(Fresh { token: token("t"), lasts: None })
        };
        let never = async { panic!("fetched twice") };
        let hurried = session.token(None, Instant::now() + Duration::from_secs(1), never);
        let (first, second) = tokio::join!(session.token(None, soon(), slow), hurried);
        assert_eq!((first.unwrap().generation, second.map(drop)), (1, Err(NativeFailure::Timeout)));
    }

    #[test]
    fn the_number_of_sessions_is_bounded() {
        let sessions = Sessions::default();
        for number in 0..SESSIONS_MAX + 10 {
            sessions.of(vec![Some(number.to_string())]);
        }
        assert_eq!(sessions.by_key.lock().unwrap().len(), SESSIONS_MAX);
    }
}
