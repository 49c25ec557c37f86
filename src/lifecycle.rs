//! Signals: the graceful stop, and the wish to read the configuration again. And what the process
//! may use of the system.

use tokio_util::sync::CancellationToken;
use tracing::info;

/// Files a process that watches needs at most.
#[cfg(unix)]
const FILES: u64 = 65_536;

/// Raises the limit on open files as far as the system lets: many systems begin with 1,024, and
/// each `JobManager` of a platform that is being looked into takes some.
#[cfg(unix)]
pub fn open_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(FILES, |most| most.min(FILES));
    if limit.current.is_none_or(|current| current >= most) {
        return;
    }
    let wanted = Rlimit { current: Some(most), maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, wanted) {
        tracing::warn!(%error, "cannot raise the limit on open files (`ulimit -n`)");
    }
}

/// Nothing is limited here.
#[cfg(not(unix))]
pub fn open_many_files() {}

/// Cancels `stop` on the first SIGINT or SIGTERM; a second one ends the process at once.
pub fn stop_on_signals(stop: CancellationToken) {
    tokio::spawn(async move {
        signal().await;
        info!("stopping; once more to stop at once");
        stop.cancel();
        signal().await;
        std::process::exit(130);
    });
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let term = async {
        match signal(SignalKind::terminate()) {
            Ok(mut term) => {
                term.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = term => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}

/// SIGHUP, which asks for the configuration to be read again.
#[derive(Debug)]
pub struct Hangups {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangups {
    /// From now on a SIGHUP is noted, and does not end the process.
    pub fn listen() -> Hangups {
        Hangups {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    /// Until the next one; several that came meanwhile are one. Never where there are none.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
