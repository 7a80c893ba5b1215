//! A disk without space: writes are refused and say so, reading goes on, nothing acknowledged is lost, and writing resumes
//! by itself. The disk is a small file system in a namespace of its own, so that nobody else runs out of space.

use super::{Acknowledged, bench, check, start};
use daodb_sqltests::left_out;
use daodb_storage::Location;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

const SUITE: &str = "full disk";
/// So much that the writers do not fill it by themselves while nobody listens.
const SIZE: &str = "256m";
const PATIENCE: Duration = Duration::from_secs(60);

struct Writers {
    shell: Child,
    lines: Receiver<String>,
    /// The small disk, as seen from here.
    disk: PathBuf,
    acknowledged: Acknowledged,
    /// SQLSTATEs of refusals since it was last asked for.
    refused: Vec<String>,
    /// Transactions that were last read.
    read: usize,
}

impl Drop for Writers {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// None: this machine lets nobody make a file system.
fn writers(at: &Path) -> Option<Writers> {
    let script = "mount -t tmpfs -o size=$0 none \"$1\" && echo mounted && shift && \
                  { \"$@\" & writers=$!; trap 'kill -9 $writers' EXIT; wait; sleep 600; }";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", script, SIZE]).arg(at);
    command.arg(bench()).args(["writers"]).arg(at).arg("--go-on");
    let spawned = command.get_program().to_owned();
    if Command::new(&spawned).arg("--version").output().is_err() {
        left_out(SUITE, "there is no program unshare");
        return None;
    }
    let mut shell = start(command);
    let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
    if lines.next().and_then(Result::ok).as_deref() != Some("mounted") {
        let output = shell.wait_with_output().unwrap();
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        left_out(SUITE, &format!("no file system can be mounted here: {why}"));
        return None;
    }
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|l| sender.send(l)));
    let disk = Path::new("/proc").join(shell.id().to_string()).join("root");
    let disk = disk.join(at.strip_prefix("/").unwrap());
    let acknowledged = Acknowledged::default();
    Some(Writers { shell, lines: receiver, disk, acknowledged, refused: Vec::new(), read: 0 })
}

impl Writers {
    fn hear(&mut self, patience: Duration) -> bool {
        let Ok(line) = self.lines.recv_timeout(patience) else { return false };
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["refused", state, ..] => self.refused.push(state.to_owned()),
            ["read", count] => self.read = count.parse().unwrap(),
            _ => assert!(self.acknowledged.hear(&line), "{line}"),
        }
        true
    }

    fn hear_until(&mut self, what: &str, there: impl Fn(&Writers) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !there(self) {
            assert!(self.hear(PATIENCE) && Instant::now() < until, "waiting for {what}");
        }
    }
}

/// Takes all that is left.
fn fill(disk: &Path) -> PathBuf {
    let path = disk.join("ballast");
    let mut file = File::create(&path).unwrap();
    for block in [vec![0; 64 << 10], vec![0; 512]] {
        while file.write_all(&block).is_ok() {}
    }
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut writers) = writers(dir.path()) else { return };
    for round in 0..3 {
        let before = writers.acknowledged.0.len();
        writers.hear_until("writes", |w| w.acknowledged.0.len() > before + 100);
        let ballast = fill(&writers.disk);
        writers.refused.clear();
        writers.hear_until("refusals", |w| w.refused.len() > 50);
        // Of 16 writers each has been refused by now: what was acknowledged is all there is, and it is read.
        let known = writers.acknowledged.0.len();
        writers.hear_until("reads", |w| w.read >= known);
        let states: std::collections::BTreeSet<_> = writers.refused.drain(..).collect();
        assert!(states.contains("53100"), "round {round}: {states:?}");
        std::fs::remove_file(ballast).unwrap();
        let before = writers.acknowledged.0.len();
        writers.hear_until("writes after it", |w| w.acknowledged.0.len() > before + 100);
    }
    // A copy of what lies there at one moment, while writing goes on: the objects of the log are whole or not there.
    let copy = tempfile::tempdir().unwrap();
    let kill =
        Command::new("pkill").args(["-9", "-P"]).arg(writers.shell.id().to_string()).status();
    assert!(kill.unwrap().success(), "the writers are killed");
    while writers.hear(Duration::from_millis(500)) {}
    let from = writers.disk.join(".");
    let copied = Command::new("cp").arg("-r").arg(from).arg(copy.path()).status().unwrap();
    assert!(copied.success());
    let known = std::mem::take(&mut writers.acknowledged);
    drop(writers);
    check(&Location::folder(copy.path()), &known).await;
}
