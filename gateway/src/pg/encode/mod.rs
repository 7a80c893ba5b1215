//! Rows of Arrow as messages of the wire: [`types`] says which Postgres type a column has, [`text`] and [`binary`] write
//! its values, one file a family of types.
//!
//! A column of a batch becomes a closure that writes its n-th value; the closures of all columns are then called row by
//! row, straight into the socket's buffer. So what is decided by type is decided once a batch, and a value is copied once.

pub mod binary;
pub mod calendar;
pub mod decimal;
pub mod text;
pub mod types;

use super::errors::{self, Result};
use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, GenericListArray, OffsetSizeTrait, RecordBatch,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{ArrowNativeType, DataType, Field, Schema};
use pgwire::api::Type;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::data::{FieldDescription, RowDescription};
use std::ops::Range;
use std::sync::Arc;
use text::Style;

/// Writes the n-th value of a column, which is not null.
pub type Write = Box<dyn Fn(usize, &mut BytesMut) -> Result<()> + Send + Sync>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Binary,
}

impl Format {
    pub fn from_code(code: i16) -> Result<Self> {
        match code {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            _ => Err(errors::protocol(format!("unsupported format code: {code}"))),
        }
    }
}

/// A column as the client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub ty: Type,
    pub format: Format,
    /// A bigdec has the digits that it was written with; its column's scale is ours.
    trimmed: bool,
}

/// The columns of a result, all as text; formats come with [`formatted`].
pub fn columns(schema: &Schema) -> Result<Vec<Column>> {
    const MOST: usize = 1664;
    if schema.fields().len() > MOST {
        let message = format!("target lists can have at most {MOST} entries");
        return Err(errors::error("54011", message));
    }
    schema.fields().iter().map(|field| column(field)).collect()
}

fn column(field: &Field) -> Result<Column> {
    Ok(Column {
        name: field.name().clone(),
        ty: types::of_field(field)?,
        format: Format::Text,
        trimmed: types::is_bigdec(field),
    })
}

/// Gives columns their formats: none is text for all, one is for all, else one each.
pub fn formatted(mut columns: Vec<Column>, formats: &[i16]) -> Result<Vec<Column>> {
    if formats.len() > 1 && formats.len() != columns.len() {
        return Err(errors::protocol(format!(
            "bind message has {} result formats but query has {} columns",
            formats.len(),
            columns.len()
        )));
    }
    for (i, column) in columns.iter_mut().enumerate() {
        let code = if formats.len() == 1 { formats.first() } else { formats.get(i) };
        column.format = Format::from_code(code.copied().unwrap_or(0))?;
    }
    Ok(columns)
}

pub fn description(columns: &[Column]) -> PgWireBackendMessage {
    let field = |column: &Column| {
        FieldDescription::new(
            column.name.replace('\0', "\u{fffd}"),
            0,
            0,
            column.ty.oid(),
            types::size(&column.ty),
            -1,
            column.format as i16,
        )
    };
    let fields = columns.iter().map(field).collect();
    PgWireBackendMessage::RowDescription(RowDescription::new(fields))
}

/// One column of one batch, ready to be written.
pub struct Cells {
    nulls: Option<NullBuffer>,
    write: Write,
}

impl Cells {
    pub fn new(array: &ArrayRef, column: &Column, style: &Style) -> Result<Self> {
        let array = plain(array)?;
        let style = Style { trimmed: column.trimmed, ..style.clone() };
        let write = match column.format {
            Format::Text => text::writer(&array, &column.ty, &style)?,
            Format::Binary => binary::writer(&array, &column.ty, &style)?,
        };
        Ok(Self { nulls: array.logical_nulls(), write })
    }

    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// The value without its length.
    pub fn write(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        (self.write)(row, out)
    }

    /// The value after its length; -1 is null.
    pub fn write_sized(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        if self.is_null(row) {
            out.put_i32(-1);
            return Ok(());
        }
        sized(out, |out| (self.write)(row, out))
    }
}

/// The columns of a batch, ready to be written.
pub fn cells(batch: &RecordBatch, columns: &[Column], style: &Style) -> Result<Vec<Cells>> {
    batch.columns().iter().zip(columns).map(|(array, c)| Cells::new(array, c, style)).collect()
}

/// Encoded arrays (dictionaries, runs) as their values.
fn plain(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Dictionary(_, value) => converted(array, value),
        DataType::RunEndEncoded(_, value) => converted(array, value.data_type()),
        _ => Ok(Arc::clone(array)),
    }
}

fn converted(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    cast(array, to).map_err(|e| errors::execution(e.into()))
}

/// A DataRow message. Where a value cannot be written, nothing of the row stays in `out`.
pub fn data_row(cells: &[Cells], row: usize, out: &mut BytesMut) -> Result<()> {
    let start = out.len();
    let written = message(out, b'D', |out| {
        out.put_u16(cells.len() as u16);
        cells.iter().try_for_each(|cell| cell.write_sized(row, out))
    });
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// A message: its tag, its length, its body.
pub fn message(
    out: &mut BytesMut,
    tag: u8,
    body: impl FnOnce(&mut BytesMut) -> Result<()>,
) -> Result<()> {
    out.put_u8(tag);
    let start = out.len();
    out.put_u32(0);
    body(out)?;
    patch(out, start, out.len() - start)
}

/// A value after its length.
pub fn sized(out: &mut BytesMut, value: impl FnOnce(&mut BytesMut) -> Result<()>) -> Result<()> {
    let start = out.len();
    out.put_u32(0);
    value(out)?;
    patch(out, start, out.len() - start - 4)
}

fn patch(out: &mut BytesMut, at: usize, length: usize) -> Result<()> {
    let length = i32::try_from(length).map_err(|_| {
        errors::error("54000", format!("a value of {length} bytes is too large for the wire"))
    })?;
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// The values of a list column, and which of them make up a row.
type Items = (ArrayRef, Box<dyn Fn(usize) -> Range<usize> + Send + Sync>);

fn items(array: &ArrayRef) -> Result<Items> {
    fn of<O: OffsetSizeTrait>(list: &GenericListArray<O>) -> Result<Items> {
        let offsets = list.offsets().clone();
        let at = move |i: usize| offsets.get(i).map_or(0, |o| o.as_usize());
        Ok((plain(list.values())?, Box::new(move |row| at(row)..at(row + 1))))
    }
    match array.data_type() {
        DataType::List(_) => of(array.as_list::<i32>()),
        DataType::LargeList(_) => of(array.as_list::<i64>()),
        DataType::FixedSizeList(..) => {
            let list = array.as_fixed_size_list();
            let length = usize::try_from(list.value_length()).unwrap_or(0);
            Ok((plain(list.values())?, Box::new(move |row| row * length..(row + 1) * length)))
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let offsets = map.offsets().clone();
            let at = move |i: usize| offsets.get(i).map_or(0, |o| o.as_usize());
            Ok((Arc::new(map.entries().clone()), Box::new(move |row| at(row)..at(row + 1))))
        }
        other => Err(errors::error("0A000", format!("{other} is no list"))),
    }
}

/// List views as lists.
fn listed(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::ListView(item) => converted(array, &DataType::List(Arc::clone(item))),
        DataType::LargeListView(item) => converted(array, &DataType::LargeList(Arc::clone(item))),
        _ => Ok(Arc::clone(array)),
    }
}
