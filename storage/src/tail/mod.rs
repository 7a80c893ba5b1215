//! The newest facts, in memory: batches of blocks, each a few times larger than the one after it.
//!
//! A tail is a value. Appending shares every batch that it does not merge, so a transaction of one datom costs microseconds
//! however much waits here, and a snapshot costs nothing.

mod events;

pub use events::{Events, Fresh};

use crate::datom::Attr;
use crate::error::Result;
use crate::index::block::Block;
use crate::value::ValueType;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Batches that would hold more rows than this are not merged: an append must never wait for long.
const MERGED_ROWS: usize = 65_536;

/// What adjoining transactions did.
pub struct Batch {
    pub first_t: i64,
    pub last_t: i64,
    pub rows: usize,
    pub blocks: BTreeMap<(Attr, ValueType), Arc<Block>>,
}

impl Batch {
    /// Several batches, oldest first, as one; a block that only one of them has is shared.
    pub fn merge(batches: &[Arc<Batch>]) -> Result<Batch> {
        let mut groups: BTreeMap<&(Attr, ValueType), Vec<&Arc<Block>>> = BTreeMap::new();
        for (key, block) in batches.iter().flat_map(|b| &b.blocks) {
            groups.entry(key).or_default().push(block);
        }
        let mut blocks = BTreeMap::new();
        for (key, parts) in groups {
            let block = match parts.as_slice() {
                [one] => Arc::clone(one),
                parts => {
                    let parts: Vec<&Block> = parts.iter().map(|b| b.as_ref()).collect();
                    Arc::new(Block::merge(key.1, &parts)?)
                }
            };
            blocks.insert(key.clone(), block);
        }
        Ok(Batch {
            first_t: batches.first().map_or(i64::MAX, |b| b.first_t),
            last_t: batches.last().map_or(i64::MIN, |b| b.last_t),
            rows: blocks.values().map(|b| b.len()).sum(),
            blocks,
        })
    }
}

/// Batches, oldest first.
#[derive(Clone, Default)]
pub struct Tail {
    /// Those that the indexer is laying down.
    frozen: Arc<[Arc<Batch>]>,
    live: Arc<[Arc<Batch>]>,
}

impl Tail {
    pub fn batches(&self) -> impl Iterator<Item = &Arc<Batch>> {
        self.frozen.iter().chain(self.live.iter())
    }

    pub fn frozen(&self) -> &[Arc<Batch>] {
        &self.frozen
    }

    pub fn rows(&self) -> usize {
        self.batches().map(|b| b.rows).sum()
    }

    /// Of what no indexer has taken yet.
    pub fn live_rows(&self) -> usize {
        self.live.iter().map(|b| b.rows).sum()
    }

    pub fn push(&self, batch: Arc<Batch>) -> Result<Tail> {
        let mut live = self.live.to_vec();
        live.push(batch);
        let mut merged = live.len() - 1;
        let mut rows = live[merged].rows;
        while merged > 0 && live[merged - 1].rows < 2 * rows {
            rows += live[merged - 1].rows;
            if rows > MERGED_ROWS {
                break;
            }
            merged -= 1;
        }
        if merged + 1 < live.len() {
            let one = Batch::merge(&live[merged..])?;
            live.truncate(merged);
            live.push(Arc::new(one));
        }
        Ok(Tail { frozen: Arc::clone(&self.frozen), live: live.into() })
    }

    /// All that is live is frozen, so that appends no longer merge into it.
    pub fn freeze(&self) -> Tail {
        Tail { frozen: self.batches().cloned().collect(), live: Arc::default() }
    }

    /// Without the frozen batches: a run holds them now.
    pub fn thawed(&self) -> Tail {
        Tail { frozen: Arc::default(), live: Arc::clone(&self.live) }
    }
}
