//! The hash of a transaction: blake3 over what precedes it and the canonical bytes of all it says.

use super::{Header, Parent};
use crate::datom::Datom;

/// The hasher takes bytes in pieces of this size: large enough for its widest instructions, small enough for the cache.
const PIECE: usize = 32 << 10;

/// Its buffer is reused from transaction to transaction.
pub(super) struct TransactionHasher {
    bytes: Vec<u8>,
}

/// The hash that a transaction has after `previous`.
pub(crate) fn hash(previous: [u8; 32], t: i64, instant: i64, datoms: &[Datom]) -> [u8; 32] {
    let count = datoms.len() as u64;
    let header = Header { t, instant, parents: Vec::new(), previous, hash: [0; 32], count };
    TransactionHasher::new().hash(&header, datoms)
}

impl TransactionHasher {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::with_capacity(PIECE + 1024) }
    }

    /// Of `header` all but `hash` and `count` counts; a datom is (e, a, v, m, added), every part with its length where
    /// that varies, so that no two transactions have the same bytes.
    pub(super) fn hash(&mut self, header: &Header, datoms: &[Datom]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        let out = &mut self.bytes;
        out.clear();
        out.extend_from_slice(&header.previous);
        out.extend_from_slice(&header.t.to_be_bytes());
        out.extend_from_slice(&header.instant.to_be_bytes());
        out.extend_from_slice(&(header.parents.len() as u64).to_be_bytes());
        header.parents.iter().for_each(|p| write_parent(out, p));
        for datom in datoms {
            write_datom(out, datom);
            if out.len() >= PIECE {
                hasher.update(out);
                out.clear();
            }
        }
        hasher.update(out);
        *hasher.finalize().as_bytes()
    }
}

fn write_parent(out: &mut Vec<u8>, parent: &Parent) {
    write_text(out, &parent.stream);
    out.extend_from_slice(&parent.t.to_be_bytes());
    out.extend_from_slice(&parent.hash);
}

fn write_datom(out: &mut Vec<u8>, datom: &Datom) {
    out.extend_from_slice(&datom.e.to_be_bytes());
    write_text(out, datom.a.as_str());
    datom.v.write_canonical(out);
    out.extend_from_slice(&datom.m.to_be_bytes());
    out.push(u8::from(datom.added));
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u64).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}
