//! Who had the stream open to write, and whose it is.

use super::GRACE;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Default)]
pub struct Writers {
    all: Vec<Writer>,
    /// To whom the newest transaction was acknowledged.
    owner: Option<String>,
}

struct Writer {
    name: String,
    from: Instant,
    to: Option<Instant>,
}

impl Writers {
    pub fn begins(&mut self, name: &str) {
        self.all.push(Writer { name: name.to_owned(), from: Instant::now(), to: None });
    }

    pub fn ends(&mut self, name: &str) {
        let ended = self.all.iter_mut().filter(|w| w.name == name);
        ended.for_each(|w| w.to = Some(Instant::now()));
    }

    pub fn acknowledged(&mut self, name: &str) {
        self.owner = Some(name.to_owned());
    }

    /// Whether others wrote indexes beside this process for so long that they may have removed what it reads: beside one who
    /// reads, if there were two of them at a time.
    pub fn are_in_the_way_of(&self, name: &str) -> bool {
        if self.owner.as_deref() == Some(name) {
            return false;
        }
        let mine = |w: &&Writer| w.name == name;
        match self.all.iter().find(mine) {
            Some(me) => self.all.iter().filter(|w| !mine(w)).any(|w| together(me, w) > GRACE / 2),
            None => (1..self.all.len())
                .any(|i| self.all[..i].iter().any(|w| together(w, &self.all[i]) > GRACE / 2)),
        }
    }
}

/// For how long both were there.
fn together(a: &Writer, b: &Writer) -> Duration {
    let now = Instant::now();
    let end = a.to.unwrap_or(now).min(b.to.unwrap_or(now));
    end.saturating_duration_since(a.from.max(b.from))
}
