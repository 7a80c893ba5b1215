//! Plans of a repository with everything odd in it, replayed and compared with what the `git` program says.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::super::plan::{Commit, CommitPlan, File};
use super::{Reader, path_text};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

type Tree = BTreeMap<String, (String, String)>;

/// None, loudly, where there is no `git` program; a failure where `CI` is set.
fn git(dir: &Path, args: &[&str], input: &str) -> Option<Vec<u8>> {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(e) => {
            assert!(std::env::var_os("CI").is_none(), "no git program: {e}");
            let line =
                format!("\nLEFT OUT: no git program ({e}): plans are not compared with it\n");
            // Not eprintln: the test harness would swallow it.
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        }
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git {args:?}");
    Some(output.stdout)
}

/// One commit of a `git fast-import` stream.
fn commit(mark: u32, seconds: i64, parents: &[u32], files: &[&str]) -> String {
    let who = format!("A <a@b> {seconds} +0000");
    let mut out = format!("commit refs/heads/main\nmark :{mark}\nauthor {who}\ncommitter {who}\n");
    out.push_str(&format!("data <<END\nmessage {mark}\nEND\n"));
    for (i, parent) in parents.iter().enumerate() {
        out.push_str(&format!("{} :{parent}\n", if i == 0 { "from" } else { "merge" }));
    }
    out + &files.join("\n") + "\n\n"
}

const SUBMODULE: &str = "0123456789012345678901234567890123456789";

/// 1 - 2 - 6 - 7 - 8 the chain; 3 - 4 and 5 are brought in by the merges 6 and 7.
fn odd_repository() -> String {
    let link = format!("M 160000 {SUBMODULE} modules/one");
    let blobs = "blob\nmark :90\ndata 7\none\ntwo\nblob\nmark :91\ndata 4\na\0b\n\
                 blob\nmark :92\ndata 5\nthree\n";
    let commits = [
        commit(1, 1000, &[], &["M 100644 :90 a", "M 100755 :91 bin", "M 120000 :92 link", &link]),
        commit(
            2,
            2000,
            &[1],
            &[
                r#"M 100644 :90 "a\377b""#,
                r#"M 100644 :90 "\"quoted\" \\ name""#,
                r#"M 100644 :90 "new\nline""#,
                r#"M 100644 :90 "\"a\\377b\"""#,
                "M 100644 :92 größe/ß.txt",
                "M 100644 :90 d/x/y",
            ],
        ),
        commit(3, 1500, &[1], &["M 100644 :92 side"]),
        commit(4, 500, &[3], &["M 100755 :92 side"]),
        commit(5, 2500, &[2], &["M 100644 :90 other"]),
        // A folder becomes a file, a file a folder, a submodule a file; the clock runs backwards.
        commit(
            6,
            1200,
            &[2, 4],
            &["D d", "M 100644 :90 d", "D a", "M 100644 :92 a/b/c", "M 100755 :92 side"],
        ),
        commit(
            7,
            3000,
            &[6, 5, 3],
            &["M 100644 :90 other", "D modules/one", "M 100644 :91 modules/one"],
        ),
        commit(
            8,
            4000,
            &[7],
            &["D d", "M 100644 :90 d/x/y", "D link", &format!("M 160000 {SUBMODULE} a")],
        ),
    ];
    blobs.to_owned() + &commits.concat() + "done\n"
}

fn replay(tree: &mut Tree, plan: &CommitPlan) {
    for change in &plan.changes {
        match &change.file {
            Some(File { mode, blob, .. }) => {
                tree.insert(change.path.clone(), (mode.to_string(), blob.clone()));
            }
            None => {
                assert!(tree.remove(&change.path).is_some(), "{} was not there", change.path);
            }
        }
    }
}

fn ls_tree(dir: &Path, sha: &str) -> Option<Tree> {
    let out = git(dir, &["ls-tree", "-r", "-z", sha], "")?;
    let lines = out.split(|b| *b == 0).filter(|line| !line.is_empty());
    Some(
        lines
            .map(|line| {
                let tab = line.iter().position(|b| *b == b'\t').unwrap();
                let head: Vec<&str> =
                    std::str::from_utf8(&line[..tab]).unwrap().split(' ').collect();
                (path_text(&line[tab + 1..]).into_owned(), (head[0].to_owned(), head[2].to_owned()))
            })
            .collect(),
    )
}

#[test]
fn plans_replay_to_what_ls_tree_prints() {
    let dir = tempfile::tempdir().unwrap();
    if git(dir.path(), &["init", "-q", "--bare", "-b", "main"], "").is_none() {
        return;
    }
    git(dir.path(), &["fast-import", "--quiet", "--done"], &odd_repository()).unwrap();

    let mut reader = Reader::open(dir.path(), [""; 0]).unwrap();
    let chain = reader.chain(None).unwrap();
    assert_eq!(chain.len(), 5);
    let mut tree = Tree::new();
    let mut plans = Vec::new();
    for id in &chain {
        let plan = reader.plan(*id).unwrap();
        replay(&mut tree, &plan);
        assert_eq!(
            Some(&tree),
            ls_tree(dir.path(), &id.to_string()).as_ref(),
            "{}",
            plan.commit.message
        );
        plans.push(plan);
    }
    brought_by_merges(&plans);
    measures(&plans);
    resumes(dir.path(), &plans);
}

fn brought_by_merges(plans: &[CommitPlan]) {
    let names = |commits: &[Commit]| commits.iter().map(|c| c.message.clone()).collect::<Vec<_>>();
    assert_eq!(names(&plans[2].brought), ["message 3", "message 4"]);
    assert_eq!(names(&plans[3].brought), ["message 5"]);
    assert_eq!(plans[3].commit.parents.len(), 3);
    assert_eq!(plans[2].brought[1].parents, [plans[2].brought[0].sha.clone()]);
}

fn measures(plans: &[CommitPlan]) {
    let file = |plan: usize, path: &str| {
        let change = plans[plan].changes.iter().find(|c| c.path == path);
        let file = change.unwrap_or_else(|| panic!("{path}")).file.clone().unwrap();
        (file.size, file.lines)
    };
    assert_eq!(file(0, "a"), (Some(7), Some(2)));
    assert_eq!(file(0, "bin"), (Some(4), None));
    assert_eq!(file(0, "link"), (Some(5), Some(1)));
    assert_eq!(file(0, "modules/one"), (None, None));
}

/// A second reader goes on where the first was; another history is told apart.
fn resumes(dir: &Path, plans: &[CommitPlan]) {
    let seen = &plans[..3];
    let imported = seen.iter().flat_map(|p| p.brought.iter().chain([&p.commit])).map(|c| &c.sha);
    let mut reader = Reader::open(dir, imported).unwrap();
    let rest = reader.chain(Some(&seen[2].commit.sha)).unwrap();
    let again: Vec<_> = rest.iter().map(|id| reader.plan(*id).unwrap()).collect();
    assert_eq!(again, plans[3..]);
    assert!(reader.chain(Some(&plans[4].commit.sha)).unwrap().is_empty());

    let stranger = reader.chain(Some(&plans[2].brought[0].sha)).unwrap_err();
    assert!(stranger.message.contains("not among the first parents"), "{stranger}");
}

#[test]
fn a_folder_that_is_no_repository() {
    let dir = tempfile::tempdir().unwrap();
    let error = Reader::open(dir.path(), [""; 0]).err().unwrap();
    assert!(error.message.contains("is not a git repository"), "{error}");
}
