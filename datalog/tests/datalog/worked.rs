//! The files in `worked`: data, then queries with their answers.
//!
//! ```text
//! (data [transaction] [transaction] ...)            a new database
//! (case "what is shown" :query [:find ...] :on {:as-of 1001} :args [...] :answer [...])
//! (case "what is refused" :query [:find ...] :error "42601 ...")
//! ```
//!
//! A file is one database after the other; a case asks the last one. `:on` and `:args` may be left out. Relations and collections are compared as bags (in the order of their text), unless the query has
//! an order. `DAODB_COMPLETE=write` writes the answers of now into the files: read what changed.

use crate::support::{World, parse, settled, told};
use daodb_datalog::edn::{Form, Node, read_all};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One case of a file.
struct Case<'a> {
    title: String,
    query: &'a Node,
    on: Option<&'a Node>,
    args: &'a [Node],
    /// The keyword and the form after it.
    expected: Option<(&'a str, &'a Node)>,
    /// Where the list ends: its closing parenthesis.
    end: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worked_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/datalog/worked");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let only = std::env::var("DAODB_WORKED").unwrap_or_default();
    let (mut cases, mut wrong) = (0, String::new());
    for path in files.iter().filter(|p| p.to_string_lossy().contains(&only)) {
        let text = std::fs::read_to_string(path).unwrap();
        cases += file(path, &text, &mut wrong).await;
    }
    assert!(cases > 0, "there are no cases");
    assert!(wrong.is_empty(), "{wrong}\n`DAODB_COMPLETE=write` writes what is answered now");
}

/// How many cases a file has; what differs is told in `wrong`.
async fn file(path: &Path, text: &str, wrong: &mut String) -> usize {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let forms = read_all(text).unwrap_or_else(|e| {
        let (line, column) = e.span.line_column(text);
        panic!("{name}, line {line}, column {column}: {e}")
    });
    let mut world = World::new(10_000).await;
    let (mut cases, mut edits) = (0, Vec::new());
    for form in &forms {
        let parts = form.sequence().unwrap_or_else(|| panic!("{name}: {form} is no list"));
        match parts[0].symbol() {
            Some("data") => world = data(&name, &parts[1..]).await,
            Some("case") => {
                let case = case(form, parts);
                cases += 1;
                let (key, now) = answer(&world, &case).await;
                match case.expected {
                    Some((k, expected)) if k == key && expected.to_string() == now.to_string() => {}
                    expected => {
                        let (line, _) = form.span.line_column(text);
                        let was =
                            expected.map_or("nothing".to_owned(), |(k, e)| format!("{k} {e}"));
                        let shown = wrapped(&now);
                        writeln!(
                            wrong,
                            "{name}, line {line}: {}\n  expected {was}\n  answered {key} {shown}\n",
                            case.title
                        )
                        .unwrap();
                        let at = expected.map_or(case.end, |(k, e)| e.span.start - k.len() - 1);
                        let end = expected.map_or(case.end, |(_, e)| e.span.end);
                        let before = if expected.is_none() { "\n  " } else { "" };
                        edits.push((at..end, format!("{before}{key} {shown}")));
                    }
                }
            }
            other => panic!("{name}: {other:?} is neither data nor case"),
        }
    }
    if std::env::var("DAODB_COMPLETE").is_ok_and(|how| how == "write") && !edits.is_empty() {
        let mut text = text.to_owned();
        edits.into_iter().rev().for_each(|(range, with)| text.replace_range(range, &with));
        std::fs::write(path, text).unwrap();
    }
    cases
}

async fn data(name: &str, transactions: &[Node]) -> World {
    let world = World::new(10_000).await;
    for transaction in transactions {
        match transaction.keyword() {
            // What follows is found in segments, what comes later in the tail.
            Some(":index") => world.database.stream().index_now().await.unwrap(),
            _ => {
                let done = world.transact(transaction).await;
                done.unwrap_or_else(|e| panic!("{name}: {transaction}: {}", told(&e)));
            }
        }
    }
    world
}

fn case<'a>(form: &'a Node, parts: &'a [Node]) -> Case<'a> {
    let title = parts[1].string().unwrap().to_owned();
    let mut case = Case {
        title,
        query: &parts[1],
        on: None,
        args: &[],
        expected: None,
        end: form.span.end - 1,
    };
    for pair in parts[2..].chunks(2) {
        match (pair[0].keyword().unwrap(), &pair[1]) {
            (":query", q) => case.query = q,
            (":on", on) => case.on = Some(on),
            (":args", args) => case.args = args.sequence().unwrap(),
            (":doc", _) => {}
            (key @ (":answer" | ":error"), e) => case.expected = Some((key, e)),
            (other, _) => panic!("{}: {other} is no part of a case", case.title),
        }
    }
    case
}

async fn answer(world: &World, case: &Case<'_>) -> (&'static str, Node) {
    let request = world.request(case.query, case.on, case.args);
    match world.ask(request).await {
        Ok((shape, form)) => {
            (":answer", Node { form: settled(case.query, shape, form), span: Default::default() })
        }
        Err(e) => (":error", parse(&format!("{:?}", told(&e)))),
    }
}

/// One row a line, where one line is too little.
fn wrapped(node: &Node) -> String {
    let text = node.to_string();
    match &node.form {
        Form::Vector(rows) if text.len() > 90 && rows.len() > 1 => {
            let rows: Vec<String> = rows.iter().map(Node::to_string).collect();
            format!("[{}]", rows.join("\n           "))
        }
        _ => text,
    }
}
