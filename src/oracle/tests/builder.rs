//! Builds histories of exchanges, one after the other, a tenth of a second apart.

use crate::flow::{
    Answer, Direction, Event, Evidence, Exchange, Gap, GapLayer, GapReason, Link, Request,
    SmbProtection,
};
use crate::oracle::{Durations, Oracle};
use crate::outcome::Finding;
use crate::requirement::{Catalogue, Role};
use fsrvp_wire::fsrvp::{
    Call, Context, Hresult, Opnum, Reply, ShadowCopyId, ShadowCopySetId, abort_shadow_copy_set,
    add_to_shadow_copy_set, commit_shadow_copy_set, delete_share_mapping, expose_shadow_copy_set,
    get_share_mapping, get_supported_version, is_path_shadow_copied, is_path_supported,
    prepare_shadow_copy_set, recovery_complete_shadow_copy_set, set_context, start_shadow_copy_set,
};
use fsrvp_wire::ndr::WideString;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use uuid::Uuid;

/// The share of all histories.
pub(super) const SHARE: &str = r"\\srv\data";

pub(super) fn set(n: u128) -> ShadowCopySetId {
    ShadowCopySetId(Uuid::from_u128(0x5e7_0000 + n))
}

pub(super) fn copy(n: u128) -> ShadowCopyId {
    ShadowCopyId(Uuid::from_u128(0xc09_0000 + n))
}

/// A history that is being built.
pub(super) struct Story {
    events: Vec<Event>,
    closes: Vec<(SocketAddr, SocketAddr, u64)>,
    frame: u64,
    time: Duration,
    client: u8,
    stream: u64,
    /// The address of the server that is called, and the one of it that is known.
    address: (u8, u8),
    level: Option<u8>,
    durations: Durations,
}

impl Story {
    /// A client at level integrity and a server with nominal timers.
    pub(super) fn new() -> Story {
        Story {
            events: Vec::new(),
            closes: Vec::new(),
            frame: 1,
            time: Duration::ZERO,
            client: 1,
            stream: 0,
            address: (200, 200),
            level: Some(5),
            durations: Durations::Scaled(1.0),
        }
    }

    pub(super) fn durations(mut self, durations: Durations) -> Story {
        self.durations = durations;
        self
    }

    pub(super) fn level(mut self, level: u8) -> Story {
        self.level = Some(level);
        self
    }

    /// Goes on as the client of this number, on a connection of its own.
    pub(super) fn client(mut self, client: u8) -> Story {
        self.client = client;
        self.stream = u64::from(client) * 10;
        self
    }

    /// Goes on with another connection of the same client.
    pub(super) fn stream(mut self, stream: u64) -> Story {
        self.stream = stream;
        self
    }

    /// Goes on at this address of the server, to which a session of another one was bound.
    pub(super) fn at(mut self, address: u8, home: u8) -> Story {
        self.address = (address, home);
        self
    }

    pub(super) fn wait(mut self, seconds: u64) -> Story {
        self.time += Duration::from_secs(seconds);
        self
    }

    fn ends(&self) -> (SocketAddr, SocketAddr) {
        let port = 40_000 + u16::try_from(self.stream).expect("short");
        (
            SocketAddr::from(([10, 0, 0, self.client], port)),
            SocketAddr::from(([10, 0, 0, self.address.0], 445)),
        )
    }

    fn link(&self) -> Arc<Link> {
        let (client, server) = self.ends();
        Arc::new(Link {
            stream: self.stream,
            client,
            server,
            home: SocketAddr::from(([10, 0, 0, self.address.1], 445)),
        })
    }

    pub(super) fn close(mut self) -> Story {
        self.frame += 1;
        let (client, server) = self.ends();
        self.closes.push((client, server, self.frame));
        self
    }

    pub(super) fn gap(mut self) -> Story {
        self.frame += 2;
        self.events.push(Event::Gap(Box::new(Gap {
            link: self.link(),
            direction: Direction::ClientToServer,
            layer: GapLayer::Tcp,
            reason: GapReason::NotCaptured,
            offset_bytes: 0,
            length_bytes: 100,
            count: 1,
            frames: (self.frame, self.frame),
            time: self.time,
        })));
        self
    }

    /// An exchange that takes so many milliseconds.
    pub(super) fn taking(
        mut self,
        ms: u64,
        opnum: Opnum,
        request: Request,
        answer: Answer,
    ) -> Story {
        self.frame += 2;
        self.time += Duration::from_millis(100);
        let asked = self.time;
        self.time += Duration::from_millis(ms);
        let evidence = |frame, time| Evidence {
            frames: vec![frame],
            time,
        };
        let answer_evidence = match answer {
            Answer::Missing => Evidence::default(),
            _ => evidence(self.frame + 1, self.time),
        };
        self.events.push(Event::Exchange(Box::new(Exchange {
            link: self.link(),
            dialect: Some(0x0311),
            smb: SmbProtection::Signed,
            rpc_auth: self.level,
            ndr: "ndr32-le",
            call_id: u32::try_from(self.frame).expect("short"),
            opnum,
            request,
            request_evidence: evidence(self.frame, asked),
            answer,
            answer_evidence,
        })));
        self
    }

