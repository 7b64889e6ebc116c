//! A lifecycle as a case file.

use crate::case::{
    Action, Answer, CallTemplate, Case, ClientSpec, Expectation, FileResult, FileTemplate,
    FileVerb, IdRef, MAIN_CLIENT, OutCheck, OutValue, Place, Step, User, Wanted,
};
use fsrvp_wire::fsrvp::{Hresult, Opnum};
use std::fmt::Write as _;

/// The text of the case file.
#[must_use]
pub fn case_file(case: &Case) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "title = {}", quoted(&case.title));
    if let Some(why) = &case.why {
        let _ = writeln!(text, "why = {}", quoted(why));
    }
    for (name, spec) in &case.clients {
        let _ = write!(text, "\n[client.{name}]\n{}", client(spec));
    }
    for step in &case.steps {
        let _ = write!(text, "\n[[step]]\n{}", step_text(step));
    }
    text
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn client(spec: &ClientSpec) -> String {
    let mut text = String::new();
    text += match spec.user {
        User::Admin => "",
        User::Plain => "user = \"plain\"\n",
        User::BackupOperator => "user = \"backup-operator\"\n",
    };
    if let Some(level) = spec.rpc {
        let _ = writeln!(text, "rpc = \"{}\"", level.as_str());
    }
    if spec.raw_ntlm {
        text += "raw_ntlm = true\n";
    }
    if let Some(auth_type) = spec.auth_type {
        let _ = writeln!(text, "auth_type = {auth_type}");
    }
    if spec.other_address {
        text += "other_address = true\n";
    }
    text
}

fn step_text(step: &Step) -> String {
    let mut text = String::new();
    if step.client != MAIN_CLIENT {
        let _ = writeln!(text, "client = {}", quoted(&step.client));
    }
    text += &match &step.action {
        Action::Call(template) => call(template),
        Action::Raw { opnum, stub } => raw(*opnum, stub),
        Action::File(template) => file(template),
        Action::Advance(advance) => format!(
            "advance_s = {}\nof_s = {}\n",
            advance.by.as_secs(),
            advance.of.as_secs()
        ),
        Action::Connect => "connection = \"open\"\n".to_owned(),
        Action::Disconnect => "connection = \"drop\"\n".to_owned(),
        Action::Send { name, call: sent } => {
            format!("{}background = {}\n", call(sent), quoted(name))
        }
        Action::Answer { name, .. } => format!("answer = {}\n", quoted(name)),
        Action::Backend { work, step } => {
            format!(
                "backend = \"{}\"\nat = \"{}\"\n",
                step.as_str(),
                work.as_str()
            )
        }
        Action::Restart => "restart = true\n".to_owned(),
    };
    if let Some(save) = &step.save {
        let _ = writeln!(text, "save = {}", quoted(save));
    }
    if let Some(expect) = &step.expect {
        text += &expectation(expect);
    }
    text
}

fn id(reference: &IdRef) -> String {
    quoted(match reference {
        IdRef::Saved(name) => name,
        IdRef::Nil => "nil",
        IdRef::Unknown => "unknown",
        IdRef::New => "new",
    })
}

/// Only the arguments that the method has: others are an error of a case file.
fn call(call: &CallTemplate) -> String {
    use Opnum as M;
    let method = call.method;
    let mut text = format!("call = \"{}\"\n", method.name().unwrap_or_default());
    let has_copy = matches!(method, M::GetShareMapping | M::DeleteShareMapping);
    let queries = matches!(method, M::IsPathSupported | M::IsPathShadowCopied);
    let begins = matches!(
        method,
        M::GetSupportedVersion | M::SetContext | M::StartShadowCopySet
    );
    if method == M::SetContext {
        let context = match call.context.name() {
            Some(name) => quoted(&name),
            None => format!("{:#010x}", call.context.0),
        };
        let _ = writeln!(text, "context = {context}");
    }
    if !queries && !begins {
        let _ = writeln!(text, "set = {}", id(&call.set));
    }
    if has_copy {
        let _ = writeln!(text, "copy = {}", id(&call.copy));
    }
    if matches!(method, M::StartShadowCopySet | M::AddToShadowCopySet)
        && call.client_id != IdRef::New
    {
        let _ = writeln!(text, "client_id = {}", id(&call.client_id));
    }
    if has_copy || queries || method == M::AddToShadowCopySet {
        let _ = writeln!(text, "share = {}", quoted(&call.share));
    }
    if method == M::GetShareMapping && call.level != 1 {
        let _ = writeln!(text, "level = {}", call.level);
    }
    let waits = matches!(
        method,
        M::PrepareShadowCopySet | M::CommitShadowCopySet | M::ExposeShadowCopySet
    );
    if waits && call.timeout_ms != 60_000 {
        let _ = writeln!(text, "timeout_ms = {}", call.timeout_ms);
    }
    text
}

fn raw(opnum: Opnum, stub: &[u8]) -> String {
    let method = opnum
        .name()
        .map_or_else(|| opnum.0.to_string(), |name| format!("\"{name}\""));
    let digits: String = stub.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("raw = {method}\nstub = \"{digits}\"\n")
}

