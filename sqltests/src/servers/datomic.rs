//! Datomic's peer library, with a database in its own memory: `mvn dependency:build-classpath` into `~/.cache/daodb/datomic`.
//! It is run, never shipped.

use super::cached;
use std::path::Path;
use std::process::Command;

/// The class path, where `.ci/run` has put it.
pub fn class_path() -> Option<String> {
    let text = std::fs::read_to_string(cached("datomic/classpath")?).ok()?;
    Some(text.trim().to_owned())
}

/// A run of a script by Clojure's own launcher.
pub fn command(class_path: &str, script: &Path) -> Command {
    on_java(Path::new("java"), &[], class_path, script)
}

/// The same on a Java that lies elsewhere or is to have options of its own.
pub fn on_java(java: &Path, options: &[&str], class_path: &str, script: &Path) -> Command {
    let mut command = Command::new(java);
    // Whatever the locale says.
    command.arg("-Dfile.encoding=UTF-8").args(options);
    command.args(["-cp", class_path, "clojure.main"]).arg(script);
    command
}
