//! One case file: TOML to [`Case`].

use crate::case::answer::{self, Answer, FileResult, OutCheck, OutValue, Wanted};
use crate::case::form::{
    AnswerFile, BindFile, CaseFile, ConnectionFile, ExpectFile, NameOrNumber, OutFile, StepFile,
    VerbFile, hex, hresult, read_context, read_fault,
};
use crate::case::needs::Feature;
use crate::case::{
    Action, Advance, CallTemplate, Case, ClientSpec, Expectation, FileTemplate, FileVerb, IdRef,
    MAIN_CLIENT, Place, Step, User,
};
use crate::outcome::Verdict;
use crate::requirement::{Catalogue, FileError, line_of, nearest, read_toml};
use fsrvp_wire::fsrvp::{Context, Opnum};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// `TimeOutInMilliseconds` of a call that does not say another.
const TIMEOUT_MS: u32 = 60_000;
/// How often a step may be repeated.
const REPEAT_MAX: u32 = 100;

/// Reads the case file with the id `id`; `file` is its name in errors.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub(super) fn read(
    id: &str,
    file: &str,
    text: &str,
    catalogue: &Catalogue,
) -> Result<Case, FileError> {
    let parsed: CaseFile = read_toml(file, text)?;
    let mut names = Names::new(parsed.client.keys().cloned().collect());
    let mut steps = Vec::new();
    for step in parsed.step {
        let line = line_of(text, step.span().start);
        let step = read_step(line, step.into_inner(), catalogue, &mut names)
            .map_err(|what| FileError::new(file, line, what))?;
        steps.push(step);
    }
    if let Some((name, _)) = names.sent.first_key_value() {
        let what = format!("no step takes the answer of the call {name}");
        return Err(FileError::new(file, 0, what));
    }
    if !steps.iter().any(|step| step.expect.is_some()) {
        let what = "no step has an expect: the case judges nothing";
        return Err(FileError::new(file, 0, what));
    }
    let clients: BTreeMap<_, _> = parsed
        .client
        .into_iter()
        .map(|(name, client)| (name, client.into()))
        .collect();
    let mut needs = parsed.needs;
    needs.extend(implied_needs(&steps, &clients));
    Ok(Case {
        id: id.to_owned(),
        title: parsed.title,
        why: parsed.why,
        needs,
        clients,
        steps,
    })
}

/// What placeholders, clients and waits need without saying so.
fn implied_needs(steps: &[Step], clients: &BTreeMap<String, ClientSpec>) -> BTreeSet<Feature> {
    const PLACEHOLDERS: [(&str, Feature); 9] = [
        ("{share2}", Feature::Share2),
        ("{share3}", Feature::Share3),
        ("{same_store}", Feature::SameStore),
        ("{hidden}", Feature::Hidden),
        ("{unsupported}", Feature::Unsupported),
        ("{mount_points}", Feature::MountPoints),
        ("{restricted}", Feature::Restricted),
        ("{no_defragmentation}", Feature::NoDefragmentation),
        ("{no_indexing}", Feature::NoIndexing),
    ];
    let mut needs = BTreeSet::new();
    for step in steps {
        let text = match &step.action {
            Action::Call(call) | Action::Send { call, .. } => call.share.as_str(),
            Action::File(FileTemplate {
                place: Place::Share(share),
                ..
            }) => share.as_str(),
            Action::Advance(_) => {
                needs.insert(Feature::Timers);
                ""
            }
            Action::Restart => {
                needs.insert(Feature::Restart);
                ""
            }
            Action::Backend { .. } => {
                needs.insert(Feature::Backend);
                ""
            }
            _ => "",
        };
        let used = PLACEHOLDERS
            .iter()
            .filter(|(placeholder, _)| text.contains(placeholder));
        needs.extend(used.map(|(_, feature)| *feature));
    }
    for client in clients.values() {
        match client.user {
            User::Admin => false,
            User::Plain => needs.insert(Feature::PlainUser),
            User::BackupOperator => needs.insert(Feature::BackupOperator),
        };
        if client.other_address {
            needs.insert(Feature::SecondAddress);
        }
    }
    needs
}

/// The names that steps may refer to: of clients, of what was saved before, and of calls whose
/// answers were not taken yet.
struct Names {
    clients: BTreeSet<String>,
    saved: BTreeSet<String>,
    sent: BTreeMap<String, Opnum>,
}

impl Names {
    fn new(mut clients: BTreeSet<String>) -> Names {
        clients.insert(MAIN_CLIENT.to_owned());
        Names {
            clients,
            saved: BTreeSet::new(),
            sent: BTreeMap::new(),
        }
    }

    fn client(&self, name: Option<String>) -> Result<String, String> {
        let name = name.unwrap_or_else(|| MAIN_CLIENT.to_owned());
        known("client", &name, &self.clients)?;
        Ok(name)
    }

