//! Configurations that change under a running server.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use scimshim::config::LogRule;
use scimshim::config::reload::{LoadError, Loaded, Loader, Outcome, Reloader, read_text};
use scimshim::proxy::edge::Live;
use scimshim::proxy::forward::TrustedProxies;
use scimshim::server::{Listeners, RunOptions, Running, start};
use scimshim::telemetry::Metrics;

use crate::proxy_harness::{Client, Echo, bounds, eventually};

/// The configuration language of these tests: a word that is the name of the configuration, or what is wrong with it.
struct WordLoader(PathBuf);

#[async_trait]
impl Loader for WordLoader {
    async fn load(&self) -> Result<Loaded, LoadError> {
        let word = read_text(&self.0).await?;
        match word.as_str() {
            "bad" => return Err(LoadError::Invalid(vec!["line 1: bad".to_owned()])),
            "moved" => return Err(LoadError::RestartNeeded(vec!["server.listen"])),
            _ => {}
        }
        let scim = Arc::new(Echo { name: word.as_str().into() });
        let live = Live {
            hash: word,
            log: LogRule::default(),
            bounds: bounds(),
            trusted: TrustedProxies::default(),
            upstream: None,
            tracer: None,
            scim,
        };
        Ok(Loaded { live, warnings: Vec::new() })
    }

    fn files(&self) -> Vec<PathBuf> {
        vec![self.0.clone()]
    }
}

async fn reloader(file: &Path) -> (Reloader, Arc<Metrics>) {
    let metrics = Metrics::new().unwrap();
    (Reloader::first(Box::new(WordLoader(file.to_owned())), metrics.clone()).await.unwrap(), metrics)
}

async fn serve(reloader: &Reloader, metrics: &Arc<Metrics>) -> Running {
    let any = "127.0.0.1:0".parse().unwrap();
    let listeners = Listeners::bind(any, any).await.unwrap();
    start(reloader.current(), listeners, RunOptions { max_connections: 100 }, metrics.clone()).unwrap()
}

const ASK: &str = "GET /scim/name HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n\r\n";

#[tokio::test]
async fn a_bad_file_leaves_the_old_configuration_in_force() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.toml");
    std::fs::write(&file, "one").unwrap();
    let (mut reloader, metrics) = reloader(&file).await;
    let running = serve(&reloader, &metrics).await;
    let mut client = Client::connect(running.data_addr).await;
    let steps = [
        (Some("one"), Outcome::Unchanged, "one", 1),
        (Some("bad"), Outcome::Invalid, "one", 0),
        (Some("bad"), Outcome::Unchanged, "one", 0),
        (Some("moved"), Outcome::RestartNeeded, "one", 0),
        (None, Outcome::Unreadable, "one", 0),
        (Some("two"), Outcome::Applied, "two", 1),
    ];
    for (text, outcome, name, successful) in steps {
        match text {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        assert_eq!(reloader.reload_if_changed().await, outcome, "{text:?}");
        assert_eq!(client.ask(ASK).await.body, name, "{text:?}");
        assert_eq!(metrics.config.last_reload_successful.get(), successful, "{text:?}");
    }
    let text = metrics.render();
    for expected in [
        "scimshim_config_reloads_total{outcome=\"applied\"} 2",
        "scimshim_config_reloads_total{outcome=\"invalid\"} 1",
        "scimshim_config_reloads_total{outcome=\"restart_needed\"} 1",
        "scimshim_config_reloads_total{outcome=\"unreadable\"} 1",
        "scimshim_config_info{hash=\"two\"} 1",
        "scimshim_config_generation 2",
    ] {
        assert!(text.contains(expected), "{expected}");
    }
    assert!(!text.contains("hash=\"one\""));
}

#[tokio::test]
async fn the_first_load_has_nothing_to_fall_back_on() {
    let missing = WordLoader("/nowhere/config.toml".into());
    let error = Reloader::first(Box::new(missing), Metrics::new().unwrap()).await.map(drop).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/config.toml: "), "{error}");
}

/// What the kubelet does to a mounted `ConfigMap`: the file is a link through `..data`, which is swapped.
struct ConfigMap {
    directory: tempfile::TempDir,
    generation: usize,
}

impl ConfigMap {
    fn new(text: &str) -> Self {
        let mut map = Self { directory: tempfile::tempdir().unwrap(), generation: 0 };
        map.publish(text);
        symlink("..data/config.toml", map.file()).unwrap();
        map
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("config.toml")
    }

    fn publish(&mut self, text: &str) {
        let root = self.directory.path();
        let before = std::fs::read_link(root.join("..data")).ok();
        self.generation += 1;
        let name = format!("..{}", self.generation);
        std::fs::create_dir(root.join(&name)).unwrap();
        std::fs::write(root.join(&name).join("config.toml"), text).unwrap();
        symlink(&name, root.join("..data_tmp")).unwrap();
        std::fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
        if let Some(before) = before {
            std::fs::remove_dir_all(root.join(before)).unwrap();
        }
    }
}

#[tokio::test]
async fn a_config_map_may_be_swapped_again_and_again() {
    let mut map = ConfigMap::new("one");
    let (reloader, metrics) = reloader(&map.file()).await;
    let current = reloader.current();
    let watching = tokio::spawn(reloader.run());
    let began = std::time::Instant::now();
    for text in ["two", "three", "four", "five", "six", "seven"] {
        map.publish(text);
        eventually("the swap is noticed", || current.load().hash == text).await;
    }
    // By events, that is, for the poll comes every ten seconds.
    assert!(began.elapsed() < std::time::Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(metrics.config.last_reload_successful.get(), 1);
    watching.abort();
}

#[tokio::test]
async fn a_signal_is_a_hint_like_any_other() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.toml");
    std::fs::write(&file, "one").unwrap();
    let (reloader, _metrics) = reloader(&file).await;
    let (current, trigger) = (reloader.current(), reloader.trigger());
    std::fs::write(&file, "two").unwrap();
    let watching = tokio::spawn(reloader.run());
    trigger.notify_one();
    let began = std::time::Instant::now();
    eventually("the change is in force", || current.load().hash == "two").await;
    assert!(began.elapsed() < std::time::Duration::from_secs(8), "{:?}", began.elapsed());
    watching.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_reloads_cost_no_request() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.toml");
    std::fs::write(&file, "0").unwrap();
    let (mut reloader, metrics) = reloader(&file).await;
    let running = serve(&reloader, &metrics).await;
    let (done, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (done, answered, address) = (done.clone(), answered.clone(), running.data_addr);
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                let mut newest = 0;
                while !done.load(Ordering::Relaxed) {
                    let answer = client.ask(ASK).await;
                    let generation: usize = answer.body.parse().unwrap();
                    assert!(answer.status == 200 && generation >= newest, "{answer:?}");
                    newest = generation;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                client.ask(ASK).await.body
            })
        })
        .collect();
    for generation in 1..=200 {
        let before = answered.load(Ordering::Relaxed);
        std::fs::write(&file, generation.to_string()).unwrap();
        assert_eq!(reloader.reload_if_changed().await, Outcome::Applied);
        eventually("a request under this configuration", || answered.load(Ordering::Relaxed) > before + 4).await;
    }
    done.store(true, Ordering::Relaxed);
    for client in clients {
        assert_eq!(client.await.unwrap(), "200");
    }
}