fn file(file: &FileTemplate) -> String {
    let verb = match file.verb {
        FileVerb::Connect => "connect",
        FileVerb::Open => "open",
        FileVerb::Write => "write",
        FileVerb::Read => "read",
        FileVerb::Remove => "remove",
        FileVerb::List => "list",
    };
    let mut text = format!("file = \"{verb}\"\n");
    let _ = match &file.place {
        Place::Share(share) => writeln!(text, "share = {}", quoted(share)),
        Place::Exposed(copy) => writeln!(text, "exposed = {}", quoted(copy)),
    };
    if !file.name.is_empty() {
        let _ = writeln!(text, "name = {}", quoted(&file.name));
    }
    if let Some(content) = &file.content {
        let _ = writeln!(text, "content = {}", quoted(content));
    }
    text
}

fn expectation(expect: &Expectation) -> String {
    let ids: Vec<String> = expect.requirements.iter().map(|id| quoted(&id.0)).collect();
    let mut text = format!("[step.expect]\nrequirements = [{}]\n", ids.join(", "));
    let Some((first, others)) = expect.answers.split_first() else {
        return text;
    };
    let _ = writeln!(text, "{}", answer(first).join("\n"));
    if !others.is_empty() {
        let others: Vec<String> = others
            .iter()
            .map(|other| {
                let mut keys = answer(other);
                keys.push(format!("source = {}", quoted(&other.source)));
                format!("    {{ {} }},\n", keys.join(", "))
            })
            .collect();
        let _ = writeln!(text, "or = [\n{}]", others.concat());
    }
    text
}

fn answer(answer: &Answer) -> Vec<String> {
    let mut keys = vec![match answer.wanted {
        Wanted::Status(code) => format!("status = {}", code_text(code)),
        Wanted::Fault(code) => format!("fault = {code:#010x}"),
        Wanted::Bind(accepted) => {
            let word = if accepted { "accepted" } else { "refused" };
            format!("bind = \"{word}\"")
        }
        Wanted::File(result) => {
            let mut words = FileResult::WORDS.iter();
            let word = words.find(|(_, other)| *other == result);
            format!("result = \"{}\"", word.map_or("", |(word, _)| word))
        }
    }];
    if !answer.out.is_empty() {
        let checks: Vec<String> = answer.out.iter().map(out_check).collect();
        keys.push(format!("out = {{ {} }}", checks.join(", ")));
    }
    keys
}

fn code_text(code: Hresult) -> String {
    code.name()
        .map_or_else(|| format!("{:#010x}", code.0), |name| format!("\"{name}\""))
}

fn out_check(check: &OutCheck) -> String {
    let words: Vec<String> = check.any_of.iter().map(out_word).collect();
    match words.as_slice() {
        [one] => format!("{} = {one}", check.parameter),
        many => format!("{} = [{}]", check.parameter, many.join(", ")),
    }
}

fn out_word(value: &OutValue) -> String {
    let word = match value {
        OutValue::Zero => "zero".to_owned(),
        OutValue::NonZero => "non-zero".to_owned(),
        OutValue::New => "new".to_owned(),
        OutValue::Recent => "recent".to_owned(),
        OutValue::ExposedName => "exposed-name".to_owned(),
        OutValue::ExposedNameHere => "exposed-name-here".to_owned(),
        OutValue::ExposedNameHidden => "exposed-name$".to_owned(),
        OutValue::Saved(name) => format!("saved {name}"),
        OutValue::Same(name) => format!("same {name}"),
        OutValue::UpTo(number) => format!("up-to {number}"),
        OutValue::Bits(number) => format!("bits {number}"),
        OutValue::Number(number) => return number.to_string(),
        OutValue::Text(text) => text.clone(),
    };
    quoted(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Library;
    use crate::generate::{Stage, lifecycle};
    use crate::outcome::Verdict;
    use crate::requirement::RequirementId;

    /// Every lifecycle can be kept: its file reads, and says the same.
    #[test]
    fn a_case_file_of_a_lifecycle_reads_as_the_same_steps() {
        let library = Library::built_in().expect("it reads");
        let stage = Stage::full();
        for n in 0..300 {
            let mut life = lifecycle(3, n, &stage);
            let Some(at) = life
                .steps
                .iter()
                .rposition(|step| matches!(step.action, Action::Call(_)))
            else {
                continue;
            };
            let answer = |code, out: Vec<OutCheck>| Answer {
                wanted: Wanted::Status(code),
                out,
                source: "MS-FSRVP 3.1.4.4".to_owned(),
                profiles: Vec::new(),
                verdict: Verdict::Pass,
            };
            life.steps[at].expect = Some(Expectation {
                requirements: vec![RequirementId("FSRVP-3.1.4.4-14".to_owned())],
                answers: vec![
                    answer(Hresult::FSRVP_E_BAD_STATE, Vec::new()),
                    answer(Hresult(0x8765_4321), Vec::new()),
                ],
            });
            let text = case_file(&life);
            let read = library
                .read_case(&life.id, "generated.toml", &text)
                .unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert_eq!(read.clients, life.clients, "{text}");
            assert_eq!(read.steps.len(), life.steps.len(), "{text}");
            for (read, step) in read.steps.iter().zip(&life.steps) {
                assert_eq!(read.client, step.client, "{text}");
                assert_eq!(read.action, step.action, "{text}");
                assert_eq!(read.save, step.save, "{text}");
            }
            let expected = |case: &Case| {
                let expect = case.steps[at].expect.clone();
                expect.map(|expect| expect.answers.len())
            };
            assert_eq!(expected(&read), Some(2), "{text}");
        }
    }
}
