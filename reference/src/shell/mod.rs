//! Tokio: sockets, timers, threads for blocking work. Here a server is started and stopped.
//!
//! **Architectural invariants**
//! - This is the only room that reads clocks, draws random bytes and starts tasks.
//! - One task owns the agent, one each connection its [`crate::smb::Connection`]; blocking work
//!   of either runs on threads that may block, and holds up nobody else.
//! - What is served was reconciled first: the configuration store, the backend snapshots on the
//!   disk and the exposed shares agree before the socket listens.

mod actor;
mod answers;
mod commit;
mod connection;
pub mod descriptors;
mod door;
mod effects;
mod files;
mod handle;
mod leftovers;
mod reconcile;
mod say;
mod security;
mod srvsvc;
pub mod status;
mod threads;
mod time;

use crate::agent::{Agent, AgentConfig, Deviation, Deviations, Durations, IdSource};
use crate::backend::{AutoBackend, BackendError, BackendKind, Programs, ShadowBackend};
use crate::config::{
    AccessConfig, AccessRights, BackendChoice, Config, ConfigError, Disable, Encryption, Limits,
    Profile, ShareConfig,
};
use crate::share::{Access, BaseShare, Rights, ShareError, ShareTable};
use crate::smb::Server;
use crate::store::{Store, StoreError};
use crate::users::Users;
use actor::{Actor, AgentHandle};
use answers::Answers;
use connection::Shared;
use door::Door;
use effects::Workshop;
use fsrvp_wire::fsrvp::FSRVP_RPC_VERSION_1;
use fsrvp_wire::fsrvp::is_path_shadow_copied::{DISABLE_CONTENTINDEX, DISABLE_DEFRAG};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use threads::Threads;
use time::Time;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

/// MS-FSRVP <5>: how often in a row one client may repeat SetContext.
const RETRY_LIMIT: u32 = 5;

/// How long to wait before the next client when the machine has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A share cannot be served.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// The chosen backend cannot make shadow copies of a share.
    #[error("share {share}: {source}")]
    Backend {
        /// The share.
        share: String,
        /// What stands against it.
        source: BackendError,
    },
    /// The configuration store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no temporary directory for the state.
    #[error("temporary directory for the state: {0}")]
    TemporaryState(std::io::Error),
    /// The address cannot be listened on.
    #[error("{address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The work of the start broke off.
    #[error("the start broke off")]
    BrokeOff,
}

/// A running server. Dropping it stops it; [`Reference::stop`] also waits for the end.
pub struct Reference {
    address: SocketAddr,
    agent: AgentHandle,
    shutdown: watch::Sender<bool>,
    tasks: Option<Tasks>,
}

/// What runs, in the order in which it ends.
struct Tasks {
    listener: JoinHandle<()>,
    actor: JoinHandle<Agent>,
    workshop: Arc<Workshop>,
    /// Removed, with what it alone knows of, when the server stops.
    temporary_state: Option<tempfile::TempDir>,
}

impl Reference {
    /// Starts a server on the runtime that this is called on; it serves when this returns.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(config: Config) -> Result<Reference, StartError> {
        let backend = config.trial.backend(backend(&config));
        Reference::start_with(config, backend).await
    }

    /// As [`Reference::start`], with a backend of the caller's instead of the configured one: one
    /// that fails on purpose, for example.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_with(
        config: Config,
        backend: Arc<dyn ShadowBackend>,
    ) -> Result<Reference, StartError> {
        config.validate()?;
        let users = Arc::new(Users::from_config(&config.users)?);
        let time = Time::start(config.clock);
        let (settings, clock) = (config.clone(), time.clone());
        let prepared = tokio::task::spawn_blocking(move || prepare(&settings, backend, clock));
        let prepared = prepared.await.map_err(|_| StartError::BrokeOff)??;
        let (shutdown, stopped) = watch::channel(false);
        let catalogue = Arc::clone(&prepared.workshop.shares);
        let agent = Agent::new(
            agent_config(&config),
            Box::new(RandomIds),
            catalogue,
            prepared.state,
        );
        let workshop = prepared.workshop;
        let (listener, address) = listen(config.listen).await?;
        let (handle, actor) =
            Actor::spawn(agent, time.clone(), Arc::clone(&workshop), stopped.clone());
        tell_status(&config, address, &time, &handle, &stopped);
        let shared = Shared {
            server: Arc::new(server(&config, users)),
            threads: Threads::default(),
            workshop: Arc::clone(&workshop),
            agent: handle.clone(),
            answers: Arc::new(Answers::new(config.answers.clone())),
            time,
            peers: Arc::default(),
            tells_ends: config
                .faults
                .contains(&crate::agent::Fault::LostConnectionReleases),
        };
        let listener = tokio::spawn(accept(listener, shared, config.limits, stopped));
        tracing::info!(%address, "serving");
        Ok(Reference {
            address,
            agent: handle,
            shutdown,
            tasks: Some(Tasks {
                listener,
                actor,
                workshop,
                temporary_state: prepared.temporary_state,
            }),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Moves a [`crate::config::Clock::Manual`] on. When this returns, every timer that became
    /// due was handled and what it led to is done. A clock that follows the machine's is left as
    /// it is.
    pub async fn advance(&self, by: Duration) {
        self.agent.advance(by).await;
    }

    /// Stops: connections end, work under way is finished, state that was temporary goes.
    pub async fn stop(mut self) {
        self.shutdown.send_replace(true);
        if let Some(tasks) = self.tasks.take() {
            tasks.end().await;
        }
    }
}

impl std::fmt::Debug for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reference")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        self.shutdown.send_replace(true);
        if let Some(tasks) = self.tasks.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(tasks.end());
        }
    }
}