    fn id(&self, reference: Option<String>, default: &str) -> Result<IdRef, String> {
        Ok(match reference.as_deref().unwrap_or(default) {
            "nil" => IdRef::Nil,
            "unknown" => IdRef::Unknown,
            "new" => IdRef::New,
            name => {
                known("saved id", name, &self.saved)?;
                IdRef::Saved(name.to_owned())
            }
        })
    }
}

fn known(what: &str, name: &str, names: &BTreeSet<String>) -> Result<(), String> {
    if names.contains(name) {
        return Ok(());
    }
    Err(match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("unknown {what} {name}; the nearest known one is {near}"),
        None => format!("unknown {what} {name}"),
    })
}

fn read_step(
    line: usize,
    mut step: StepFile,
    catalogue: &Catalogue,
    names: &mut Names,
) -> Result<Step, String> {
    let client = names.client(step.client.take())?;
    let repeat = match (step.repeat, step.until.take()) {
        (None, None) => None,
        (Some(times), Some(until)) if (1..=REPEAT_MAX).contains(&times) => {
            Some((times, hresult(until)?))
        }
        _ => {
            return Err(format!(
                "repeat wants a number up to {REPEAT_MAX} and until with a code"
            ));
        }
    };
    let mut save = step.save.take();
    let expect = step.expect.take();
    let action = read_action(step, names)?;
    if save.is_none()
        && let Action::Call(call) = &action
    {
        save = default_save(call.method).map(str::to_owned);
    }
    let expect = expect
        .map(|expect| read_expectation(expect, &action, catalogue))
        .transpose()?;
    names.saved.extend(save.clone());
    Ok(Step {
        line,
        client,
        action,
        save,
        repeat,
        expect,
    })
}

/// The name under which a call's answer is found when the step does not say another.
fn default_save(method: Opnum) -> Option<&'static str> {
    match method {
        Opnum::StartShadowCopySet => Some("set"),
        Opnum::AddToShadowCopySet => Some("copy"),
        Opnum::GetShareMapping => Some("mapping"),
        _ => None,
    }
}

fn read_action(mut step: StepFile, names: &mut Names) -> Result<Action, String> {
    let verbs = [
        step.call.is_some(),
        step.raw.is_some(),
        step.file.is_some(),
        step.advance_s.is_some(),
        step.connection.is_some(),
        step.restart.is_some(),
        step.answer.is_some(),
        step.backend.is_some(),
    ];
    if verbs.into_iter().filter(|is_there| *is_there).count() != 1 {
        return Err(
            "a step has exactly one of call, raw, file, advance_s, connection, restart, answer \
             and backend"
                .to_owned(),
        );
    }
    if let Some(method) = step.call.take() {
        let call = read_call(&method, &mut step, names)?;
        let background = step.background.take();
        refuse_rest(&step)?;
        return Ok(match background {
            None => Action::Call(call),
            Some(name) => {
                if names.sent.insert(name.clone(), call.method).is_some() {
                    return Err(format!("the answer of the call {name} was not taken yet"));
                }
                Action::Send { name, call }
            }
        });
    }
    if let Some(opnum) = step.raw.take() {
        let opnum = match opnum {
            NameOrNumber::Number(number) => {
                Opnum(u16::try_from(number).map_err(|_| format!("raw: {number} is above 65535"))?)
            }
            NameOrNumber::Name(name) => method(&name)?,
        };
        let stub = hex(&step.stub.take().unwrap_or_default())?;
        refuse_rest(&step)?;
        return Ok(Action::Raw { opnum, stub });
    }
    if let Some(verb) = step.file.take() {
        let file = read_file(verb, &mut step, names)?;
        refuse_rest(&step)?;
        return Ok(Action::File(file));
    }
    if let Some(seconds) = step.advance_s.take() {
        let of = step
            .of_s
            .take()
            .ok_or("advance_s wants of_s: the nominal duration of the timer")?;
        if of != 180 && of != 1800 {
            return Err(format!("of_s is {of}; the timer runs 180 or 1800 s"));
        }
        refuse_rest(&step)?;
        return Ok(Action::Advance(Advance {
            by: Duration::from_secs(seconds),
            of: Duration::from_secs(of),
        }));
    }
    if let Some(name) = step.answer.take() {
        refuse_rest(&step)?;
        let opnum = names.sent.remove(&name);
        let opnum = opnum.ok_or_else(|| format!("no call {name} is in the background"))?;
        return Ok(Action::Answer { name, opnum });
    }
    if let Some(does) = step.backend.take() {
        let work = step.at.take();
        let work = work.ok_or("backend wants at: prepare, commit, expose or removal")?;
        refuse_rest(&step)?;
        return Ok(Action::Backend { work, step: does });
    }
    refuse_rest(&step)?;
    if let Some(restart) = step.restart {
        return if restart {
            Ok(Action::Restart)
        } else {
            Err("restart is true or left out".to_owned())
        };
    }
    Ok(match step.connection {
        Some(ConnectionFile::Drop) => Action::Disconnect,
        _ => Action::Connect,
    })
}

