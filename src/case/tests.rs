use super::*;
use crate::requirement::Catalogue;

fn read(text: &str) -> Result<Case, String> {
    let catalogue = Catalogue::built_in().expect("the catalogue reads");
    file::read("t/c", "cases/t/c.toml", text, &catalogue).map_err(|error| error.to_string())
}

const HEAD: &str = "title = \"t\"\n[[step]]\ncall = \"SetContext\"\ncontext = 1\n";

#[test]
fn the_built_in_cases_read_and_have_titles() {
    let library = Library::built_in().expect("they read");
    assert!(!library.cases.is_empty());
    assert!(library.cases.iter().all(|case| !case.title.is_empty()));
}

#[test]
fn the_built_in_lists_of_known_deviations_read() {
    let library = Library::built_in().expect("it reads");
    let lists = crate::requirement::embedded::FILES
        .iter()
        .filter_map(|(path, _)| {
            path.strip_prefix("known/")
                .and_then(|name| name.strip_suffix(".toml"))
        });
    for list in lists {
        let known = library.known(list, std::path::Path::new("/"));
        known.unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn the_target_files_that_come_along_read() {
    let library = Library::built_in().expect("they read");
    let mut read = 0;
    for (path, text) in crate::requirement::embedded::FILES {
        if !path.starts_with("targets/") {
            continue;
        }
        let password = |_: &str| Some("from the environment".to_owned());
        let file = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        let target = Target::read(std::path::Path::new(path), text, &password, &file);
        let target = target.unwrap_or_else(|error| panic!("{error}"));
        if let Some(list) = &target.known {
            let known = library.known(list, std::path::Path::new("/"));
            assert!(
                !known
                    .unwrap_or_else(|error| panic!("{error}"))
                    .entries()
                    .is_empty()
            );
        }
        read += 1;
    }
    assert!(read > 0, "no target file is built in");
}

#[test]
fn mistakes_are_named_with_their_line() {
    let expect = "expect = { requirement = \"FSRVP-3.1.4.2-02\", status = \"E_INVALIDARG\" }\n";
    for (text, error) in [
        (
            "title = \"x\"\n\nfrobnicate = 1\nstep = []\n".to_owned(),
            "cases/t/c.toml line 3: unknown key frobnicate",
        ),
        (HEAD.to_owned(), "no step has an expect"),
        (
            format!("{HEAD}expect = {{ requirement = \"FSRVP-9\", status = \"ZERO\" }}\n"),
            "unknown requirement FSRVP-9",
        ),
        (
            format!("{HEAD}expect = {{ status = \"ZERO\" }}\n"),
            "expect names no requirement",
        ),
        (
            format!("{HEAD}{}", expect.replace("E_INVALIDARG", "E_INVALID")),
            "cases/t/c.toml line 2: unknown code E_INVALID; the nearest known one is E_INVALIDARG",
        ),
        (
            format!("{HEAD}level = 3\n{expect}"),
            "level has no meaning in this kind of step",
        ),
        (
            format!("{HEAD}{expect}[[step]]\ncall = \"AbortShadowCopySet\"\n"),
            "unknown saved id set",
        ),
        (
            format!("{HEAD}client = \"eve\"\n{expect}"),
            "unknown client eve",
        ),
        (
            format!(
                "{HEAD}{}",
                expect
                    .replace("status", "result")
                    .replace("E_INVALIDARG", "done")
            ),
            "done cannot come of this kind of step",
        ),
        (
            format!("{HEAD}{expect}[[step]]\nrestart = false\n"),
            "restart is true or left out",
        ),
        (
            format!("{HEAD}{expect}[[step]]\nrestart = true\nname = \"x\"\n"),
            "name has no meaning in this kind of step",
        ),
        (
            format!("{HEAD}{expect}[[step]]\nbackend = \"fails\"\n"),
            "backend wants at: prepare, commit, expose or removal",
        ),
        (
            format!("{HEAD}{expect}[[step]]\nbackend = \"breaks\"\nat = \"commit\"\n"),
            "line 7: unknown value breaks; the nearest known one is works",
        ),
        (
            format!("{HEAD}{expect}[[step]]\nanswer = \"first\"\n"),
            "no call first is in the background",
        ),
        (
            format!("{HEAD}background = \"first\"\n"),
            "no step takes the answer of the call first",
        ),
        (
            format!(
                "{HEAD}background = \"first\"\n[[step]]\ncall = \"GetSupportedVersion\"\n\
                 background = \"first\"\n"
            ),
            "the answer of the call first was not taken yet",
        ),
        (
            format!("{HEAD}background = \"first\"\n{expect}"),
            "E_INVALIDARG (0x80070057) cannot come of this kind of step",
        ),
    ] {
        let got = read(&text).expect_err(error);
        assert!(got.contains(error), "{error:?} is not in {got:?}");
    }
}

#[test]
fn what_a_step_uses_is_needed() {
    let text = format!(
        "{HEAD}[client.eve]\nuser = \"plain\"\n[[step]]\ncall = \"IsPathSupported\"\n\
         share = '\\\\{{host}}\\{{same_store}}'\n\
         expect = {{ requirement = \"FSRVP-3.1.4.9-01\", status = \"ZERO\" }}\n\
         [[step]]\nadvance_s = 181\nof_s = 180\n[[step]]\nrestart = true\n"
    );
    let case = read(&text).expect("it reads");
    let wanted = [
        Feature::SameStore,
        Feature::PlainUser,
        Feature::Timers,
        Feature::Restart,
    ];
    assert_eq!(case.needs, wanted.into_iter().collect());
}

#[test]
fn a_filter_must_match_in_all_words_and_any_part_of_a_word() {
    let catalogue = Catalogue::built_in().expect("it reads");
    let expect = "expect = { requirement = \"FSRVP-3.1.4.2-02\", status = \"ZERO\" }\n";
    let case = read(&format!("{HEAD}{expect}")).expect("it reads");
    let selects = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Filter::new(&words).selects(&case, &catalogue)
    };
    for yes in [
        &["t"][..],
        &["3.1.4.2"],
        &["MUST", "SetContext"],
        &["nope,setcontext"],
        &[],
    ] {
        assert!(selects(yes), "{yes:?}");
    }
    for no in [
        &["3.1.4.20"][..],
        &["MUST", "nope"],
        &["MAY"],
        &["AbortShadowCopySet"],
    ] {
        assert!(!selects(no), "{no:?}");
    }
}

#[test]
fn a_list_goes_on_from_another_one() {
    let library = Library::built_in().expect("it reads");
    let known = |name: &str| library.known(name, std::path::Path::new("/"));
    let of_samba = known("samba-4.17").expect("it reads");
    let on_btrfs = known("samba-4.17-btrfs").expect("it reads");
    let about = |list: &KnownDeviations, id: &str, case: &str| {
        let ids = [RequirementId(id.to_owned())];
        let found = list.find(case, &ids, None, "done");
        found.is_some()
    };
    for (id, case, of_both, here) in [
        ("FSRVP-2.2.2.1-01", "lifecycle/any", true, false),
        ("FSRVP-3.1.4.7-10", "lifecycle/any", true, false),
        ("FSRVP-3.1.4.7-10", "auto-recovery/any", true, true),
    ] {
        assert_eq!(about(&of_samba, id, case), of_both, "{id} {case}");
        assert_eq!(about(&on_btrfs, id, case), here, "{id} {case}");
    }
    assert_eq!(
        on_btrfs.entries().len() + 1,
        of_samba.entries().len(),
        "two are left away and one is new"
    );
    assert!(on_btrfs.timers_unsettle(), "what unsettles holds as well");
}

#[test]
fn a_list_that_goes_on_from_another_one_names_what_is_there() {
    let library = Library::built_in().expect("it reads");
    let dir = tempfile::tempdir().expect("a directory");
    for (text, what) in [
        (
            "extends = \"samba-4.17\"\nwithout = [\"FSRVP-1.9-01\"]",
            "without: samba-4.17 has no entry about FSRVP-1.9-01",
        ),
        (
            "extends = \"samba-4.17-btrfs\"",
            "extends: samba-4.17-btrfs itself extends another list",
        ),
        ("without = []\nextends = \"nobody\"", "nobody"),
        (
            "without = [\"FSRVP-1.9-01\"]",
            "list.toml line 2: without is only there beside extends",
        ),
    ] {
        let path = dir.path().join("list.toml");
        std::fs::write(&path, format!("target = \"x\"\n{text}\n")).expect("written");
        let error = library.known("list.toml", dir.path()).expect_err(what);
        assert!(error.to_string().contains(what), "{error}");
    }
}