impl Tasks {
    async fn end(self) {
        if let Err(error) = self.listener.await {
            tracing::error!(%error, "the listener broke off");
        }
        let agent = self.actor.await;
        if self.temporary_state.is_none() {
            return;
        }
        // Nobody will ever know of these shadow copies again.
        if let Ok(agent) = agent {
            let workshop = self.workshop;
            let removal = move || reconcile::remove_all(&workshop, agent.state());
            if let Err(error) = tokio::task::spawn_blocking(removal).await {
                tracing::error!(%error, "the removal of shadow copies broke off");
            }
        }
    }
}

/// What the blocking part of the start gives.
struct Prepared {
    workshop: Arc<Workshop>,
    state: crate::agent::State,
    temporary_state: Option<tempfile::TempDir>,
}

fn prepare(
    config: &Config,
    backend: Arc<dyn ShadowBackend>,
    time: Time,
) -> Result<Prepared, StartError> {
    let freeze_max = Duration::try_from_secs_f64(config.freeze_max_s)
        .map_err(|error| ConfigError::value("freeze_max_s", error.to_string()))?;
    // A writer may meet a commit that waits for another one's writes, and then its copies.
    let shares = Arc::new(ShareTable::new(freeze_max.saturating_mul(2)));
    let must_be_able = !matches!(config.backend, BackendChoice::Auto | BackendChoice::Copy);
    for share in &config.shares {
        let added = shares.add_base(base_share(share, &backend))?;
        if must_be_able {
            backend
                .supports(added.root())
                .map_err(|source| StartError::Backend {
                    share: share.name.clone(),
                    source,
                })?;
        }
        say::what_shadow_copies_hold(&added);
    }
    let (directory, temporary_state) = state_directory(config)?;
    let store = Store::open_with(&directory, config.trial.syncs())?;
    let state = store.load()?;
    let workshop = Arc::new(Workshop {
        shares,
        backend,
        store,
        leftovers: Arc::default(),
        freeze_max,
        time,
        trial: config.trial.clone(),
    });
    let descriptors = workshop.store.descriptors()?;
    reconcile::describe(&workshop.shares, &descriptors);
    let seals = !deviations(config.profile).has(Deviation::NothingIsReadOnly);
    reconcile::reconcile(&workshop, &state, temporary_state.is_none(), seals);
    Ok(Prepared {
        workshop,
        state,
        temporary_state,
    })
}

