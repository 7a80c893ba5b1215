//! Two processes that write to one log: exactly one goes on, the other says who took its place.

use super::{Acknowledged, ROUNDS_A_DATABASE, bench, check, opened, start};
use daodb_sqltests::crash::writers;
use daodb_sqltests::{engine, how_many, servers};
use daodb_storage::Location;
use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::mpsc;
use std::time::Duration;

/// Acknowledgements that the one who stays must be given after the other has stopped.
const MORE: usize = 20;
const PATIENCE: Duration = Duration::from_secs(60);

enum Heard {
    Line(String),
    End,
}

/// Starts both, hears them until one has ended and the other has gone on for a while. Which of them stayed.
fn race(location: &Location, acknowledged: &mut Acknowledged) -> usize {
    let mut children = [0, 1].map(|_| start(writers(bench(), location)));
    let (sender, heard) = mpsc::channel();
    for (who, child) in children.iter_mut().enumerate() {
        let (lines, sender) =
            (BufReader::new(child.stdout.take().unwrap()).lines(), sender.clone());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send((who, Heard::Line(line)));
            }
            let _ = sender.send((who, Heard::End));
        });
    }
    let (mut ended, mut more) = (None, 0);
    while more < MORE {
        match heard.recv_timeout(PATIENCE).expect("one of them goes on") {
            (who, Heard::Line(line)) => {
                more += usize::from(acknowledged.hear(&line) && ended.is_some_and(|e| e != who));
            }
            (who, Heard::End) => {
                assert_eq!(ended.replace(who), None, "both have ended: {}", said(children));
            }
        }
    }
    let loser = ended.unwrap();
    let [a, b] = children;
    let (stays, goes) = if loser == 0 { (b, a) } else { (a, b) };
    let by = format!("already written by process {}", stays.id());
    stop(stays);
    let told = said([goes]);
    assert!(told.contains(&by), "{by}: {told}");
    // What was said until the end counts as well.
    while let Ok((_, Heard::Line(line))) = heard.recv_timeout(PATIENCE) {
        acknowledged.hear(&line);
    }
    1 - loser
}

fn stop(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What processes that have ended told of the reason.
fn said<const N: usize>(children: [Child; N]) -> String {
    children
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(!output.status.success(), "writers end by an error only");
            String::from_utf8_lossy(&output.stderr).into_owned()
        })
        .join("\n")
}

#[test]
fn of_two_writers_exactly_one_goes_on() {
    let Some(server) = servers::s3("races on S3").unwrap() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let often = if std::env::var_os("CI").is_some() { 100 } else { 10 };
    let (mut acknowledged, mut stayed) = (Acknowledged::default(), [0, 0]);
    for number in 0..how_many("DAODB_RACES", often) {
        let database = number / ROUNDS_A_DATABASE;
        let location = server.place(&format!("race/{database}"));
        if number % ROUNDS_A_DATABASE == 0 {
            // Two that make it at once is another race.
            runtime.block_on(async {
                let catalog = opened(&location).await;
                engine::open_or_create(&catalog).await.unwrap();
                catalog.close().await.unwrap();
            });
        }
        stayed[race(&location, &mut acknowledged)] += 1;
        if (number + 1) % ROUNDS_A_DATABASE == 0 {
            runtime.block_on(check(&location, &acknowledged));
            acknowledged = Acknowledged::default();
        } else if number % 5 == 0 {
            runtime.block_on(check(&location, &acknowledged));
        }
    }
    eprintln!("races: the first process stayed {} times, the second {}", stayed[0], stayed[1]);
}
