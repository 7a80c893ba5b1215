//! A PostgreSQL of the test's own: in a folder of its own, on a free port, gone with the test.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub struct Postgres {
    pub port: u16,
    folder: tempfile::TempDir,
    programs: PathBuf,
}

/// Where PostgreSQL 15's own programs are; they are on nobody's path in Debian.
pub fn programs() -> Option<PathBuf> {
    let mut places = vec![PathBuf::from("/usr/lib/postgresql/15/bin")];
    places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    places.into_iter().find(|p| is_15(&p.join("postgres")))
}

fn is_15(postgres: &Path) -> bool {
    let asked = Command::new(postgres).arg("--version").output();
    asked.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains(" 15."))
}

/// PostgreSQL refuses to run as root: then it runs as the user `postgres` that its package made.
fn command(program: &Path) -> Command {
    let root = std::fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0);
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

fn run(command: &mut Command) -> Result<Output, String> {
    let done = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    match done.status.success() {
        true => Ok(done),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr))),
    }
}

impl Postgres {
    /// With the database `test` of the superuser `tester`, filled by a script. Its disk is not synced.
    pub fn start(programs: PathBuf, script: &Path) -> Result<Postgres, String> {
        let postgres = Postgres::empty(programs, false)?;
        postgres.fill(script)?;
        Ok(postgres)
    }

    /// Without a database of its own; `fsync`: what it acknowledges is on the disk.
    pub fn empty(programs: PathBuf, fsync: bool) -> Result<Postgres, String> {
        let folder = tempfile::Builder::new().prefix("daodb-postgres").tempdir();
        let folder = folder.map_err(|e| e.to_string())?;
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open).map_err(|e| e.to_string())?;
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        let port = port.map_err(|e| e.to_string())?.port();
        let data = folder.path().join("data");
        let args = ["-U", "tester", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"];
        run(command(&programs.join("initdb")).args(args).arg(&data))?;
        let options = format!(
            "-p {port} -k {} -c listen_addresses=127.0.0.1 -c fsync={fsync} -c timezone=UTC",
            folder.path().display()
        );
        let log = folder.path().join("log");
        let mut start = command(&programs.join("pg_ctl"));
        start.arg("-D").arg(&data).arg("-l").arg(&log).args(["-o", &options, "-w", "start"]);
        // Its output would be held open by the server, so it is not read.
        start.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let started = start.status().map_err(|e| e.to_string())?;
        if !started.success() {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(format!("PostgreSQL did not start: {log}"));
        }
        Ok(Postgres { port, folder, programs })
    }

    fn fill(&self, script: &Path) -> Result<(), String> {
        let port = self.port.to_string();
        let psql = |database: &str| {
            let mut psql = Command::new("psql");
            psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "tester"]);
            psql.args(["-p", &port, "-d", database]);
            psql
        };
        run(psql("postgres").args(["-c", "CREATE DATABASE test"]))?;
        run(psql("test").arg("-f").arg(script))?;
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.folder.path().join("data");
        let mut stop = command(&self.programs.join("pg_ctl"));
        if let Err(e) = run(stop.arg("-D").arg(&data).args(["-m", "immediate", "-w", "stop"])) {
            eprintln!("PostgreSQL did not stop: {e}");
        }
    }
}
