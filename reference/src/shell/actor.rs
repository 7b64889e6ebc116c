//! The task that owns the agent: calls, timer and effects, one after the other.

use super::commit::Gathered;
use super::effects::{Workshop, kind};
use super::time::Time;
use crate::agent::{
    Agent, AgentStatus, CallToken, Caller, Completion, Effect, EffectFailed, EffectId, Now,
};
use fsrvp_wire::fsrvp::{Call, Opnum, Reply};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// How many calls may wait for the agent to take them.
const INBOX_LEN: usize = 64;

/// How long to wait before what could not be deleted is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(30);

/// Stands for a retry, which the agent does not know of; its own effects count from one.
const RETRY: EffectId = EffectId(0);

/// What the task is asked.
enum Message {
    Call(Box<Caller>, Call, oneshot::Sender<Reply>),
    Advance(Duration, oneshot::Sender<()>),
    Status(oneshot::Sender<(i64, AgentStatus)>),
    ConnectionLost,
}

/// The way to the task.
#[derive(Debug, Clone)]
pub(super) struct AgentHandle(mpsc::Sender<Message>);

impl AgentHandle {
    /// The reply to a call; `None` when the server stops before there is one.
    pub(super) async fn call(&self, caller: Caller, call: Call) -> Option<Reply> {
        let (sender, receiver) = oneshot::channel();
        let message = Message::Call(Box::new(caller), call, sender);
        self.0.send(message).await.ok()?;
        receiver.await.ok()
    }

    /// What time it is, and how the agent stands; `None` when the server stops.
    pub(super) async fn status(&self) -> Option<(i64, AgentStatus)> {
        let (sender, receiver) = oneshot::channel();
        self.0.send(Message::Status(sender)).await.ok()?;
        receiver.await.ok()
    }

    /// Tells that a connection has ended.
    pub(super) async fn connection_lost(&self) {
        // A server that stops has nothing to do for it.
        let _ = self.0.send(Message::ConnectionLost).await;
    }

    /// Moves a manual clock on; returns when everything that became due is done.
    pub(super) async fn advance(&self, by: Duration) {
        let (sender, receiver) = oneshot::channel();
        if self.0.send(Message::Advance(by, sender)).await.is_ok() {
            // The server may stop instead; then nothing is due any more.
            drop(receiver.await);
        }
    }
}

type Finished = (EffectId, Result<Completion, EffectFailed>);

/// Who waits for a reply, and what the log says about the call.
struct Waiter {
    sender: oneshot::Sender<Reply>,
    opnum: Opnum,
    user: String,
    client: std::net::IpAddr,
}

/// The agent with everything that it needs to run.
pub(super) struct Actor {
    agent: Agent,
    time: Time,
    workshop: Arc<Workshop>,
    waiters: HashMap<CallToken, Waiter>,
    last_token: u64,
    /// Effects in their order; a short one runs alone, a long one lets the next go on.
    queue: VecDeque<(EffectId, Effect)>,
    short: Option<EffectId>,
    running: usize,
    /// The commit under way, which can be given up.
    commit: Option<(EffectId, Arc<Gathered>)>,
    finished: mpsc::UnboundedSender<Finished>,
    /// When to try again what could not be deleted; `None` where there is nothing.
    retry_at: Option<tokio::time::Instant>,
}

impl Actor {
    /// Starts the task; it ends some time after `shutdown` turns true, with no effect under way.
    pub(super) fn spawn(
        agent: Agent,
        time: Time,
        workshop: Arc<Workshop>,
        shutdown: watch::Receiver<bool>,
    ) -> (AgentHandle, tokio::task::JoinHandle<Agent>) {
        let (sender, inbox) = mpsc::channel(INBOX_LEN);
        let (finished, completions) = mpsc::unbounded_channel();
        let actor = Actor {
            agent,
            time,
            workshop,
            waiters: HashMap::new(),
            last_token: 0,
            queue: VecDeque::new(),
            short: None,
            running: 0,
            commit: None,
            finished,
            retry_at: None,
        };
        let task = tokio::spawn(actor.run(inbox, completions, shutdown));
        (AgentHandle(sender), task)
    }