/// Keys that are left when a step's own were taken belong to another kind of step.
fn refuse_rest(step: &StepFile) -> Result<(), String> {
    let left = [
        ("context", step.context.is_some()),
        ("set", step.set.is_some()),
        ("copy", step.copy.is_some()),
        ("client_id", step.client_id.is_some()),
        ("share", step.share.is_some()),
        ("level", step.level.is_some()),
        ("timeout_ms", step.timeout_ms.is_some()),
        ("stub", step.stub.is_some()),
        ("exposed", step.exposed.is_some()),
        ("name", step.name.is_some()),
        ("content", step.content.is_some()),
        ("holds", !step.holds.is_empty()),
        ("lacks", !step.lacks.is_empty()),
        ("handle", step.handle.is_some()),
        ("of_s", step.of_s.is_some()),
        ("background", step.background.is_some()),
        ("at", step.at.is_some()),
    ];
    match left.into_iter().find(|(_, is_left)| *is_left) {
        Some((key, _)) => Err(format!("{key} has no meaning in this kind of step")),
        None => Ok(()),
    }
}

fn read_call(name: &str, step: &mut StepFile, names: &Names) -> Result<CallTemplate, String> {
    use Opnum as M;
    let method = method(name)?;
    let has_set = !matches!(
        method,
        M::GetSupportedVersion
            | M::SetContext
            | M::StartShadowCopySet
            | M::IsPathSupported
            | M::IsPathShadowCopied
    );
    let has_copy = matches!(method, M::GetShareMapping | M::DeleteShareMapping);
    let has_client_id = matches!(method, M::StartShadowCopySet | M::AddToShadowCopySet);
    let has_share = has_copy
        || matches!(
            method,
            M::AddToShadowCopySet | M::IsPathSupported | M::IsPathShadowCopied
        );
    let has_timeout = matches!(
        method,
        M::PrepareShadowCopySet | M::CommitShadowCopySet | M::ExposeShadowCopySet
    );
    let mut call = CallTemplate {
        method,
        context: Context::CTX_BACKUP,
        set: IdRef::Nil,
        copy: IdRef::Nil,
        client_id: IdRef::New,
        share: String::new(),
        level: 1,
        timeout_ms: TIMEOUT_MS,
    };
    if method == M::SetContext {
        let context = step.context.take().ok_or("SetContext wants context")?;
        call.context = read_context(context)?;
    }
    if has_set {
        call.set = names.id(step.set.take(), "set")?;
    }
    if has_copy {
        call.copy = names.id(step.copy.take(), "copy")?;
    }
    if has_client_id {
        call.client_id = names.id(step.client_id.take(), "new")?;
    }
    if has_share {
        let default = r"\\{host}\{share}".to_owned();
        call.share = step.share.take().unwrap_or(default);
    }
    if method == M::GetShareMapping {
        call.level = step.level.take().unwrap_or(1);
    }
    if has_timeout {
        call.timeout_ms = step.timeout_ms.take().unwrap_or(TIMEOUT_MS);
    }
    Ok(call)
}

fn method(name: &str) -> Result<Opnum, String> {
    Opnum::from_name(name).ok_or_else(|| {
        let known = Opnum::ALL.iter().filter_map(|opnum| opnum.name());
        match nearest(name, known) {
            Some(near) => format!("unknown method {name}; the nearest known one is {near}"),
            None => format!("unknown method {name}"),
        }
    })
}

fn read_file(verb: VerbFile, step: &mut StepFile, names: &Names) -> Result<FileTemplate, String> {
    let verb = match verb {
        VerbFile::Connect => FileVerb::Connect,
        VerbFile::Open => FileVerb::Open,
        VerbFile::Write => FileVerb::Write,
        VerbFile::Read => FileVerb::Read,
        VerbFile::Remove => FileVerb::Remove,
        VerbFile::List => FileVerb::List,
    };
    let place = match (step.share.take(), step.exposed.take()) {
        (Some(_), Some(_)) => return Err("share and exposed exclude each other".to_owned()),
        (_, Some(copy)) => {
            known("saved id", &copy, &names.saved)?;
            Place::Exposed(copy)
        }
        (share, None) => Place::Share(share.unwrap_or_else(|| "{share}".to_owned())),
    };
    let handle = step.handle.take();
    if let Some(handle) = &handle {
        known("saved handle", handle, &names.saved)?;
    }
    let content = step.content.take();
    let name = step.name.take().unwrap_or_default();
    if matches!(verb, FileVerb::Write) && content.is_none() {
        return Err("write wants content".to_owned());
    }
    if !matches!(verb, FileVerb::Connect | FileVerb::List) && name.is_empty() && handle.is_none() {
        return Err("name is missing: the file's path inside the share".to_owned());
    }
    let is_list = matches!(verb, FileVerb::List);
    Ok(FileTemplate {
        verb,
        place,
        name,
        content,
        holds: if is_list {
            std::mem::take(&mut step.holds)
        } else {
            Vec::new()
        },
        lacks: if is_list {
            std::mem::take(&mut step.lacks)
        } else {
            Vec::new()
        },
        handle,
    })
}

