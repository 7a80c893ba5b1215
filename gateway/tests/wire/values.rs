//! Values of every type, as text and as binary, out and in.

use crate::support::{Server, connect, db_error, rows};
use bytes::BytesMut;
use std::error::Error;
use tokio_postgres::Client;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};

/// A value's bytes as they are on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bytes(Vec<u8>);

impl<'a> FromSql<'a> for Bytes {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }
    fn accepts(_: &Type) -> bool {
        true
    }
}

impl ToSql for Bytes {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    to_sql_checked!();
}

#[derive(Debug)]
struct Text(&'static str);

impl ToSql for Text {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }
    to_sql_checked!();
}

/// A literal, its type, its text; the binary that comes out goes in again, and so does the text.
async fn round(client: &Client, literal: &str, ty: Type, text: &'static str) {
    assert_eq!(rows(client, &format!("SELECT {literal}")).await, [text], "{literal}");
    let row = client.query_one(&format!("SELECT {literal}"), &[]).await;
    let row = row.unwrap_or_else(|e| panic!("{literal}: {e:?}"));
    assert_eq!(row.columns()[0].type_(), &ty, "{literal}");
    let binary: Bytes = row.get(0);
    let echo = client.prepare_typed("SELECT $1", std::slice::from_ref(&ty)).await;
    let echo = echo.unwrap_or_else(|e| panic!("parameter of {ty}: {e:?}"));
    assert_eq!(echo.params(), std::slice::from_ref(&ty));
    // A uuid parameter is compared as text; its column is described as text.
    let expect = match ty {
        Type::UUID => Bytes(text.as_bytes().to_vec()),
        _ => binary.clone(),
    };
    for value in [&binary as &(dyn ToSql + Sync), &Text(text)] {
        let row = client.query_one(&echo, &[value]).await;
        let row = row.unwrap_or_else(|e| panic!("{value:?} of {ty}: {e:?}"));
        assert_eq!(row.get::<_, Bytes>(0), expect, "{value:?} of {ty}");
    }
    let null: Option<Bytes> = None;
    let row = client.query_one(&echo, &[&null]).await.unwrap();
    assert_eq!(row.get::<_, Option<Bytes>>(0), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_both_ways() {
    let server = Server::start().await;
    let client = server.connect().await;
    round(&client, "true", Type::BOOL, "t").await;
    round(&client, "(-7)::int2", Type::INT2, "-7").await;
    round(&client, "(-7)::int4", Type::INT4, "-7").await;
    round(&client, "9223372036854775807", Type::INT8, "9223372036854775807").await;
    round(&client, "0.1::float4", Type::FLOAT4, "0.1").await;
    round(&client, "0.1::float8", Type::FLOAT8, "0.1").await;
    round(&client, "1e100::float8", Type::FLOAT8, "1e+100").await;
    round(&client, "(-12.50)::numeric(10,2)", Type::NUMERIC, "-12.50").await;
    round(&client, "'ä b'", Type::TEXT, "ä b").await;
    round(&client, "''", Type::TEXT, "").await;
    round(&client, "'\\x00ff'::bytea", Type::BYTEA, "\\x00ff").await;
    round(&client, "'2026-01-31'::date", Type::DATE, "2026-01-31").await;
    round(&client, "'12:34:56.789'::time", Type::TIME, "12:34:56.789").await;
    let at = "2026-01-31 12:34:56.789";
    round(&client, &format!("'{at}'::timestamp"), Type::TIMESTAMP, at).await;
    let at = "2026-01-31 12:34:56.789+00";
    round(&client, &format!("'{at}'::timestamptz"), Type::TIMESTAMPTZ, at).await;
    let long = "1 year 2 mons 3 days 04:05:06.789";
    round(&client, &format!("'{long}'::interval"), Type::INTERVAL, long).await;
    round(&client, "ARRAY[1, NULL, 3]", Type::INT8_ARRAY, "{1,NULL,3}").await;
    round(&client, "ARRAY['a b', 'c', '']", Type::TEXT_ARRAY, "{\"a b\",c,\"\"}").await;
    round(&client, "ARRAY[true, false]", Type::BOOL_ARRAY, "{t,f}").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_inferred_or_declared() {
    let server = Server::start().await;
    server.add("Ann").await;
    let client = server.connect().await;
    let check = async |sql: &str, expect: &[Type]| {
        let statement = client.prepare(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        assert_eq!(statement.params(), expect, "{sql}");
    };
    check("SELECT * FROM person WHERE _id = $1 AND name = $2", &[Type::INT8, Type::TEXT]).await;
    check("SELECT $1::int4 + 1", &[Type::INT4]).await;
    check("SELECT * FROM person LIMIT $1", &[Type::INT8]).await;
    check("SELECT $1", &[Type::TEXT]).await;
    let row =
        client.query_one("SELECT count(*) FROM person WHERE name = $1", &[&"Ann"]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
    let rows = client.query("SELECT * FROM person LIMIT $1", &[&1i64]).await.unwrap();
    assert_eq!(rows.len(), 1);
    let e = client.query("SELECT $1::int8", &[&Text("x")]).await.unwrap_err();
    assert_eq!(db_error(&e).code().code(), "22P02");
    assert_eq!(db_error(&e).detail(), Some("This is parameter $1."));
}

#[tokio::test(flavor = "multi_thread")]
async fn instants_in_the_zone_of_the_session() {
    let server = Server::start().await;
    let client = connect(server.config().options("-c TimeZone=Europe/Berlin")).await.unwrap();
    let sql = "SELECT '2026-07-01 00:00:00+00'::timestamptz";
    assert_eq!(rows(&client, sql).await, ["2026-07-01 02:00:00+02"]);
    let echo = client.prepare_typed("SELECT $1", &[Type::TIMESTAMPTZ]).await.unwrap();
    let there = client.query_one(&echo, &[&Text("2026-07-01 02:00")]).await.unwrap();
    let utc = client.query_one(&echo, &[&Text("2026-07-01 00:00Z")]).await.unwrap();
    assert_eq!(there.get::<_, Bytes>(0), utc.get::<_, Bytes>(0));
}
