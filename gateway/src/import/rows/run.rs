//! An import from its file to its last transaction.

use super::File;
use super::columns::{Columns, Wanted};
use super::survey::survey;
use super::target::Target;
use super::write::{Writer, Written};
use daodb_catalog::{Provenance, Result};
use futures::future::BoxFuture;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How far it is: in which reading, rows of it, and rows in all, once they are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Read(u64),
    Written(u64, u64),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub written: Written,
    /// Rows of the file.
    pub rows: u64,
    pub stopped: bool,
    /// A column `_id` that is not the key.
    pub passed_over: bool,
}

/// Takes the rows of a file into a table. `stop` ends it between two rows; what is written then stays, and the same call
/// goes on.
pub fn import<'a>(
    target: Arc<dyn Target>,
    file: &'a File,
    wanted: &'a Wanted,
    provenance: Provenance,
    stop: &'a CancellationToken,
    progress: &'a mut (dyn FnMut(Progress) + Send),
) -> BoxFuture<'a, Result<Summary>> {
    Box::pin(async move {
        let fault = |fault: super::Fault| fault.of(&file.path);
        let mut step = |rows| {
            progress(Progress::Read(rows));
            !stop.is_cancelled()
        };
        let survey = survey(file, &mut step).map_err(fault)?;
        if stop.is_cancelled() {
            return Ok(Summary { stopped: true, ..Summary::default() });
        }
        let schema = target.schema().await?;
        let columns = Columns::of(&survey, wanted, &schema).map_err(fault)?;
        check(file, &columns, stop).map_err(fault)?;
        let mut summary = Summary { rows: survey.rows, ..Summary::default() };
        summary.passed_over = columns.all.contains(&None);

        let mut rows = file.open().map_err(fault)?;
        let mut writer = Writer::new(target, file.path.clone(), columns, provenance).await?;
        writer.declare().await?;
        while let Some(row) = rows.next().map_err(fault)? {
            if stop.is_cancelled() {
                summary.stopped = true;
                break;
            }
            writer.write(row).await?;
            progress(Progress::Written(writer.rows(), survey.rows));
        }
        summary.written = writer.finish().await?;
        Ok(summary)
    })
}

/// Every cell is a value of its column, and every row has its key: else nothing is written.
fn check(file: &File, columns: &Columns, stop: &CancellationToken) -> Result<(), super::Fault> {
    let mut rows = file.open()?;
    while let Some(row) = rows.next()? {
        if stop.is_cancelled() {
            return Ok(());
        }
        let place = row.place;
        let mut cells = row.cells.into_iter();
        for (i, column) in columns.all.iter().enumerate() {
            let cell = cells.next().unwrap_or(super::Cell::Absent);
            let Some(column) = column else { continue };
            let value = column.value(cell).map_err(|fault| fault.at(place))?;
            if i == columns.key && value.is_none() {
                return Err(super::Fault::new("the key is missing").at(place).column(&column.name));
            }
        }
    }
    Ok(())
}
