//! Plays one case: step by step, each judged, then everything taken away again.

use crate::case::{
    Action, Advance, BackendStep, BackendWork, Case, ClientSpec, Feature, FileResult, FileTemplate,
    FileVerb, KnownDeviations, Place, Step, Target, Wanted,
};
use crate::drive::background::{Answered, Background};
use crate::drive::client::Client;
use crate::drive::clock::now_ticks;
use crate::drive::ending::Ending;
use crate::drive::error::DriveError;
use crate::drive::files::Handle;
use crate::drive::judge::{Facts, Judgement, RpcAnswer, Rules, StepResult, judge};
use crate::drive::remains::Remains;
use crate::drive::restart;
use crate::drive::tape::Tape;
use crate::drive::values::{IdSource, Values, build_call, fill, share_part};
use crate::drive::verbs::FileJob;
use crate::drive::wait;
use crate::drive::words::{describe, describe_job};
use crate::outcome::{Normaliser, Outcome, ShadowCopyOutcome, StepRecord, Verdict};
use crate::requirement::Catalogue;
use fsrvp_wire::fsrvp::{Call, Opnum, Reply};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// Moves a server's clock forward; done when the server has seen to what became due.
pub type MoveClock =
    Box<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Stops a server and starts it again on its state; gives the port that it then listens on.
pub type Restart =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<u16, String>> + Send>> + Send + Sync>;

/// Makes a server's backend fail or wait.
pub type SteerBackend = Box<
    dyn Fn(BackendWork, BackendStep) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>>
        + Send
        + Sync,
>;

/// Whose clock the server goes by.
pub enum Time {
    /// The harness moves it.
    Ours {
        /// Moves it on.
        move_clock: MoveClock,
        /// What it showed when the server was started, in 100 ns since 1601.
        began: i64,
        /// How far it was moved before.
        moved: Duration,
        /// Restarts the server, whose clock then begins anew.
        restart: Restart,
        /// Has a hand in its backend.
        backend: SteerBackend,
    },
    /// The server's own: the harness waits.
    Theirs,
}

/// Plays cases against one target.
pub struct Player<'a> {
    target: Arc<Target>,
    known: &'a KnownDeviations,
    catalogue: &'a Catalogue,
    time: Time,
    ids: IdSource,
    /// When a server whose clock is ours was started, in 100 ns since 1601.
    began: i64,
    /// How far its clock was moved since.
    moved: Duration,
    /// Somebody wants the case to end: what it made is still taken away.
    interrupted: Arc<AtomicBool>,
    /// Where everything goes that travels.
    tape: Tape,
}

