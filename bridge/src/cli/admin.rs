//! Asks a running gateway's operator's port.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;

use crate::config::text::HostPort;

/// The most that an answer may hold.
const MOST: usize = 256 << 20;

/// Where the operator's port is, and what opens it.
#[derive(Debug, clap::Args)]
pub(super) struct Admin {
    /// The operator's port of the running gateway
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9880",
        env = "LANDBRIDGE_ADMIN"
    )]
    admin: HostPort,
    /// The port's token, where it asks for one
    #[arg(long, env = "LANDBRIDGE_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// What the port answered.
pub(super) enum Answer {
    /// What was asked for.
    Found(Vec<u8>),
    /// There is none; why.
    Missing(String),
}

impl Admin {
    /// Asks for a page.
    pub(super) fn get(&self, path: &str) -> anyhow::Result<Answer> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let within = std::time::Duration::from_secs(30);
            let asked = tokio::time::timeout(within, self.ask(path)).await;
            asked.map_err(|_| anyhow::anyhow!("the gateway at {} did not answer within 30 s", self.admin))?
        })
    }

    async fn ask(&self, path: &str) -> anyhow::Result<Answer> {
        let address = self.resolve().await?;
        let socket = tokio::net::TcpStream::connect(address).await.with_context(|| {
            format!(
                "no gateway answers at {} (is it running? see --admin)",
                self.admin
            )
        })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
        let mut request = Request::get(path).header("host", self.admin.to_string());
        if let Some(token) = &self.token {
            let token = HeaderValue::from_str(&format!("Bearer {token}"));
            request = request.header(
                "authorization",
                token.context("the token cannot be sent in a header")?,
            );
        }
        let request = request.body(Empty::<Bytes>::new())?;
        let asking = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MOST).collect().await;
            let body = body
                .map_err(|error| anyhow::anyhow!("read the answer: {error}"))?
                .to_bytes();
            drop(sender);
            anyhow::Ok((status, body))
        };
        let (answer, _) = tokio::join!(asking, connection);
        let about = || {
            format!(
                "{} does not answer as the operator's port of a gateway does",
                self.admin
            )
        };
        let (status, body) = answer.with_context(about)?;
        let text = || String::from_utf8_lossy(&body).trim().to_owned();
        match status {
            StatusCode::OK => Ok(Answer::Found(body.to_vec())),
            StatusCode::NOT_FOUND => Ok(Answer::Missing(text())),
            status => bail!("the gateway at {} answers {status}: {}", self.admin, text()),
        }
    }

    async fn resolve(&self) -> anyhow::Result<SocketAddr> {
        let found = tokio::net::lookup_host((self.admin.host.as_str(), self.admin.port)).await;
        let mut found = found.with_context(|| format!("find the address of {}", self.admin))?;
        found
            .next()
            .with_context(|| format!("{} resolves to no address", self.admin))
    }
}
