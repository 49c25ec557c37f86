//! A loopback HTTP server whose connections a handler can cut.
//!
//! A vendor that dies between accepting a request and answering it leaves the sender without a
//! verdict. A plain HTTP server cannot play that: it always answers. Here every connection has a
//! [`Line`], and cutting it closes the socket without another byte.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use anyhow::Context as _;
use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// One client connection, as a handler sees it (`ConnectInfo<Line>`).
#[derive(Clone)]
pub struct Line {
    /// Who called.
    pub peer: SocketAddr,
    cut: CancellationToken,
}

impl Line {
    /// Closes the connection; nothing more is read or written.
    pub fn cut(&self) {
        self.cut.cancel();
    }
}

/// A running server. Dropping it closes the port and every connection.
pub struct Served {
    addr: SocketAddr,
    all: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Served {
    /// Serves `router` on a free loopback port.
    pub async fn start(router: Router) -> anyhow::Result<Self> {
        Self::start_on(router, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Serves `router` on `addr`; with the port of a server dropped before, the vendor "is back".
    pub async fn start_on(router: Router, addr: SocketAddr) -> anyhow::Result<Self> {
        anyhow::ensure!(addr.ip().is_loopback(), "stand-ins serve loopback only");
        let tcp = TcpListener::bind(addr).await.context("bind a loopback port")?;
        let addr = tcp.local_addr()?;
        let all = CancellationToken::new();
        let listener = Cuttable { tcp, all: all.clone() };
        let service = router.into_make_service_with_connect_info::<Line>();
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, service).await {
                panic!("stand-in stopped serving: {error}");
            }
        });
        Ok(Self { addr, all, task })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
        self.all.cancel();
    }
}

struct Cuttable {
    tcp: TcpListener,
    all: CancellationToken,
}

impl Listener for Cuttable {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            // A failed accept is the client's trouble (it hung up); the port stays open.
            if let Ok((tcp, peer)) = self.tcp.accept().await {
                // Without it small answers wait for the client's delayed acknowledgement.
                if tcp.set_nodelay(true).is_err() {
                    continue;
                }
                let cut = self.all.child_token();
                let gone = Box::pin(cut.clone().cancelled_owned());
                return (Wire { tcp, line: Line { peer, cut }, gone }, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

impl Connected<IncomingStream<'_, Cuttable>> for Line {
    fn connect_info(stream: IncomingStream<'_, Cuttable>) -> Self {
        stream.io().line.clone()
    }
}

/// The socket, until its line is cut.
pub struct Wire {
    tcp: TcpStream,
    line: Line,
    gone: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Wire {
    fn alive(&self) -> io::Result<()> {
        if self.line.cut.is_cancelled() {
            Err(io::ErrorKind::ConnectionAborted.into())
        } else {
            Ok(())
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.line.cut.is_cancelled() || self.gone.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.alive()?;
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.alive()?;
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.alive()?;
        Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }
}