impl<'a> Player<'a> {
    /// A player against `target`.
    #[must_use]
    pub fn new(
        target: &'a Target,
        known: &'a KnownDeviations,
        catalogue: &'a Catalogue,
        time: Time,
        ids: IdSource,
        interrupted: Arc<AtomicBool>,
    ) -> Player<'a> {
        let (began, moved) = match &time {
            Time::Ours { began, moved, .. } => (*began, *moved),
            Time::Theirs => (0, Duration::ZERO),
        };
        Player {
            target: Arc::new(target.clone()),
            known,
            catalogue,
            time,
            ids,
            began,
            moved,
            interrupted,
            tape: Tape::default(),
        }
    }

    /// The same player; what travels goes to `tape`.
    #[must_use]
    pub fn on_tape(self, tape: &Tape) -> Player<'a> {
        let tape = tape.clone();
        Player { tape, ..self }
    }

    /// Plays `case`.
    pub async fn play(&mut self, case: &Case) -> Outcome {
        let missing = case
            .needs
            .iter()
            .find_map(|need| need.missing(&self.target));
        if let Some(reason) = missing {
            let requirements = case.requirements();
            return Outcome::unplayed(&case.id, Verdict::NotApplicable, requirements, reason);
        }
        let started = Instant::now();
        let mut scene = Scene::default();
        let mut ending = Ending::default();
        for (n, step) in case.steps.iter().enumerate() {
            if self.interrupted.load(Ordering::Relaxed) {
                ending.close(n + 1, Verdict::Inconclusive, "interrupted");
                break;
            }
            let go_on = self
                .play_step(case, n + 1, step, &mut scene, &mut ending)
                .await;
            if !go_on {
                break;
            }
        }
        for what in ending.stale_entries(case, self.known) {
            // What only documents say may be wrong itself.
            let stale = match self.known.is_not_run() {
                true => Verdict::Info,
                false => Verdict::Fail,
            };
            ending.verdict = ending.verdict.and(stale);
            ending.add(&what);
        }
        self.tape
            .step(|| format!("{} behind its last step", case.id));
        self.calm(case, &mut scene).await;
        let left = self.clean_up(case, &mut scene).await;
        if let Err(what) = left {
            ending.verdict = ending.verdict.and(Verdict::Inconclusive);
            ending.add(&format!(
                "could not clean up: {}",
                scene.normaliser.text(&what)
            ));
        }
        Outcome {
            case: case.id.clone(),
            title: case.title.clone(),
            verdict: ending.verdict,
            requirements: case.requirements(),
            observed: None,
            expected: ending.expected,
            actual: ending.actual,
            message: ending.message,
            steps: ending.steps,
            shadow_copies: scene.shadow_copies(),
            archive: None,
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Plays one step; `false` when nothing after it can be judged.
    async fn play_step(
        &mut self,
        case: &Case,
        n: usize,
        step: &Step,
        scene: &mut Scene,
        ending: &mut Ending,
    ) -> bool {
        self.tape.step(|| format!("{} step {n}", case.id));
        let (action, played) = match self.run_step(case, step, scene).await {
            Ok(played) => played,
            Err(why) => {
                let verdict = ending.unprepared();
                ending.close(n, verdict, &scene.normaliser.text(&why));
                return false;
            }
        };
        let action = scene.normaliser.text(&action);
        let Some(expect) = &step.expect else {
            let failed = played.result.failed_to_prepare();
            let verdict = match failed {
                None => Verdict::Pass,
                Some(_) => ending.unprepared(),
            };
            let actual = scene.normaliser.text(&played.result.text());
            let message = failed.map(|failed| {
                scene
                    .normaliser
                    .text(&format!("{action} was to prepare the case: {failed}"))
            });
            ending.record(n, action, &actual, verdict);
            if let Some(message) = message {
                ending.close(n, verdict, &message);
                return false;
            }
            return true;
        };
        let target = Arc::clone(&self.target);
        let rules = Rules {
            case: &case.id,
            profile: target.profile,
            catalogue: self.catalogue,
            known: self.known,
        };
        let facts = Facts {
            call: played.call.as_ref(),
            ids: &played.ids_before,
            replies: &played.replies_before,
            fill: &|text| fill(text, &target),
            now_ticks: self.server_now(),
        };
        let judgement = judge(rules, step.method(), expect, &played.result, &facts);
        let Judgement {
            verdict,
            expected,
            actual,
            message,
        } = judgement;
        let too_slow = scene.answer_by.is_some_and(|by| Instant::now() > by);
        let (verdict, message) = if too_slow && verdict == Verdict::Fail {
            let what = "the answer came so late that the server's timer may have run out";
            (Verdict::Inconclusive, format!("{what}; {message}"))
        } else {
            (verdict, message)
        };
        let record = StepRecord {
            step: n,
            action,
            actual: scene.normaliser.text(&actual),
            expected,
            requirements: expect.requirements.clone(),
            verdict,
            message: scene.normaliser.text(&message),
        };
        ending.decide(record);
        !matches!(verdict, Verdict::Fail | Verdict::Inconclusive)
    }

    /// Does what the step says; an error is why it could not even be tried.
    async fn run_step(
        &mut self,
        case: &Case,
        step: &Step,
        scene: &mut Scene,
    ) -> Result<(String, Played), String> {
        let ids_before = scene.values.ids.clone();
        let replies_before = scene.values.replies.clone();
        let (action, call, result) = match &step.action {
            Action::Call(template) => {
                let call = build_call(template, &scene.values, &self.target, &mut self.ids)?;
                let result = self.run_call(case, step, scene, &call).await?;
                (describe(&call), Some(call), result)
            }
            Action::Raw { opnum, stub } => {
                let client = self.client(case, &step.client, scene).await?;
                let answer = client.raw(*opnum, stub).await;
                let action = format!("opnum {} with a stub of {} bytes", opnum.0, stub.len());
                (action, None, rpc_result(answer))
            }
            Action::File(template) => {
                let (action, result) = self.run_file(case, step, scene, template).await?;
                (action, None, result)
            }
            Action::Advance(advance) => {
                scene.answer_by = self.advance(*advance).await;
                (
                    format!("wait {} s", advance.by.as_secs()),
                    None,
                    StepResult::Done,
                )
            }
            Action::Connect => {
                scene.clients.remove(&step.client);
                let client = self.client(case, &step.client, scene).await?;
                let result = match client.bind().await {
                    Ok(bound) => StepResult::Bind(bound),
                    Err(error) => StepResult::Broken(error),
                };
                ("connect and bind".to_owned(), None, result)
            }
            Action::Disconnect => {
                scene.clients.remove(&step.client);
                ("drop the connection".to_owned(), None, StepResult::Done)
            }
            Action::Send { name, call } => {
                let call = build_call(call, &scene.values, &self.target, &mut self.ids)?;
                self.client(case, &step.client, scene).await?;
                let client = scene.clients.remove_entry(&step.client);
                let client = client.ok_or_else(|| format!("client {} is gone", step.client))?;
                let action = format!("{} goes out as {name}", describe(&call));
                scene.background.send(name, client, call);
                // It goes out before the next step begins, and is kept as of this one.
                tokio::task::yield_now().await;
                (action, None, StepResult::Done)
            }
            Action::Answer { name, .. } => {
                let answered = scene.background.answer(name).await?;
                let Answered {
                    client: (client_name, client),
                    call,
                    answer,
                } = answered;
                let result = rpc_result(answer);
                if let StepResult::Rpc(RpcAnswer::Reply(reply)) = &result {
                    scene.note(&call, reply, step.save.as_deref());
                }
                if !matches!(result, StepResult::Broken(_)) {
                    scene.clients.insert(client_name, client);
                }
                (
                    format!("the answer of {name}, {}", describe(&call)),
                    Some(call),
                    result,
                )
            }
            Action::Backend { work, step } => {
                self.steer(*work, *step).await?;
                let action = format!("{} {}", work.as_str(), step.as_str());
                (action, None, StepResult::Done)
            }
            Action::Restart => {
                self.restart(scene).await?;
                ("restart the server".to_owned(), None, StepResult::Done)
            }
        };
        if matches!(result, StepResult::Broken(_)) {
            scene.clients.remove(&step.client);
        }
        let action = match step.client.as_str() {
            crate::case::MAIN_CLIENT => action,
            other => format!("{other}: {action}"),
        };
        Ok((
            action,
            Played {
                result,
                call,
                ids_before,
                replies_before,
            },
        ))
    }

    async fn run_call(
        &mut self,
        case: &Case,
        step: &Step,
        scene: &mut Scene,
        call: &Call,
    ) -> Result<StepResult, String> {
        if call.opnum() == Opnum::StartShadowCopySet {
            wait::pass(self.target.pause_between_sets).await;
        }
        let (times, until) = match step.repeat {
            Some((times, until)) => (times, Some(until)),
            None => (1, None),
        };
        let mut result = StepResult::Done;
        for _ in 0..times {
            let client = self.client(case, &step.client, scene).await?;
            result = rpc_result(client.call(call).await);
            let StepResult::Rpc(RpcAnswer::Reply(reply)) = &result else {
                break;
            };
            scene.note(call, reply, step.save.as_deref());
            if Some(reply.status()) == until {
                break;
            }
        }
        Ok(result)
    }

    async fn run_file(
        &mut self,
        case: &Case,
        step: &Step,
        scene: &mut Scene,
        template: &FileTemplate,
    ) -> Result<(String, StepResult), String> {
        let (job, exposed) = scene.job(template, &self.target)?;
        let action = describe_job(&job);
        // A foreign server may let its other processes know of a share only after it answered.
        let wants_no_share = step.expect.as_ref().is_some_and(|expect| {
            let no_share = Wanted::File(FileResult::NoShare);
            expect
                .answers
                .iter()
                .all(|answer| answer.wanted == no_share)
        });
        let patience = wait::Patience::new(if exposed && matches!(self.time, Time::Theirs) {
            wait::SHARE_SEEN_MAX
        } else {
            Duration::ZERO
        });
        loop {
            let client = self.client(case, &step.client, scene).await?;
            let (answer, handle) = match client.file(&job).await {
                Ok(done) => done,
                Err(error) => return Ok((action, StepResult::Broken(error))),
            };
            let is_no_share = answer.result() == Some(FileResult::NoShare);
            if is_no_share != wants_no_share && patience.wait().await {
                continue;
            }
            if let (Some(name), Some(handle)) = (&step.save, handle) {
                let open = (step.client.clone(), handle);
                scene.handles.insert(name.clone(), open);
            }
            let wrote = job.verb == FileVerb::Write && answer.result() == Some(FileResult::Done);
            if wrote && !exposed && job.handle.is_none() {
                scene.remains.note_file(&job.share, &job.name);
            }
            return Ok((action, StepResult::File(answer)));
        }
    }

    /// What time it is where the server is, as far as anybody here can know.
    fn server_now(&self) -> i64 {
        match &self.time {
            Time::Ours { .. } => {
                let moved = i64::try_from(self.moved.as_nanos() / 100).unwrap_or(i64::MAX);
                self.began.saturating_add(moved)
            }
            Time::Theirs => now_ticks(),
        }
    }

    /// Lets time pass. Gives the moment by which the next answers must be there for a foreign
    /// server's timer not to have run out meanwhile.
    async fn advance(&mut self, advance: Advance) -> Option<Instant> {
        match &self.time {
            Time::Ours { move_clock, .. } => {
                move_clock(advance.by).await;
                self.moved += advance.by;
                None
            }
            Time::Theirs => {
                let timers = self.target.timers;
                let answer_by = wait::timer_duration(advance, timers)
                    .filter(|_| advance.by < advance.of)
                    .map(|timer| Instant::now() + timer.saturating_sub(wait::SENT_BEFORE));
                wait::pass(wait::real_duration(advance, timers)).await;
                answer_by
            }
        }
    }

    /// Restarts the server. No connection outlives that, and so no open file.
    async fn restart(&mut self, scene: &mut Scene) -> Result<(), String> {
        scene.handles.clear();
        scene.clients.clear();
        scene.answer_by = None;
        let Time::Ours { restart, .. } = &self.time else {
            return restart::restart(&self.target).await;
        };
        let port = restart().await?;
        Arc::make_mut(&mut self.target).port = port;
        self.began = now_ticks();
        self.moved = Duration::ZERO;
        Ok(())
    }

    async fn steer(&self, work: BackendWork, step: BackendStep) -> Result<(), String> {
        match &self.time {
            Time::Ours { backend, .. } => backend(work, step).await,
            Time::Theirs => Err("the server's backend is not the harness's to steer".to_owned()),
        }
    }

    /// Lets the backend work again, and what still waits come to its end.
    async fn calm(&self, case: &Case, scene: &mut Scene) {
        if case.needs.contains(&Feature::Backend) {
            for work in BackendWork::ALL {
                // That a backend works needs no waiting, and so cannot come too late.
                let _ = self.steer(work, BackendStep::Works).await;
            }
        }
        scene.background.end().await;
    }

    /// The client of that name, connected.
    async fn client<'s>(
        &self,
        case: &Case,
        name: &str,
        scene: &'s mut Scene,
    ) -> Result<&'s mut Client, String> {
        if scene.background.is_busy(name) {
            return Err(format!("client {name} waits for an answer"));
        }
        if !scene.clients.contains_key(name) {
            let spec = case.clients.get(name).cloned().unwrap_or_default();
            let client = Client::connect(&self.target, &spec, &self.tape)
                .await
                .map_err(|error| format!("client {name}: {error}"))?;
            scene.clients.insert(name.to_owned(), client);
        }
        scene
            .clients
            .get_mut(name)
            .ok_or_else(|| format!("client {name} is gone"))
    }

    /// Takes away what the case made.
    async fn clean_up(&mut self, case: &Case, scene: &mut Scene) -> Result<(), String> {
        let handles = std::mem::take(&mut scene.handles);
        for (client, handle) in handles.into_values() {
            if let Some(client) = scene.clients.get_mut(&client) {
                // A connection that broke has closed its handles.
                let _ = client.close(handle).await;
            }
        }
        if scene.remains.is_empty() {
            return Ok(());
        }
        // The ordinary client of this case may be one that is refused, or broken.
        let is_ordinary = !case.clients.contains_key(crate::case::MAIN_CLIENT);
        let mut client = match scene.clients.remove(crate::case::MAIN_CLIENT) {
            Some(client) if is_ordinary => client,
            _ => Client::connect(&self.target, &ClientSpec::default(), &self.tape)
                .await
                .map_err(|error| error.to_string())?,
        };
        let left = scene
            .remains
            .remove_sets(&mut client, &self.target)
            .await
            .map_err(|error| error.to_string())?;
        for (share, name) in scene.remains.files() {
            let job = FileJob {
                verb: FileVerb::Remove,
                share: share.clone(),
                name: name.clone(),
                content: None,
                holds: Vec::new(),
                lacks: Vec::new(),
                handle: None,
            };
            let (answer, _) = client.file(&job).await.map_err(|error| error.to_string())?;
            let gone = [Some(FileResult::Done), Some(FileResult::NoFile)];
            if !gone.contains(&answer.result()) {
                return Err(format!("{name} on {share} is left: {answer}"));
            }
        }
        if left.is_empty() {
            scene.is_clean = true;
            return Ok(());
        }
        let ids: Vec<String> = left.iter().map(ToString::to_string).collect();
        Err(format!("left on the server: set {}", ids.join(", ")))
    }
}

