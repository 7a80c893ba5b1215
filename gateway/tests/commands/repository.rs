//! Git repositories for the tests, made by the `git` program.

use super::program::is_there;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `git`, apart from the settings of whoever runs the test.
pub fn git(dir: &Path, arguments: &[&str], seconds: i64) -> String {
    let date = format!("@{seconds} +0000");
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).args(arguments).stdin(Stdio::null());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    for (name, value) in [("NAME", "Ada L'Ovelace"), ("EMAIL", "ada@test.example"), ("DATE", &date)]
    {
        command.env(format!("GIT_AUTHOR_{name}"), value);
        command.env(format!("GIT_COMMITTER_{name}"), value);
    }
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An empty repository in `dir`; false, loudly, where there is no `git` program.
pub fn init(dir: &Path, suite: &str) -> bool {
    if !is_there("git", suite) {
        return false;
    }
    git(dir, &["init", "-q", "-b", "main"], 0);
    // The databases of the tests lie in the repository's folder and are no part of it.
    std::fs::write(dir.join(".git/info/exclude"), "data/\n").unwrap();
    true
}

/// Writes a file (None: deletes it) and commits.
pub fn commit(dir: &Path, path: &str, content: Option<&str>, seconds: i64) {
    let full = dir.join(path);
    match content {
        Some(content) => {
            std::fs::create_dir_all(full.parent().unwrap()).unwrap();
            std::fs::write(&full, content).unwrap();
        }
        None => std::fs::remove_file(&full).unwrap(),
    }
    git(dir, &["add", "-A"], seconds);
    git(dir, &["commit", "-q", "-m", &format!("change {path}")], seconds);
}
