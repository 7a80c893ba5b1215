//! The life of one process: it can be held up, and it can die at any moment.

use super::chance::Chance;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

#[derive(Debug)]
pub struct Life {
    pub name: String,
    chance: Chance,
    dead: AtomicBool,
    died: Notify,
    held_up: Mutex<Option<Instant>>,
    longest: Mutex<Duration>,
}

impl Life {
    pub fn new(name: String, chance: &Chance) -> Arc<Life> {
        chance.note(format!("{name} starts"));
        Arc::new(Life {
            name,
            chance: chance.clone(),
            dead: AtomicBool::new(false),
            died: Notify::new(),
            held_up: Mutex::default(),
            longest: Mutex::default(),
        })
    }

    /// As `kill -9` does.
    pub fn die(&self) {
        if !self.dead.swap(true, Ordering::SeqCst) {
            self.chance.note(format!("{} DIES", self.name));
            self.died.notify_waiters();
        }
    }

    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// As SIGSTOP does, and SIGCONT later; or a machine that swaps.
    pub fn hold_up(&self, time: Duration) {
        self.chance.note(format!("{} is held up for {time:?}", self.name));
        *self.held_up.lock() = Some(Instant::now() + time);
        let mut longest = self.longest.lock();
        *longest = longest.max(time);
    }

    /// For how long at most.
    pub fn was_held_up(&self) -> Duration {
        *self.longest.lock()
    }

    /// Ready once it is dead.
    pub async fn death(&self) {
        let died = self.died.notified();
        if !self.is_dead() {
            died.await;
        }
    }

    /// Ready when the process may go on; for a dead one never.
    pub async fn go_on(&self) {
        loop {
            if self.is_dead() {
                std::future::pending::<()>().await;
            }
            let until = *self.held_up.lock();
            match until.filter(|until| *until > Instant::now()) {
                Some(until) => tokio::time::sleep_until(until).await,
                None => return,
            }
        }
    }
}