    async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Message>,
        mut completions: mpsc::UnboundedReceiver<Finished>,
        mut shutdown: watch::Receiver<bool>,
    ) -> Agent {
        loop {
            self.pump();
            let alarm = self.alarm();
            // A call in between two effects still decides what its sets know.
            let retry = self.retry_alarm().filter(|_| self.is_idle());
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(Message::Call(caller, call, sender)) => self.call(&caller, call, sender),
                    Some(Message::Advance(by, done)) => {
                        self.advance(by, &mut completions).await;
                        // Whoever asked may have gone.
                        let _ = done.send(());
                    }
                    Some(Message::ConnectionLost) => {
                        self.agent.handle_connection_lost(self.time.now());
                    }
                    Some(Message::Status(asker)) => {
                        let now = self.time.now();
                        // Whoever asked may have gone.
                        let _ = asker.send((now.filetime, self.agent.status(now)));
                    }
                    None => break,
                },
                Some(done) = completions.recv() => self.complete(done),
                () = sleep_until(alarm) => self.agent.handle_timeout(self.time.now()),
                () = sleep_until(retry) => self.retry(),
                _ = shutdown.changed() => break,
            }
        }
        while self.running > 0 {
            let Some(done) = completions.recv().await else {
                break;
            };
            self.complete(done);
            self.pump();
        }
        self.agent
    }

    fn is_idle(&self) -> bool {
        self.running == 0 && self.queue.is_empty()
    }

    fn retry_alarm(&mut self) -> Option<tokio::time::Instant> {
        if self.workshop.leftovers.is_empty() {
            self.retry_at = None;
        } else if self.retry_at.is_none() {
            self.retry_at = Some(
                self.time
                    .instant(self.time.machine().monotonic + RETRY_EVERY),
            );
        }
        self.retry_at
    }

    /// Tries again what could not be deleted, as a short effect: no other one runs beside it.
    fn retry(&mut self) {
        self.retry_at = None;
        self.running += 1;
        self.short = Some(RETRY);
        let workshop = Arc::clone(&self.workshop);
        let finished = self.finished.clone();
        tokio::task::spawn_blocking(move || {
            workshop.retry_leftovers();
            // The receiver lives as long as anything runs.
            let _ = finished.send((RETRY, Ok(Completion::Done)));
        });
    }

    fn alarm(&self) -> Option<tokio::time::Instant> {
        let deadline = self.agent.poll_timeout()?;
        if self.time.is_manual() {
            // What is due already needs nobody to move the clock.
            let is_due = deadline <= self.time.now().monotonic;
            return is_due.then(|| self.time.instant(Duration::ZERO));
        }
        Some(self.time.instant(deadline))
    }

    fn call(&mut self, caller: &Caller, call: Call, sender: oneshot::Sender<Reply>) {
        self.last_token += 1;
        let token = CallToken(self.last_token);
        let opnum = call.opnum();
        tracing::info!(user = caller.user, client = %caller.address, ?call, "call");
        let waiter = Waiter {
            sender,
            opnum,
            user: caller.user.clone(),
            client: caller.address,
        };
        self.waiters.insert(token, waiter);
        self.agent.handle_call(token, caller, call, self.time.now());
    }

    /// Fires every timer up to the new time, in order, each with all its effects. What could not be
    /// deleted is tried again where the time is as long as that takes.
    async fn advance(&mut self, by: Duration, completions: &mut mpsc::UnboundedReceiver<Finished>) {
        self.settle(completions).await;
        if self.time.is_manual() && by >= RETRY_EVERY && !self.workshop.leftovers.is_empty() {
            self.retry();
            self.settle(completions).await;
        }
        if !self.time.is_manual() {
            return;
        }
        let target = self.time.now().monotonic.saturating_add(by);
        loop {
            self.settle(completions).await;
            match self.agent.poll_timeout() {
                Some(deadline) if deadline <= target => {
                    self.time.move_to(deadline);
                    self.agent.handle_timeout(self.time.now());
                }
                _ => break,
            }
        }
        self.time.move_to(target);
    }

    /// Waits until no short effect is under way or queued.
    async fn settle(&mut self, completions: &mut mpsc::UnboundedReceiver<Finished>) {
        self.pump();
        while self.short.is_some() || !self.queue.is_empty() {
            let Some(done) = completions.recv().await else {
                return;
            };
            self.complete(done);
            self.pump();
        }
    }

    fn complete(&mut self, (id, result): Finished) {
        self.running -= 1;
        if self.short == Some(id) {
            self.short = None;
        }
        let now: Now = self.time.now();
        self.agent.handle_completion(id, result, now);
    }

    /// Sends replies, and starts effects as far as their order allows.
    fn pump(&mut self) {
        while let Some((token, reply)) = self.agent.poll_reply() {
            self.answer(token, reply);
        }
        while let Some(effect) = self.agent.poll_effect() {
            self.queue.push_back(effect);
        }
        while let Some(unwanted) = self.agent.poll_given_up() {
            if let Some((_, commit)) = self.commit.take_if(|(id, _)| *id == unwanted) {
                commit.give_up();
            }
        }
        while self.short.is_none() {
            let Some((id, effect)) = self.queue.pop_front() else {
                return;
            };
            let is_long = matches!(
                effect,
                Effect::Prepare { .. } | Effect::Commit { .. } | Effect::Expose { .. }
            );
            if !is_long {
                self.short = Some(id);
            }
            self.start(id, effect);
        }
    }

    fn start(&mut self, id: EffectId, effect: Effect) {
        self.running += 1;
        let workshop = Arc::clone(&self.workshop);
        let finished = self.finished.clone();
        let gathered = Gathered::watched_by(&workshop.trial);
        if matches!(effect, Effect::Commit { .. }) {
            self.commit = Some((id, Arc::clone(&gathered)));
        }
        tokio::spawn(async move {
            let name = kind(&effect);
            let work = tokio::task::spawn_blocking(move || workshop.perform(&effect, &gathered));
            let result = work.await.unwrap_or_else(|error| {
                tracing::error!(effect = name, %error, "broke off");
                Err(EffectFailed::Lost(format!("{name} broke off")))
            });
            // The receiver lives as long as anything runs.
            let _ = finished.send((id, result));
        });
    }

    fn answer(&mut self, token: CallToken, reply: Reply) {
        let Some(waiter) = self.waiters.remove(&token) else {
            return;
        };
        let method = waiter.opnum.name().unwrap_or("unknown method");
        self.workshop.trial.step("reply");
        tracing::info!(method, status = %reply.status(), user = waiter.user,
            client = %waiter.client, "reply");
        // The connection may have gone; then nobody wants it.
        let _ = waiter.sender.send(reply);
    }
}

async fn sleep_until(alarm: Option<tokio::time::Instant>) {
    match alarm {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
