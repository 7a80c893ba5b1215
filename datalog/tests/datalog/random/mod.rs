//! Random schemas, data and queries, answered by the engine and by the [`naive`](crate::naive) evaluator.
//!
//! In the order data flows: a [`world`] is made; [`queries`] asks of it, by [`patterns`], [`nested`] forms and rules, and of Datomic by what is [`wide`];
//! [`run`] compares, and [`datomic`] asks Datomic in the evaluator's place. `DAODB_SEED` repeats one world, `DAODB_QUERIES` says
//! how many queries (where `CI` is set 5,000, always the same ones).

mod datomic;
mod nested;
mod patterns;
mod queries;
mod run;
mod wide;
mod world;
