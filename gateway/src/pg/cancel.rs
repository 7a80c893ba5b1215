//! Who is connected, by process number and secret, and how a CancelRequest reaches a running statement.

use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The connections that can be cancelled.
#[derive(Default)]
pub struct Registry {
    entries: Mutex<HashMap<i32, Entry>>,
}

struct Entry {
    secret: Bytes,
    running: Arc<Running>,
}

/// The statement that a connection runs now, if any.
#[derive(Default)]
pub struct Running(Mutex<Option<CancellationToken>>);

impl Running {
    /// A token that a CancelRequest cancels until the next call of `begin` or `end`.
    pub fn begin(&self) -> CancellationToken {
        let token = CancellationToken::new();
        *self.0.lock() = Some(token.clone());
        token
    }

    /// A request that comes now must not stop the next statement.
    pub fn end(&self) {
        *self.0.lock() = None;
    }

    fn cancel(&self) {
        if let Some(token) = &*self.0.lock() {
            token.cancel();
        }
    }
}

/// A place in the registry; dropping it leaves.
pub struct Registration {
    registry: Arc<Registry>,
    pub pid: i32,
    pub secret: Bytes,
    pub running: Arc<Running>,
}

impl Registry {
    /// A new connection, with a secret of so many random bytes (4 in protocol 3.0). None: there are `limit` already.
    pub fn enter(self: &Arc<Self>, limit: usize, secret: usize) -> Option<Registration> {
        let mut entries = self.entries.lock();
        if entries.len() >= limit {
            return None;
        }
        let pid = loop {
            let pid = i32::from_be_bytes(random()) & i32::MAX;
            if pid != 0 && !entries.contains_key(&pid) {
                break pid;
            }
        };
        let bytes: Vec<u8> = std::iter::repeat_with(random).flatten().take(secret).collect();
        let secret = Bytes::from(bytes);
        let running = Arc::new(Running::default());
        entries.insert(pid, Entry { secret: secret.clone(), running: Arc::clone(&running) });
        Some(Registration { registry: Arc::clone(self), pid, secret, running })
    }

    /// Stops the statement that runs on that connection; a wrong secret does nothing and is not told.
    pub fn cancel(&self, pid: i32, secret: &[u8]) {
        let running = self.entries.lock().get(&pid).and_then(|entry| {
            let same = entry.secret.len() == secret.len()
                && entry.secret.iter().zip(secret).fold(0, |acc, (a, b)| acc | (a ^ b)) == 0;
            same.then(|| Arc::clone(&entry.running))
        });
        match running {
            Some(running) => running.cancel(),
            None => tracing::info!("a cancel request with a wrong process number or secret"),
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.entries.lock().remove(&self.pid);
    }
}

/// The first bytes of a random UUID are random throughout.
fn random() -> [u8; 4] {
    let [a, b, c, d, ..] = *Uuid::new_v4().as_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_secret_cancels_and_only_what_runs() {
        let registry = Arc::new(Registry::default());
        let one = registry.enter(2, 32).unwrap();
        let two = registry.enter(2, 4).unwrap();
        assert!(registry.enter(2, 4).is_none());
        assert_eq!((one.secret.len(), two.secret.len()), (32, 4));

        registry.cancel(one.pid, &one.secret);
        let token = one.running.begin();
        assert!(!token.is_cancelled());
        registry.cancel(one.pid, &two.secret);
        registry.cancel(two.pid, &one.secret);
        registry.cancel(one.pid, &[]);
        assert!(!token.is_cancelled());
        registry.cancel(one.pid, &one.secret);
        assert!(token.is_cancelled());

        drop(two);
        assert!(registry.enter(2, 4).is_some());
    }
}
