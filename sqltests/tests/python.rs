//! Python's drivers against the wire: psycopg2, psycopg 3 and asyncpg, by `suites/python/suite.py`.

use daodb_sqltests::engine::{self, DATABASE, Served};
use daodb_sqltests::{left_out, ops, program};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const SUITE: &str = "Python's drivers";
const PEOPLE: &str = "transact
    + ann :person/name \"Ann\"
    + ann :person/age 40
    + bob :person/name \"Bob\"
    + bob :person/age 50";

/// A Python with the drivers, made once a build folder. None: what it needs cannot be had, and the suite is left out.
fn python(folder: &Path) -> Option<PathBuf> {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let python = venv.join("bin/python");
    let ready = venv.join("ready");
    let requirements = folder.join("requirements.txt");
    let wanted = std::fs::read(&requirements).unwrap();
    if std::fs::read(&ready).is_ok_and(|had| had == wanted) {
        return Some(python);
    }
    let run = |command: &mut Command, what: &str| {
        let done = command.output().unwrap();
        if !done.status.success() {
            left_out(SUITE, &format!("{what}: {}", String::from_utf8_lossy(&done.stderr).trim()));
        }
        done.status.success()
    };
    let made = run(Command::new("python3").args(["-m", "venv"]).arg(&venv), "no venv");
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    let had = made
        && run(Command::new(&python).args(install).arg(&requirements), "no packages from PyPI");
    had.then(|| {
        std::fs::write(&ready, wanted).unwrap();
        python
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn drivers_of_python() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/python");
    if !program("python3", SUITE) {
        return;
    }
    let Some(python) = python(&folder) else { return };
    let (catalog, database) = engine::memory(engine::options()).await.unwrap();
    ops::transact(&database, &mut BTreeMap::new(), PEOPLE).await.unwrap();
    let served = Served::start(&catalog).await.unwrap();
    let address = served.address;
    let mut command = tokio::process::Command::new(python);
    command.arg(folder.join("suite.py"));
    command.args([address.ip().to_string(), address.port().to_string(), DATABASE.to_owned()]);
    let done = command.output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    served.stop().await.unwrap();
}
