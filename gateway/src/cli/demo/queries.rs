//! Six queries on an imported history, made for what it holds.
//!
//! Each of the six has candidates, best first; the first that gives a row is chosen. The last one gives a row on any
//! history.

use super::super::Failure;
use daodb_catalog::{Error, Outcome, Session, SqlState};
use daodb_storage::{FIRST_T, Snapshot};
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use futures::StreamExt;

const DAY: i64 = 86_400_000_000;
/// Microseconds of the longest month.
const MONTH: i64 = 31 * DAY;

#[derive(Debug, Clone)]
pub struct Query {
    pub title: String,
    /// Without the semicolon.
    pub sql: String,
}

fn query(title: impl Into<String>, sql: impl Into<String>) -> Query {
    Query { title: title.into(), sql: sql.into() }
}

/// The six. `now`: microseconds.
pub async fn worth_trying(
    session: &mut Session,
    snapshot: &Snapshot,
    now: i64,
) -> Result<Vec<Query>, Failure> {
    let history = History::of(session, snapshot, now).await?;
    let mut chosen = Vec::new();
    for candidates in history.candidates() {
        let mut found = None;
        for candidate in candidates {
            match first_rows(session, &candidate.sql).await {
                Ok(Some(_)) => {
                    found = Some(candidate);
                    break;
                }
                Ok(None) => {}
                // The others are worth trying all the same.
                Err(failure) => tracing::warn!("a query of the demo fails: {failure}"),
            }
        }
        chosen.extend(found);
    }
    Ok(chosen)
}

/// The first batch that has rows.
async fn first_rows(session: &mut Session, sql: &str) -> Result<Option<RecordBatch>, Failure> {
    let of_statement = |e| Failure::of_statement(e, sql);
    for statement in session.parse(sql).map_err(of_statement)? {
        let outcome = session.execute(&statement, &[]).await.map_err(of_statement)?;
        let Outcome::Rows { mut stream, .. } = outcome else { continue };
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|e| of_statement(e.into()))?;
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
    }
    Ok(None)
}

/// What the queries are made for.
struct History {
    now: i64,
    first_instant: i64,
    newest_t: i64,
    newest_instant: i64,
    /// Of the files that are there, the one that changed most.
    path: Option<String>,
}

impl History {
    async fn of(session: &mut Session, snapshot: &Snapshot, now: i64) -> Result<Self, Failure> {
        let newest = snapshot.newest();
        let first_instant = snapshot.instant_of(FIRST_T).await.map_err(Error::from)?;
        let first_instant = first_instant.ok_or_else(|| {
            Error::new(SqlState::INTERNAL, "the database holds no transaction yet")
        })?;
        Ok(Self {
            now,
            first_instant,
            newest_t: newest.t,
            newest_instant: newest.instant,
            path: path(session).await?,
        })
    }

    /// A transaction in the middle.
    fn middle(&self) -> i64 {
        FIRST_T + (self.newest_t - FIRST_T) / 2
    }

    fn candidates(&self) -> [Vec<Query>; 6] {
        [self.tree(), self.who(), self.life(), self.growth(), self.last_changes(), self.two_bases()]
    }

    fn tree(&self) -> Vec<Query> {
        let tree = |when: &str| {
            format!("SELECT path, mode, size, lines\nFROM file {when}\nORDER BY path LIMIT 20")
        };
        let middle = self.middle();
        let mut all = Vec::new();
        let month_ago = self.now - MONTH;
        if self.first_instant <= month_ago && self.newest_instant > month_ago {
            let when = "FOR SYSTEM_TIME AS OF now() - INTERVAL '1 month'";
            all.push(query("The tree a month ago", tree(when)));
        } else if self.first_instant <= self.newest_instant - MONTH {
            let at = instant(self.newest_instant - MONTH);
            let when = format!("FOR SYSTEM_TIME AS OF TIMESTAMP '{at}'");
            all.push(query("The tree a month before the newest commit", tree(&when)));
        }
        let when = format!("VERSION AS OF {middle}");
        all.push(query("The tree in the middle of the history, which is young", tree(&when)));
        all.push(query(
            "How many files there were in the middle of the history",
            format!("SELECT count(*) AS files FROM file VERSION AS OF {middle}"),
        ));
        all
    }

    fn who(&self) -> Vec<Query> {
        vec![
            query(
                "Who changed most",
                "SELECT person.name, count(DISTINCT c.t) AS commits, count(*) AS changes\n\
                 FROM dao.changes c\n\
                 JOIN git ON git._id = c.t\n\
                 JOIN commit ON commit._id = git.commit\n\
                 JOIN person ON person._id = commit.author\n\
                 WHERE c.attribute = ':file/blob'\n\
                 GROUP BY person._id, person.name ORDER BY changes DESC, name LIMIT 10",
            ),
            query(
                "Who committed most",
                "SELECT person.name, count(*) AS commits\n\
                 FROM commit JOIN person ON person._id = commit.author\n\
                 GROUP BY person._id, person.name ORDER BY commits DESC, name LIMIT 10",
            ),
            query("The commits", "SELECT sha, message FROM commit ORDER BY _id DESC LIMIT 10"),
        ]
    }

