//! The smallest Pingora proxy: one upstream, nothing looked at, nothing changed.
//!
//! In: a listen address, the application's, and as many threads as the sidecar has. Out: the proxied bytes. It is the yardstick, so it has no option.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::prelude::*;
use pingora::server::configuration::ServerConf;

use crate::Outcome;

/// Serves until SIGINT, which ends Pingora at once; SIGTERM would wait out its grace period.
pub(crate) fn serve(listen: &str, upstream: SocketAddr, threads: usize) -> Outcome<()> {
    let conf = ServerConf { threads, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let peer = HttpPeer::new(upstream, false, String::new());
    let mut service = http_proxy_service(&Arc::clone(&server.configuration), Bare { peer });
    service.add_tcp(listen);
    server.add_service(service);
    server.run_forever()
}

struct Bare {
    peer: HttpPeer,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _session: &mut Session, _ctx: &mut ()) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(self.peer.clone()))
    }
}