    /// Moves the last exchange's answer so far back that the next exchange comes before it.
    pub(super) fn late_answer(mut self) -> Story {
        if let Some(Event::Exchange(last)) = self.events.last_mut() {
            last.answer_evidence.frames = vec![self.frame + 9];
        }
        self
    }

    pub(super) fn call(self, call: Call, reply: Reply) -> Story {
        self.taking(1, call.opnum(), Request::Call(call), Answer::Reply(reply))
    }

    /// A call that fails with this code, or a method without results that returns it.
    pub(super) fn code(self, call: Call, code: Hresult) -> Story {
        let mut reply = Reply::failure(call.opnum(), code).expect("a method");
        if let (Call::GetShareMapping(request), Reply::GetShareMapping(reply)) = (&call, &mut reply)
        {
            reply.share_mapping.level = request.level;
        }
        self.call(call, reply)
    }

    pub(super) fn lost(self, call: Call) -> Story {
        self.taking(1, call.opnum(), Request::Call(call), Answer::Missing)
    }

    pub(super) fn version(self) -> Story {
        let reply = get_supported_version::Response {
            min_version: 1,
            max_version: 1,
            status: Hresult::ZERO,
        };
        self.call(version(), Reply::GetSupportedVersion(reply))
    }

    pub(super) fn context(self, context: u32) -> Story {
        self.code(set_context(context), Hresult::ZERO)
    }

    pub(super) fn start(self, n: u128) -> Story {
        let reply = start_shadow_copy_set::Response {
            shadow_copy_set_id: set(n),
            status: Hresult::ZERO,
        };
        self.call(start(), Reply::StartShadowCopySet(reply))
    }

    pub(super) fn add(self, n: u128, m: u128, share: &str) -> Story {
        let reply = add_to_shadow_copy_set::Response {
            shadow_copy_id: copy(m),
            status: Hresult::ZERO,
        };
        self.call(add(n, share), Reply::AddToShadowCopySet(reply))
    }

    /// GetSupportedVersion, SetContext and StartShadowCopySet.
    pub(super) fn begun(self, n: u128) -> Story {
        self.version().context(0).start(n)
    }

    /// A set with one copy of the same number, brought to this point.
    pub(super) fn added(self, n: u128) -> Story {
        self.begun(n).add(n, n, SHARE)
    }

    pub(super) fn committed(self, n: u128) -> Story {
        self.added(n)
            .code(prepare(n), Hresult::ZERO)
            .code(commit(n), Hresult::ZERO)
    }

    pub(super) fn exposed(self, n: u128) -> Story {
        self.committed(n).code(expose(n), Hresult::ZERO)
    }

    pub(super) fn mapped(self, n: u128) -> Story {
        self.exposed(n).mapping(n, n, &mapping_of(n))
    }

    pub(super) fn recovered(self, n: u128) -> Story {
        self.mapped(n).code(recovery(n), Hresult::ZERO)
    }

    pub(super) fn mapping(
        self,
        n: u128,
        m: u128,
        mapping: &get_share_mapping::ShareMapping1,
    ) -> Story {
        let reply = get_share_mapping::Response {
            share_mapping: get_share_mapping::ShareMapping {
                level: 1,
                mapping: Some(mapping.clone()),
            },
            status: Hresult::ZERO,
        };
        self.call(get_mapping(n, m, SHARE), Reply::GetShareMapping(reply))
    }

    pub(super) fn asks_supported(self, share: &str) -> Story {
        let reply = is_path_supported::Response {
            supported_by_this_provider: 1,
            owner_machine_name: Some(WideString::from_text("SRV")),
            status: Hresult::ZERO,
        };
        self.call(supported(share), Reply::IsPathSupported(reply))
    }

    pub(super) fn asks_copied(self, share: &str, present: u32, compatibility: i32) -> Story {
        let reply = is_path_shadow_copied::Response {
            shadow_copy_present: present,
            shadow_copy_compatibility: compatibility,
            status: Hresult::ZERO,
        };
        self.call(copied(share), Reply::IsPathShadowCopied(reply))
    }

    /// The findings.
    pub(super) fn judged(self) -> Vec<Finding> {
        self.findings_and_oracle().0
    }

