//! Datalog over databases in memory: worked files of queries with their answers ([`worked`]), reading without a query
//! ([`access`]), the document ([`docs`]), hostile queries ([`hostile`]), complaints of users of other databases ([`complaints`]), more data ([`figures`]), closures ([`graphs`]), what plans have not ([`plans`]), random queries beside a naive evaluator ([`random`], [`naive`]), what is kept of them ([`cache`]),
//! queries that transactions must leave with an answer ([`conditions`]).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod cache;
mod complaints;
mod conditions;
mod docs;
mod figures;
mod graphs;
mod hostile;
mod naive;
mod plans;
mod random;
mod support;
mod worked;
