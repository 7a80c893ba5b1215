//! An attribute by value, after the fact: pieces that fit memory are sorted, and merged until they are one.
//!
//! Pieces are segments that no run names, removed as soon as a larger one holds them; a crash leaves them to the next opening,
//! which removes what nothing names.

use super::block::Kind;
use super::build::{Builder, Merging, want};
use super::order::Order;
use super::row_group::Load;
use super::rows::Rows;
use super::run::{Run, RunEntry, RunGroup};
use super::segment::Segment;
use super::stretch::Stretch;
use super::write::RunWriter;
use crate::datom::Attr;
use crate::error::Result;
use crate::value::ValueType;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Rows of a piece.
const PIECE_ROWS: usize = if cfg!(test) { 128 } else { 2 << 20 };
/// Pieces that become one: of each a row group is in memory.
const FAN: usize = if cfg!(test) { 3 } else { 32 };

type Key = (Attr, ValueType);

/// Rows in order, over one or more segments.
struct Piece {
    segments: Vec<Arc<Segment>>,
    stretches: Vec<Stretch>,
}

/// Whether a run lacks an attribute by value that is wanted so.
pub fn lacks(run: &Run, wanted: &BTreeSet<String>) -> bool {
    !wanted.is_subset(&run.entry.by_value)
}

impl Builder<'_> {
    /// The same run, with further attributes by value.
    pub async fn sort_by_value(&self, run: &Run, wanted: &BTreeSet<String>) -> Result<RunEntry> {
        let mut entry = run.entry.clone();
        let lacking =
            |a: &Attr| wanted.contains(a.as_str()) && !entry.by_value.contains(a.as_str());
        // References always are.
        let keys: Vec<&Key> =
            run.groups.keys().filter(|(a, ty)| lacking(a) && *ty != ValueType::Ref).collect();
        let types = keys.iter().map(|k| k.1).collect();
        let mut writers = self.writers(Order::Avet, entry.last_t, &types);
        for key in keys {
            let Some(group) = run.groups.get(key) else { continue };
            for kind in Kind::ALL {
                let sorting = Sorting { builder: self, key, kind, basis: entry.last_t };
                sorting.sort(group, &mut writers[kind as usize]).await?;
            }
        }
        for writer in writers {
            entry.segments.extend(writer.finish().await?);
        }
        entry.by_value.extend(wanted.iter().cloned());
        Ok(entry)
    }
}

/// The facts of one attribute, type and kind.
struct Sorting<'a, 'b> {
    builder: &'a Builder<'b>,
    key: &'a Key,
    kind: Kind,
    basis: i64,
}

impl Sorting<'_, '_> {
    async fn sort(&self, group: &RunGroup, out: &mut RunWriter<'_>) -> Result<()> {
        let mut pieces = VecDeque::new();
        let done = self.merged(group, &mut pieces, out).await;
        // Whatever became of it: it is tried again with pieces of its own.
        let removed = self.remove(pieces).await;
        done.and(removed)
    }

    async fn merged(
        &self,
        group: &RunGroup,
        pieces: &mut VecDeque<Piece>,
        out: &mut RunWriter<'_>,
    ) -> Result<()> {
        let (mut waiting, mut rows) = (Vec::new(), 0);
        for stretch in group.stretches(Order::Aevt, self.kind) {
            for row_group in stretch.row_groups(false, |_| true).await? {
                if rows >= PIECE_ROWS {
                    let sorted = self.sorted(std::mem::take(&mut waiting))?;
                    pieces.push_back(self.piece(sorted).await?);
                    rows = 0;
                    (self.builder.between)().await?;
                }
                let loaded = row_group.load(self.key.1, want(self.kind), &Load::Once).await?;
                rows += loaded.len();
                waiting.push(loaded);
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        let last = self.sorted(waiting)?;
        if pieces.is_empty() {
            return out.push(&self.key.0, self.key.1, last).await;
        }
        pieces.push_back(self.piece(last).await?);
        while pieces.len() > FAN {
            let mut writer = self.writer();
            self.merge(pieces.iter().take(FAN), &mut writer).await?;
            pieces.push_back(self.read(writer).await?);
            self.remove(pieces.drain(..FAN)).await?;
        }
        self.merge(pieces.iter(), out).await
    }

    fn sorted(&self, rows: Vec<Rows>) -> Result<Rows> {
        Rows::concat(rows)?.sorted(Order::Avet, self.key.1)
    }

    fn writer(&self) -> RunWriter<'_> {
        let Builder { files, stream, .. } = self.builder;
        let of = (Order::Avet, self.kind);
        RunWriter::new(files, stream, of, self.basis, &BTreeSet::from([self.key.1]))
    }

    async fn piece(&self, rows: Rows) -> Result<Piece> {
        let mut writer = self.writer();
        writer.push(&self.key.0, self.key.1, rows).await?;
        self.read(writer).await
    }

    async fn read(&self, writer: RunWriter<'_>) -> Result<Piece> {
        let (mut segments, mut stretches) = (Vec::new(), Vec::new());
        for entry in writer.finish().await? {
            let segment = Segment::new(self.builder.files, entry)?;
            stretches.extend(Stretch::all(&segment)?.into_iter().map(|(_, _, stretch)| stretch));
            segments.push(segment);
        }
        Ok(Piece { segments, stretches })
    }

    async fn merge(
        &self,
        pieces: impl Iterator<Item = &Piece>,
        out: &mut RunWriter<'_>,
    ) -> Result<()> {
        let parts = pieces.map(|piece| (self.kind, piece.stretches.as_slice()));
        let mut merging = Merging::of(self.key.1, Order::Avet, parts)?;
        while let Some(rows) = merging.next().await? {
            for rows in rows {
                out.push(&self.key.0, self.key.1, rows).await?;
            }
            (self.builder.between)().await?;
        }
        Ok(())
    }

    async fn remove(&self, pieces: impl IntoIterator<Item = Piece>) -> Result<()> {
        for segment in pieces.into_iter().flat_map(|piece| piece.segments) {
            self.builder.files.store.delete(segment.path()).await?;
        }
        Ok(())
    }
}