    /// The requirements that came up and were followed.
    pub(super) fn kept(self) -> Vec<&'static str> {
        let (_, oracle) = self.findings_and_oracle();
        oracle.kept().keys().copied().collect()
    }

    /// The sets that may still be finished, by what is broken if they are not.
    pub(super) fn left_open(self) -> Vec<&'static str> {
        let (_, oracle) = self.findings_and_oracle();
        oracle
            .left_open()
            .iter()
            .map(|left| left.requirement)
            .collect()
    }

    fn findings_and_oracle(self) -> (Vec<Finding>, Oracle) {
        static CATALOGUE: LazyLock<Catalogue> =
            LazyLock::new(|| Catalogue::built_in().expect("it reads"));
        let mut oracle = Oracle::new(CATALOGUE.clone(), self.durations);
        let mut closes = self.closes.iter().peekable();
        for event in &self.events {
            let frame = match event {
                Event::Exchange(exchange) => exchange.request_evidence.frames.first().copied(),
                _ => None,
            };
            while let Some((client, server, at)) =
                closes.next_if(|(_, _, at)| frame.is_some_and(|frame| *at < frame))
            {
                oracle.handle_close(*client, *server, *at);
            }
            oracle.handle_event(event);
        }
        for (client, server, frame) in closes {
            oracle.handle_close(*client, *server, *frame);
        }
        oracle.handle_time(self.time);
        (oracle.finish(), oracle)
    }

    /// The requirements that one side broke, in order.
    fn broken(self, by: Role) -> Vec<String> {
        let findings = self.judged();
        let own = findings.into_iter().filter(|finding| finding.by == by);
        own.map(|finding| finding.requirement.0).collect()
    }

    #[track_caller]
    pub(super) fn server_broke(self, requirement: &str) {
        assert_eq!(self.broken(Role::Server), [requirement]);
    }

    #[track_caller]
    pub(super) fn client_broke(self, requirement: &str) {
        assert_eq!(self.broken(Role::Client), [requirement]);
    }

    #[track_caller]
    pub(super) fn server_is_right(self) {
        assert_eq!(self.broken(Role::Server), Vec::<String>::new());
    }

    #[track_caller]
    pub(super) fn nobody_broke_anything(self) {
        assert_eq!(self.judged(), Vec::new());
    }
}

pub(super) fn mapping_of(n: u128) -> get_share_mapping::ShareMapping1 {
    get_share_mapping::ShareMapping1 {
        shadow_copy_set_id: set(n),
        shadow_copy_id: copy(n),
        share_name_unc: Some(WideString::from_text(SHARE)),
        shadow_copy_share_name: Some(WideString::from_text(&format!("data@{{{}}}", copy(n)))),
        creation_timestamp: 134_398_659_510_000_000,
    }
}

pub(super) fn version() -> Call {
    Call::GetSupportedVersion(get_supported_version::Request)
}

pub(super) fn set_context(context: u32) -> Call {
    Call::SetContext(set_context::Request {
        context: Context(context),
    })
}

pub(super) fn start() -> Call {
    Call::StartShadowCopySet(start_shadow_copy_set::Request {
        client_shadow_copy_set_id: Uuid::from_u128(0xfee1),
    })
}

pub(super) fn add(n: u128, share: &str) -> Call {
    Call::AddToShadowCopySet(add_to_shadow_copy_set::Request {
        client_shadow_copy_id: Uuid::from_u128(0xfee2),
        shadow_copy_set_id: set(n),
        share_name: WideString::from_text(share),
    })
}

pub(super) fn prepare(n: u128) -> Call {
    Call::PrepareShadowCopySet(prepare_shadow_copy_set::Request {
        shadow_copy_set_id: set(n),
        timeout_ms: 10_000,
    })
}

pub(super) fn commit(n: u128) -> Call {
    Call::CommitShadowCopySet(commit_shadow_copy_set::Request {
        shadow_copy_set_id: set(n),
        timeout_ms: 10_000,
    })
}

pub(super) fn expose(n: u128) -> Call {
    Call::ExposeShadowCopySet(expose_shadow_copy_set::Request {
        shadow_copy_set_id: set(n),
        timeout_ms: 10_000,
    })
}

pub(super) fn recovery(n: u128) -> Call {
    Call::RecoveryCompleteShadowCopySet(recovery_complete_shadow_copy_set::Request {
        shadow_copy_set_id: set(n),
    })
}

pub(super) fn abort(id: ShadowCopySetId) -> Call {
    Call::AbortShadowCopySet(abort_shadow_copy_set::Request {
        shadow_copy_set_id: id,
    })
}

pub(super) fn supported(share: &str) -> Call {
    Call::IsPathSupported(is_path_supported::Request {
        share_name: WideString::from_text(share),
    })
}

pub(super) fn copied(share: &str) -> Call {
    Call::IsPathShadowCopied(is_path_shadow_copied::Request {
        share_name: WideString::from_text(share),
    })
}

pub(super) fn get_mapping(n: u128, m: u128, share: &str) -> Call {
    get_mapping_at(n, m, share, 1)
}

pub(super) fn get_mapping_at(n: u128, m: u128, share: &str, level: u32) -> Call {
    Call::GetShareMapping(get_share_mapping::Request {
        shadow_copy_id: copy(m),
        shadow_copy_set_id: set(n),
        share_name: WideString::from_text(share),
        level,
    })
}

pub(super) fn delete(set: ShadowCopySetId, copy: ShadowCopyId, share: &str) -> Call {
    Call::DeleteShareMapping(delete_share_mapping::Request {
        shadow_copy_set_id: set,
        shadow_copy_id: copy,
        share_name: WideString::from_text(share),
    })
}