fn state_directory(config: &Config) -> Result<(PathBuf, Option<tempfile::TempDir>), StartError> {
    if let Some(directory) = &config.state {
        return Ok((directory.clone(), None));
    }
    let temporary = tempfile::Builder::new()
        .prefix("fsrvp-state-")
        .tempdir()
        .map_err(StartError::TemporaryState)?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

/// All backends, one of which makes; what another one made before is still known.
fn backend(config: &Config) -> Arc<dyn ShadowBackend> {
    let backend = match config.backend {
        BackendChoice::Auto => AutoBackend::default(),
        BackendChoice::Btrfs => AutoBackend::only(BackendKind::Btrfs),
        BackendChoice::Reflink => AutoBackend::only(BackendKind::Reflink),
        BackendChoice::Copy => AutoBackend::only(BackendKind::Copy),
        BackendChoice::Command => AutoBackend::only(BackendKind::Command),
    };
    let Some(command) = &config.command else {
        return Arc::new(backend);
    };
    Arc::new(backend.with_programs(Programs {
        create: command.create.clone(),
        seal: command.seal.clone(),
        remove: command.remove.clone(),
        timeout: Duration::try_from_secs_f64(command.timeout_s).unwrap_or(Duration::MAX),
    }))
}

fn base_share(share: &ShareConfig, backend: &Arc<dyn ShadowBackend>) -> BaseShare {
    BaseShare {
        comment: share.comment.clone(),
        store: share.store.clone(),
        place: share.copies.clone(),
        read_only: share.read_only,
        access: access(&share.access),
        encrypts: share.encryption == Some(Encryption::Required),
        compatibility: compatibility(&share.disable),
        ..BaseShare::new(&share.name, &share.path, Arc::clone(backend))
    }
}

/// MS-FSRVP 2.2.2.3 SHADOW_COPY_COMPATIBILITY_VALUES.
fn compatibility(disable: &[Disable]) -> i32 {
    disable.iter().fold(0, |bits, what| match what {
        Disable::Defragmentation => bits | DISABLE_DEFRAG,
        Disable::Indexing => bits | DISABLE_CONTENTINDEX,
    })
}

/// A share that names users is for them alone.
fn access(entries: &[AccessConfig]) -> Access {
    if entries.is_empty() {
        return Access::default();
    }
    entries
        .iter()
        .fold(Access::for_all(Rights::None), |access, entry| {
            let rights = match entry.rights {
                AccessRights::None => Rights::None,
                AccessRights::Read => Rights::Read,
                AccessRights::Full => Rights::Change,
            };
            access.with(&entry.user, rights)
        })
}

fn server(config: &Config, users: Arc<Users>) -> Server {
    Server::new(
        &config.name,
        random_id(),
        config.signing,
        config.encryption,
        users,
    )
    .with_limits(config.limits)
}

fn agent_config(config: &Config) -> AgentConfig {
    AgentConfig {
        durations: Durations::map(|nominal| config.timers.duration(nominal)),
        owner_machine_name: config.name.clone(),
        retry_limit: RETRY_LIMIT,
        versions: (FSRVP_RPC_VERSION_1, FSRVP_RPC_VERSION_1),
        faults: config.faults.clone(),
        deviations: deviations(config.profile),
    }
}

fn deviations(profile: Profile) -> Deviations {
    match profile {
        Profile::Spec => Deviations::none(),
        Profile::Windows => Deviations::windows_2012(),
        Profile::Windows2012R2 => Deviations::windows_2012r2(),
        Profile::Samba => Deviations::samba(),
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let fail = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    Ok((listener, address))
}

/// Opens the status socket of a server with a state directory; it serves without one as well.
fn tell_status(
    config: &Config,
    address: SocketAddr,
    time: &Time,
    agent: &AgentHandle,
    stopped: &watch::Receiver<bool>,
) {
    let Some(directory) = &config.state else {
        return;
    };
    let now = time.now().filetime;
    let running = status::Running {
        name: config.name.clone(),
        address,
        pid: std::process::id(),
        since: now,
        now,
    };
    match status::bind(directory) {
        Ok(socket) => {
            let (agent, stopped) = (agent.clone(), stopped.clone());
            tokio::spawn(status::serve(socket, running, agent, stopped));
        }
        Err(error) => tracing::warn!(%error, "serve --status will not be answered"),
    }
}

async fn accept(
    listener: TcpListener,
    shared: Shared,
    limits: Limits,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let door = Door::new(limits.before_logon_max);
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < limits.connections_max => match accepted {
                Ok((stream, client)) => {
                    let (shared, shutdown) = (shared.clone(), shutdown.clone());
                    let stranger = door.enter();
                    connections.spawn(connection::serve(stream, client, shared, stranger, shutdown));
                }
                Err(error) => {
                    tracing::warn!(%error, "a client could not be let in");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection broke off");
                }
            }
            _ = shutdown.changed() => break,
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Ids that nobody can foretell.
struct RandomIds;

impl IdSource for RandomIds {
    fn new_id(&mut self) -> Uuid {
        random_id()
    }
}

fn random_id() -> Uuid {
    let mut bytes = [0; 16];
    random_bytes(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// Fills `bytes` from the system's source.
#[expect(
    clippy::expect_used,
    reason = "a machine without randomness must not serve, and no caller could do better"
)]
fn random_bytes(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system has random bytes");
}

#[cfg(test)]
mod tests;
