//! Plays a lifecycle: steps that nobody expects anything of. Each call becomes an exchange, which
//! whoever judges it gets at once.

use crate::case::{
    Action, Advance, Case, ClientSpec, FileResult, FileTemplate, FileVerb, Place, Profile, Target,
};
use crate::drive::client::{Carrier, Client};
use crate::drive::error::DriveError;
use crate::drive::judge::RpcAnswer;
use crate::drive::play::Time;
use crate::drive::remains::{Remains, abort};
use crate::drive::tape::Tape;
use crate::drive::values::{IdSource, Values, build_call, fill};
use crate::drive::verbs::FileJob;
use crate::drive::wait;
use crate::flow::{Answer, Evidence, Exchange, Link, Request, SmbProtection};
use fsrvp_wire::fsrvp::{Call, Opnum};
use fsrvp_wire::ndr::Representation;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// More than any timer of MS-FSRVP 3.1.2 runs.
const ALL_TIMERS_OUT: Duration = Duration::from_secs(1801);

/// Clients that are connected and that nobody uses at the moment: a logon takes longer than a call.
#[derive(Default)]
pub struct Company {
    idle: Vec<(ClientSpec, Client)>,
    tape: Tape,
}

impl Company {
    /// Nobody yet; what travels between those who will join and the server goes to `tape`.
    #[must_use]
    pub fn on_tape(tape: &Tape) -> Company {
        Company {
            idle: Vec::new(),
            tape: tape.clone(),
        }
    }

    async fn join(&mut self, target: &Target, spec: &ClientSpec) -> Result<Client, DriveError> {
        let place = self.idle.iter().position(|(other, _)| other == spec);
        match place {
            Some(place) => Ok(self.idle.swap_remove(place).1),
            None => Client::connect(target, spec, &self.tape).await,
        }
    }
}

/// Why a lifecycle came to an end before its last step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The number of the step, from 0; after the last one where it came from cleaning up.
    pub step: usize,
    /// What happened.
    pub what: String,
}

/// Plays one lifecycle against one target.
pub struct LivePlayer<'a> {
    target: &'a Target,
    time: Time,
    ids: IdSource,
    company: &'a mut Company,
    clients: BTreeMap<String, (Client, Arc<Link>)>,
    values: Values,
    remains: Remains,
    started: Instant,
    /// How far the clock was moved since the lifecycle began.
    moved: Duration,
    frame: u64,
    streams: u64,
}

