//! `kill -9` of 16 writers at random moments.

use super::{Acknowledged, ROUNDS_A_DATABASE, bench, check, start};
use daodb_sqltests::crash::writers;
use daodb_sqltests::{how_many, seed_or_any, servers};
use daodb_storage::Location;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::io::{BufRead, BufReader};
use std::time::Duration;

/// Lets writers run for so long after their first acknowledgement and kills them; how many they were given.
fn round(location: &Location, run: Duration, acknowledged: &mut Acknowledged) -> usize {
    let mut child = start(writers(bench(), location));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let Some(first) = lines.next() else {
        let output = child.wait_with_output().unwrap();
        panic!("the writers ended at once: {}", String::from_utf8_lossy(&output.stderr));
    };
    let killer = std::thread::spawn(move || {
        std::thread::sleep(run);
        // SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap()
    });
    let lines = std::iter::once(first).chain(lines).map_while(Result::ok);
    let count = lines.filter(|line| acknowledged.hear(line)).count();
    let status = killer.join().unwrap();
    assert_eq!(status.code(), None, "killed, not ended: {status}");
    count
}

/// `place` gives the location of the n-th database.
async fn rounds(name: &str, place: impl Fn(u64) -> Location) {
    let seed = seed_or_any();
    eprintln!("kill -9, {name}: DAODB_SEED={seed}");
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut acknowledged = Acknowledged::default();
    let often = if std::env::var_os("CI").is_some() { 50 } else { 10 };
    for number in 0..how_many("DAODB_KILLS", often) {
        if number % ROUNDS_A_DATABASE == 0 {
            acknowledged = Acknowledged::default();
        }
        let location = place(number / ROUNDS_A_DATABASE);
        let run = Duration::from_micros(rng.random_range(0..400_000));
        let count = round(&location, run, &mut acknowledged);
        eprintln!("kill -9, {name}: round {number}: {count} acknowledged within {run:?}");
        check(&location, &acknowledged).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_transaction_survives_on_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    rounds("folder", |n| Location::folder(dir.path().join(n.to_string()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_transaction_survives_on_s3() {
    let Some(server) = servers::s3("kill -9 on S3").unwrap() else { return };
    rounds("S3", |n| server.place(&format!("kill/{n}"))).await;
}