    fn life(&self) -> Vec<Query> {
        let life = |path: &String| {
            query(
                "One file's life: every version, and when it held",
                format!(
                    "SELECT _t_from, _valid_from, _valid_to, mode, size, lines\n\
                     FROM file FOR SYSTEM_TIME ALL\n\
                     WHERE path = {} ORDER BY _t_from DESC LIMIT 20",
                    literal(path)
                ),
            )
        };
        let mut all: Vec<Query> = self.path.iter().map(life).collect();
        all.push(query(
            "The life of the history: its transactions",
            "SELECT t, instant FROM dao.transactions ORDER BY t DESC LIMIT 20",
        ));
        all
    }

    fn growth(&self) -> Vec<Query> {
        let unit = match (self.newest_instant - self.first_instant) / DAY {
            0..=2 => "hour",
            3..=60 => "day",
            61..=1500 => "month",
            _ => "year",
        };
        vec![
            query(
                format!("Lines over time: what each {unit} added, and the sum"),
                format!(
                    "SELECT date_trunc('{unit}', at) AS {unit},\n       \
                     sum(coalesce(new_value::bigint, 0) - coalesce(old_value::bigint, 0)) AS added,\n       \
                     sum(sum(coalesce(new_value::bigint, 0) - coalesce(old_value::bigint, 0)))\n         \
                     OVER (ORDER BY date_trunc('{unit}', at)) AS lines\n\
                     FROM dao.changes WHERE attribute = ':file/lines'\n\
                     GROUP BY 1 ORDER BY 1"
                ),
            ),
            query(
                format!("Commits over time: how many each {unit}"),
                format!(
                    "SELECT date_trunc('{unit}', instant) AS {unit}, count(*) AS commits\n\
                     FROM dao.transactions GROUP BY 1 ORDER BY 1"
                ),
            ),
        ]
    }

    fn last_changes(&self) -> Vec<Query> {
        let after = (self.newest_t - 3).max(FIRST_T - 1);
        vec![
            query(
                "What the last transactions changed: old and new values",
                format!(
                    "SELECT c.t, c.at, file.path, c.column_name, c.old_value, c.new_value\n\
                     FROM dao.changes c LEFT JOIN file ON file._id = c.entity\n\
                     WHERE c.t > {after} AND c.table_name = 'file'\n\
                     ORDER BY c.t DESC, path, column_name LIMIT 20"
                ),
            ),
            query(
                "What the last transactions changed: old and new values",
                format!(
                    "SELECT t, at, entity, attribute, old_value, new_value\n\
                     FROM dao.changes WHERE t > {after}\n\
                     ORDER BY t DESC, entity, attribute LIMIT 20"
                ),
            ),
        ]
    }

    fn two_bases(&self) -> Vec<Query> {
        let middle = self.middle();
        vec![
            query(
                "Two moments in one query: what differs between the middle of the history and now",
                format!(
                    "SELECT coalesce(new.path, old.path) AS path, old.lines AS lines_then, new.lines AS lines_now\n\
                     FROM file VERSION AS OF {middle} AS old\n\
                     FULL JOIN file AS new ON new._id = old._id\n\
                     WHERE new.blob IS DISTINCT FROM old.blob\n\
                     ORDER BY path LIMIT 20"
                ),
            ),
            query(
                "Two moments in one query: files in the middle of the history and now",
                format!(
                    "SELECT (SELECT count(*) FROM file VERSION AS OF {middle}) AS files_then,\n       \
                     (SELECT count(*) FROM file) AS files_now"
                ),
            ),
        ]
    }
}

/// A name without control characters, which a terminal would take for something else.
async fn path(session: &mut Session) -> Result<Option<String>, Failure> {
    let sql = "SELECT file.path FROM file \
               JOIN (SELECT entity, count(*) AS changes FROM dao.changes \
                     WHERE attribute = ':file/blob' GROUP BY entity) c ON c.entity = file._id \
               WHERE file.path !~ '[[:cntrl:]]' \
               ORDER BY c.changes DESC, file.path LIMIT 1";
    let batch = first_rows(session, sql).await?;
    Ok(batch.and_then(|batch| {
        let column = batch.column(0).as_string_view_opt()?;
        column.is_valid(0).then(|| column.value(0).to_owned())
    }))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// As SQL's TIMESTAMP takes it, UTC.
fn instant(at: i64) -> String {
    chrono::DateTime::from_timestamp_micros(at)
        .map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string())
        .unwrap_or_default()
}
