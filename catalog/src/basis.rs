//! A point in time as people name it (a t, a transaction entity, an instant), and its resolution to a t.