/// A step that was played.
struct Played {
    result: StepResult,
    call: Option<Call>,
    /// The ids that were known before, so that a new one can be told.
    ids_before: BTreeMap<String, Uuid>,
    /// The answers that were known before, so that this one can be compared with them.
    replies_before: BTreeMap<String, Reply>,
}

/// What there is while a case is played.
#[derive(Default)]
struct Scene {
    clients: BTreeMap<String, Client>,
    background: Background,
    handles: BTreeMap<String, (String, Handle)>,
    values: Values,
    remains: Remains,
    normaliser: Normaliser,
    is_clean: bool,
    /// When a foreign server's timer may run out that is to run still.
    answer_by: Option<Instant>,
}

impl Scene {
    /// Notes what an answer says.
    fn note(&mut self, call: &Call, reply: &Reply, save: Option<&str>) {
        self.remains.note(call, reply);
        if !reply.status().is_success() {
            return;
        }
        match reply {
            Reply::StartShadowCopySet(r) => self.normaliser.learn("set", r.shadow_copy_set_id.0),
            Reply::AddToShadowCopySet(r) => self.normaliser.learn("copy", r.shadow_copy_id.0),
            _ => {}
        }
        if let Some(name) = save {
            self.values.save(name, call, reply);
        }
    }

    /// What a template means, and whether it is about an exposed share.
    fn job(&self, template: &FileTemplate, target: &Target) -> Result<(FileJob, bool), String> {
        let (share, exposed) = match &template.place {
            Place::Share(share) => (fill(share, target), false),
            Place::Exposed(copy) => (self.values.exposed_share(copy)?, true),
        };
        let handle = match &template.handle {
            None => None,
            Some(name) => {
                let open = self.handles.get(name);
                let (_, handle) = open.ok_or_else(|| format!("{name} was not opened"))?;
                Some(*handle)
            }
        };
        let job = FileJob {
            verb: template.verb,
            share,
            name: template.name.clone(),
            content: template.content.clone(),
            holds: template.holds.clone(),
            lacks: template.lacks.clone(),
            handle,
        };
        Ok((job, exposed))
    }

    fn shadow_copies(&mut self) -> Vec<ShadowCopyOutcome> {
        let mut outcomes = Vec::new();
        for made in self.remains.copies() {
            let exposed_as = self.values.exposed_as.get(&made.id());
            outcomes.push(ShadowCopyOutcome {
                shadow_copy: self.normaliser.name(made.id()),
                share: share_part(&made.share),
                exposed_as: exposed_as.map(|share| self.normaliser.text(share)),
                removed: self.is_clean,
            });
        }
        outcomes
    }
}

fn rpc_result(answer: Result<RpcAnswer, DriveError>) -> StepResult {
    match answer {
        Ok(answer) => StepResult::Rpc(answer),
        Err(DriveError::BindRefused(why)) => StepResult::Bind(Err(why)),
        Err(error) => StepResult::Broken(error),
    }
}
