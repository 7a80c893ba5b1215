//! docs/datalog.md tells the truth: its queries are asked, their answers compared; and it names every function.
//!
//! - An `edn data` block: transactions, one after the other, of a new database.
//! - An `edn` block: a query and, after it, the arguments of its `:in`. The `text` block below it is the answer, or the error.
//!
//! `DAODB_COMPLETE=write` puts the answers of now into the document.

use crate::support::{World, settled, told};
use daodb_datalog::edn::{Node, read_all};
use std::path::Path;

#[derive(PartialEq)]
enum Block {
    None,
    Data,
    Query,
    Other,
}

fn document() -> (std::path::PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/datalog.md");
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers() {
    let (path, text) = document();
    let mut world = World::new(10_000).await;
    let (mut out, mut block, mut inside) = (Vec::<String>::new(), Block::None, String::new());
    // The answer to the query above, until its block comes.
    let mut pending: Option<String> = None;
    let mut queries = 0;
    for line in text.lines() {
        match (&block, line) {
            (Block::None, "```edn data") => block = Block::Data,
            (Block::None, "```edn") => block = Block::Query,
            (Block::None, fence) if fence.starts_with("```") => {
                block = Block::Other;
                if fence == "```text"
                    && let Some(answer) = pending.take()
                {
                    out.push(line.to_owned());
                    out.extend(answer.lines().map(str::to_owned));
                    inside = "answered".to_owned();
                    continue;
                }
            }
            (Block::Data, "```") => {
                world = World::new(10_000).await;
                for transaction in read_all(&inside).unwrap() {
                    world.transact(&transaction).await.unwrap();
                }
                (block, inside) = (Block::None, String::new());
            }
            (Block::Query, "```") => {
                assert!(pending.is_none(), "a query without an answer: {}", pending.unwrap());
                queries += 1;
                pending = Some(answer(&world, &read_all(&inside).unwrap()).await);
                (block, inside) = (Block::None, String::new());
            }
            (Block::Other, "```") => (block, inside) = (Block::None, String::new()),
            (Block::Data | Block::Query, line) => inside += &format!("{line}\n"),
            // The old answer.
            (Block::Other, _) if inside == "answered" => continue,
            _ => {}
        }
        out.push(line.to_owned());
    }
    assert!(pending.is_none() && queries > 40, "{queries} queries, and {pending:?} is left");
    let now = out.join("\n") + "\n";
    if std::env::var("DAODB_COMPLETE").is_ok_and(|how| how == "write") {
        std::fs::write(path, now).unwrap();
    } else if let Some((was, is)) = text.lines().zip(now.lines()).find(|(a, b)| a != b) {
        panic!("docs/datalog.md says\n  {was}\nand the answer is\n  {is}");
    }
}

async fn answer(world: &World, forms: &[Node]) -> String {
    let asked =
        async { world.ask(world.request_with_sql(&forms[0], None, &forms[1..]).await?).await };
    match asked.await {
        Ok((shape, form)) => settled(&forms[0], shape, form).to_string(),
        Err(e) => told(&e),
    }
}

#[test]
fn every_function_is_named() {
    let (_, text) = document();
    let named = |name: &&str| !text.contains(&format!("`{name}`"));
    let missing: Vec<&str> = daodb_datalog::functions::names().filter(named).collect();
    assert!(missing.is_empty(), "docs/datalog.md does not name {missing:?}");
    let aggregates = daodb_datalog::query::check::AGGREGATES.iter().map(|(name, _)| *name);
    let missing: Vec<&str> = aggregates.filter(|name| !text.contains(*name)).collect();
    assert!(missing.is_empty(), "docs/datalog.md does not name {missing:?}");
}
