//! DaoDB over HTTP, by a client of its own: what each route answers, in each format, and what it refuses.

mod answers;
mod followers;
mod formats;
mod hostile;
mod limits;
mod log;
mod openapi;
mod provenance;
mod query;
mod reading;
mod schemathesis;
mod support;
mod transact;
