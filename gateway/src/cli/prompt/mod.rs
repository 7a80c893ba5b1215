//! The prompt of `daodb sql`: statements and queries of Datalog, one after the other, in one session.
//!
//! [`terminal`] reads keys and shows the line that [`editor`] keeps; [`history`] remembers, [`words`] knows what may come next,
//! [`statement`] tells where a statement ends. [`session`] runs it, in a [`place`].

mod editor;
mod history;
mod place;
mod session;
mod statement;
mod terminal;
mod words;

pub use place::Place;
pub use session::run;
pub use statement::statements;