fn read_expectation(
    file: ExpectFile,
    action: &Action,
    catalogue: &Catalogue,
) -> Result<Expectation, String> {
    let mut requirements: Vec<_> = file.requirement.into_iter().collect();
    requirements.extend(file.requirements);
    let Some(first) = requirements.first() else {
        return Err("expect names no requirement".to_owned());
    };
    for id in &requirements {
        if catalogue.get(id).is_none() {
            return Err(match catalogue.nearest(id) {
                Some(near) => format!("unknown requirement {id}; the nearest known one is {near}"),
                None => format!("unknown requirement {id}"),
            });
        }
    }
    let section = catalogue.get(first).map(|requirement| &requirement.section);
    let source = file
        .source
        .or_else(|| section.map(|section| format!("MS-FSRVP {section}")))
        .unwrap_or_default();
    let main = AnswerFile {
        status: file.status,
        fault: file.fault,
        bind: file.bind,
        result: file.result,
        out: file.out,
        source,
        profiles: Vec::new(),
        verdict: None,
    };
    let answers = std::iter::once(main)
        .chain(file.or)
        .map(|answer| read_answer(answer, action))
        .collect::<Result<_, _>>()?;
    Ok(Expectation {
        requirements,
        answers,
    })
}

fn read_answer(file: AnswerFile, action: &Action) -> Result<Answer, String> {
    let wanted = match (file.status, file.fault, file.bind, file.result) {
        (Some(status), None, None, None) => Wanted::Status(hresult(status)?),
        (None, Some(fault), None, None) => Wanted::Fault(read_fault(fault)?),
        (None, None, Some(bind), None) => Wanted::Bind(matches!(bind, BindFile::Accepted)),
        (None, None, None, Some(word)) => {
            let result = FileResult::WORDS.iter().find(|(known, _)| *known == word);
            let (_, result) = result.ok_or_else(|| format!("unknown result {word}"))?;
            Wanted::File(*result)
        }
        _ => return Err("an answer has exactly one of status, fault, bind and result".to_owned()),
    };
    let fits = match wanted {
        Wanted::Status(_) | Wanted::Fault(_) => {
            matches!(
                action,
                Action::Call(_) | Action::Raw { .. } | Action::Answer { .. }
            )
        }
        // A call binds where that was not done yet.
        Wanted::Bind(false) => matches!(action, Action::Connect | Action::Call(_)),
        Wanted::Bind(true) => matches!(action, Action::Connect),
        Wanted::File(_) => matches!(action, Action::File(_)),
    };
    if !fits {
        return Err(format!("{wanted} cannot come of this kind of step"));
    }
    let verdict = match file.verdict {
        None => Verdict::Pass,
        Some(word) => match Verdict::from_word(&word) {
            Some(verdict @ (Verdict::Pass | Verdict::Info | Verdict::NonStrict)) => verdict,
            _ => return Err(format!("verdict is pass, info or non-strict, not {word}")),
        },
    };
    Ok(Answer {
        wanted,
        out: read_out(file.out, action)?,
        source: file.source,
        profiles: file.profiles,
        verdict,
    })
}

fn read_out(file: BTreeMap<String, OutFile>, action: &Action) -> Result<Vec<OutCheck>, String> {
    let parameters = match action {
        Action::Call(call) => answer::out_parameters(call.method),
        Action::Answer { opnum, .. } => answer::out_parameters(*opnum),
        _ => &[],
    };
    file.into_iter()
        .map(|(parameter, value)| {
            if !parameters.contains(&parameter.as_str()) {
                return Err(match nearest(&parameter, parameters.iter().copied()) {
                    Some(near) => {
                        format!(
                            "unknown out parameter {parameter}; the nearest known one is {near}"
                        )
                    }
                    None => format!("{parameter}: the method has no such out parameter"),
                });
            }
            let any_of = match value {
                OutFile::Number(number) => vec![OutValue::Number(number)],
                OutFile::Word(word) => vec![OutValue::from_word(&word)],
                OutFile::AnyOf(words) => {
                    words.iter().map(|word| OutValue::from_word(word)).collect()
                }
            };
            Ok(OutCheck { parameter, any_of })
        })
        .collect()
}