impl<'a> LivePlayer<'a> {
    /// A player against `target`, with clients of `company` where it has some that fit.
    #[must_use]
    pub fn new(
        target: &'a Target,
        time: Time,
        ids: IdSource,
        company: &'a mut Company,
    ) -> LivePlayer<'a> {
        LivePlayer {
            target,
            time,
            ids,
            company,
            clients: BTreeMap::new(),
            values: Values::default(),
            remains: Remains::default(),
            started: Instant::now(),
            moved: Duration::ZERO,
            frame: 0,
            streams: 0,
        }
    }

    /// Plays `life` until its end or until `judge`, who gets every exchange with the number of its
    /// step, breaks off. A step that refers to something that did not come about is left out. Then
    /// everything that it made is taken away.
    ///
    /// # Errors
    /// Where the conversation broke.
    pub async fn play(
        mut self,
        life: &Case,
        judge: &mut (dyn FnMut(usize, &Exchange) -> ControlFlow<()> + Send),
    ) -> Result<(), Trouble> {
        let mut broken = None;
        for (n, step) in life.steps.iter().enumerate() {
            let spec = life.clients.get(&step.client).cloned().unwrap_or_default();
            let id = &life.id;
            self.company.tape.step(|| format!("{id} step {}", n + 1));
            let played = self.step(&step.client, &spec, &step.action).await;
            let exchange = match played {
                Ok(exchange) => exchange,
                // A server may refuse a weak client before its first call.
                Err(DriveError::BindRefused(_)) => continue,
                Err(error) => {
                    self.clients.remove(&step.client);
                    broken = Some(Trouble {
                        step: n,
                        what: error.to_string(),
                    });
                    break;
                }
            };
            let Some((call, exchange)) = exchange else {
                continue;
            };
            if let (Some(call), Answer::Reply(reply)) = (&call, &exchange.answer) {
                self.remains.note(call, reply);
                if let (true, Some(name)) = (reply.status().is_success(), &step.save) {
                    self.values.save(name, call, reply);
                }
            }
            if judge(n, &exchange).is_break() {
                break;
            }
        }
        let left = self.clean_up(life).await.map_err(|what| Trouble {
            step: life.steps.len(),
            what,
        });
        broken.map_or(left, Err)
    }

    /// Does one step; gives the call, where it is one, and the exchange.
    async fn step(
        &mut self,
        name: &str,
        spec: &ClientSpec,
        action: &Action,
    ) -> Result<Option<(Option<Call>, Exchange)>, DriveError> {
        match action {
            Action::Call(template) => {
                let call = build_call(template, &self.values, self.target, &mut self.ids);
                let Ok(call) = call else {
                    return Ok(None);
                };
                if call.opnum() == Opnum::StartShadowCopySet {
                    wait::pass(self.target.pause_between_sets).await;
                }
                let stub = call.emit(Representation::NDR32);
                let opnum = call.opnum();
                let exchange = self.exchange(name, spec, opnum, &stub).await?;
                Ok(Some((Some(call), exchange)))
            }
            Action::Raw { opnum, stub } => {
                let exchange = self.exchange(name, spec, *opnum, stub).await?;
                Ok(Some((None, exchange)))
            }
            Action::File(template) => {
                self.file(name, spec, template).await?;
                Ok(None)
            }
            Action::Advance(advance) => {
                self.advance(*advance).await;
                Ok(None)
            }
            Action::Connect => {
                self.clients.remove(name);
                let client = Client::connect(self.target, spec, &self.company.tape).await?;
                self.seat(name, client)?;
                Ok(None)
            }
            // Lifecycles are generated without restarts, troubled backends and calls that overlap: the
            // rules that judge them know of none.
            Action::Disconnect
            | Action::Restart
            | Action::Backend { .. }
            | Action::Send { .. }
            | Action::Answer { .. } => {
                self.clients.remove(name);
                Ok(None)
            }
        }
    }

    async fn exchange(
        &mut self,
        name: &str,
        spec: &ClientSpec,
        opnum: Opnum,
        stub: &[u8],
    ) -> Result<Exchange, DriveError> {
        let asked = self.now();
        let (client, link) = self.client(name, spec).await?;
        let link = Arc::clone(link);
        let carrier = client.carrier()?;
        let answer = match client.raw(opnum, stub).await? {
            RpcAnswer::Reply(reply) => Answer::Reply(reply),
            RpcAnswer::Fault(code) => Answer::Fault(code),
            RpcAnswer::Unreadable(error) => Answer::Unreadable {
                stub: Vec::new(),
                error: Some(error),
            },
        };
        let answered = self.now();
        self.frame += 2;
        let evidence = |frame, time| Evidence {
            frames: vec![frame],
            time,
        };
        Ok(Exchange {
            link,
            dialect: Some(carrier.dialect),
            smb: match carrier.signed {
                true => SmbProtection::Signed,
                false => SmbProtection::Plain,
            },
            rpc_auth: Some(carrier.rpc_auth),
            ndr: "ndr32-le",
            call_id: 0,
            opnum,
            request: request(opnum, stub),
            request_evidence: evidence(self.frame - 1, asked),
            answer,
            answer_evidence: evidence(self.frame, answered),
        })
    }

    /// The time of the server's timers, since the lifecycle began.
    fn now(&self) -> Duration {
        match &self.time {
            Time::Ours { .. } => self.moved,
            Time::Theirs => self.started.elapsed(),
        }
    }

    async fn advance(&mut self, advance: Advance) {
        match &self.time {
            Time::Ours { move_clock, .. } => {
                move_clock(advance.by).await;
                self.moved += advance.by;
            }
            Time::Theirs => {
                wait::pass(wait::real_duration(advance, self.target.timers)).await;
            }
        }
    }

    async fn client(
        &mut self,
        name: &str,
        spec: &ClientSpec,
    ) -> Result<(&mut Client, &Arc<Link>), DriveError> {
        if !self.clients.contains_key(name) {
            let client = self.company.join(self.target, spec).await?;
            self.seat(name, client)?;
        }
        let seated = self.clients.get_mut(name);
        let (client, link) = seated.ok_or_else(|| DriveError::Own("no client".to_owned()))?;
        Ok((client, link))
    }

    fn seat(&mut self, name: &str, client: Client) -> Result<(), DriveError> {
        let Carrier {
            client: end,
            server,
            ..
        } = client.carrier()?;
        let link = Link {
            stream: self.streams,
            client: end,
            server,
            home: server,
        };
        self.streams += 1;
        self.clients
            .insert(name.to_owned(), (client, Arc::new(link)));
        Ok(())
    }

    /// Does something with a file. Nobody judges it; it only must not break the conversation.
    async fn file(
        &mut self,
        name: &str,
        spec: &ClientSpec,
        template: &FileTemplate,
    ) -> Result<(), DriveError> {
        let (share, exposed) = match &template.place {
            Place::Share(share) => (fill(share, self.target), false),
            Place::Exposed(copy) => match self.values.exposed_share(copy) {
                Ok(share) => (share, true),
                Err(_) => return Ok(()),
            },
        };
        let job = FileJob {
            verb: template.verb,
            share,
            name: template.name.clone(),
            content: template.content.clone(),
            holds: Vec::new(),
            lacks: Vec::new(),
            handle: None,
        };
        let (client, _) = self.client(name, spec).await?;
        let (answer, _) = client.file(&job).await?;
        let wrote = job.verb == FileVerb::Write && answer.result() == Some(FileResult::Done);
        if wrote && !exposed {
            self.remains.note_file(&job.share, &job.name);
        }
        Ok(())
    }

    /// Takes away what was made, and gives the clients back.
    async fn clean_up(&mut self, life: &Case) -> Result<(), String> {
        let said = |error: DriveError| format!("could not clean up: {error}");
        let foreign = matches!(self.time, Time::Theirs);
        if let Time::Ours { move_clock, .. } = &self.time {
            move_clock(ALL_TIMERS_OUT).await;
        }
        if !self.remains.is_empty() {
            let spec = ClientSpec::default();
            let mut client = self.company.join(self.target, &spec).await.map_err(said)?;
            // An imitated server may keep what was aborted, as the one that it imitates does.
            if foreign || self.target.profile != Profile::Spec {
                let left = self.remains.remove_sets(&mut client, self.target).await;
                let left = left.map_err(said)?;
                if !left.is_empty() {
                    let ids: Vec<String> = left.iter().map(ToString::to_string).collect();
                    return Err(format!("left on the server: set {}", ids.join(", ")));
                }
                self.remove_files(&mut client).await.map_err(said)?;
            } else {
                for set in self.remains.sets() {
                    abort(&mut client, *set).await.map_err(said)?;
                }
            }
            self.company.idle.push((spec, client));
        }
        for (name, (client, _)) in std::mem::take(&mut self.clients) {
            let spec = life.clients.get(&name).cloned().unwrap_or_default();
            self.company.idle.push((spec, client));
        }
        Ok(())
    }

    async fn remove_files(&self, client: &mut Client) -> Result<(), DriveError> {
        for (share, name) in self.remains.files() {
            let job = FileJob {
                verb: FileVerb::Remove,
                share: share.clone(),
                name: name.clone(),
                content: None,
                holds: Vec::new(),
                lacks: Vec::new(),
                handle: None,
            };
            client.file(&job).await?;
        }
        Ok(())
    }
}

fn request(opnum: Opnum, stub: &[u8]) -> Request {
    let unreadable = |error| Request::Unreadable {
        stub: stub.to_vec(),
        error,
    };
    if opnum.name().is_none() {
        return unreadable(None);
    }
    match Call::parse_strict(opnum, stub, Representation::NDR32) {
        Ok(call) => Request::Call(call),
        Err(error) => unreadable(Some(error)),
    }
}
