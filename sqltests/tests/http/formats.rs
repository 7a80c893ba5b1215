//! The same rows in every format: forms, CSV, Arrow; and how those end that fail on the way.

use super::support::{Door, EDN, JSON, SQL, TRANSIT};
use daodb_gateway::http::Limits;
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::ipc::reader::StreamReader;
use serde_json::json;

const CSV: &str = "text/csv";
const ARROW: &str = "application/vnd.apache.arrow.stream";

/// An attribute of each type, twice.
const ALL: &str = "transact 2026-03-01T00:00:00Z
+ x :all/s \":no keyword\"
+ x :all/n 9007199254740993
+ x :all/d 1.5
+ x :all/b true
+ x :all/k :a/b
+ x :all/at #inst \"2026-01-01T00:00:00.123456Z\"
+ x :all/u #uuid \"6f9619ff-8b86-d011-b42d-00cf4fc964ff\"
+ x :all/uri #uri \"http://a\"
+ x :all/bytes #bytes \"00ff\"
+ x :all/big 12N
+ x :all/dec 1.50M
+ x :all/ref @a
";

#[tokio::test(flavor = "multi_thread")]
async fn values_keep_their_types() {
    let mut door = Door::open().await;
    door.transact(ALL).await;
    let sql = "SELECT s, n, d, b, k, at, u, uri, bytes, big, dec, ref FROM \"all\"";
    let edn = door.post("/sql", SQL, EDN, sql).await;
    let expect = "[\":no keyword\" 9007199254740993 1.5 true :a/b #inst \"2026-01-01T00:00:00.123456Z\" \
        #uuid \"6f9619ff-8b86-d011-b42d-00cf4fc964ff\" #dao/uri \"http://a\" #dao/bytes \"AP8=\" \
        12N 1.5M #dao/ref 4294967296]";
    assert!(edn.text().contains(expect), "{}", edn.text());
    let json = door.post("/sql", SQL, JSON, sql).await.json();
    assert_eq!(
        json["rows"],
        json!([[
            {"#string": ":no keyword"}, {"#long": "9007199254740993"}, 1.5, true, ":a/b",
            {"#inst": "2026-01-01T00:00:00.123456Z"},
            {"#uuid": "6f9619ff-8b86-d011-b42d-00cf4fc964ff"}, {"#dao/uri": "http://a"},
            {"#dao/bytes": "AP8="}, {"#bigint": "12"}, {"#bigdec": "1.5"},
            {"#dao/ref": 4_294_967_296_i64}
        ]])
    );
    let transit = door.post("/sql", SQL, TRANSIT, sql).await.json();
    let rows = transit.as_array().unwrap().last().unwrap();
    assert_eq!(
        rows[0],
        json!([
            ":no keyword",
            "~i9007199254740993",
            1.5,
            true,
            "~:a/b",
            ["~#dao/instant", 1_767_225_600_123_456_i64],
            "~u6f9619ff-8b86-d011-b42d-00cf4fc964ff",
            "~rhttp://a",
            "~bAP8=",
            "~n12",
            "~f1.5",
            ["~#dao/ref", 4_294_967_296_i64]
        ])
    );
    let csv = door.post("/sql", SQL, CSV, sql).await;
    assert_eq!(
        csv.text().lines().nth(1).unwrap(),
        ":no keyword,9007199254740993,1.5,t,:a/b,2026-01-01 00:00:00.123456+00,\
         6f9619ff-8b86-d011-b42d-00cf4fc964ff,http://a,\\x00ff,12,1.5,4294967296"
    );
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_as_arrow() {
    let door = Door::open().await;
    let sql = "SELECT n FROM generate_series(1, 100000) AS g(n)";
    let answer = door.post("/sql", SQL, ARROW, sql).await;
    assert_eq!(answer.header("content-type"), Some(ARROW));
    let reader = StreamReader::try_new(answer.body.as_slice(), None).unwrap();
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().unwrap();
    let sum =
        |b: &RecordBatch| b.column(0).as_primitive::<Int64Type>().values().iter().sum::<i64>();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 100_000);
    assert_eq!(batches.iter().map(sum).sum::<i64>(), 5_000_050_000);
    let empty = door.post("/sql", SQL, ARROW, "SELECT n FROM item WHERE false").await;
    let reader = StreamReader::try_new(empty.body.as_slice(), None).unwrap();
    assert_eq!((reader.schema().fields().len(), reader.count()), (1, 0));
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_fails_midway_is_told_from_a_whole_one() {
    let door = Door::within(Limits { rows: 50_000, ..Limits::default() }).await;
    let sql = "SELECT n FROM generate_series(1, 100000) AS g(n)";
    for accept in [JSON, EDN, TRANSIT] {
        let answer = door.post("/sql", SQL, accept, sql).await;
        assert!(answer.status == 200 && answer.whole, "{accept}");
        assert!(answer.text().contains("54000"), "{accept}");
    }
    let json = door.post("/sql", SQL, JSON, sql).await.json();
    assert_eq!(json["error"]["code"], json!("54000"));
    for accept in [CSV, ARROW] {
        let answer = door.post("/sql", SQL, accept, sql).await;
        assert!(answer.status == 200 && !answer.whole && !answer.body.is_empty(), "{accept}");
    }
    let whole =
        door.post("/sql", SQL, CSV, "SELECT n FROM generate_series(1, 50000) AS g(n)").await;
    assert!(whole.whole);
    assert_eq!(whole.text().lines().count(), 50_001);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_packed_where_the_client_takes_it() {
    let door = Door::open().await;
    let sql = "SELECT n FROM generate_series(1, 10000) AS g(n)";
    let request = door.client.post(door.url("/sql")).header("content-type", SQL);
    let packed = super::support::answer(request.header("accept-encoding", "gzip").body(sql)).await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.starts_with(&[0x1f, 0x8b]) && packed.body.len() < 40_000);
    let plain = door.post("/sql", SQL, JSON, sql).await;
    assert_eq!(plain.header("content-encoding"), None);
    door.close().await;
}

/// A text in gzip's format, as it is.
fn gzip(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    let crc = text.bytes().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    });
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&(!length).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(&(!crc).to_le_bytes());
    out.extend_from_slice(&u32::from(length).to_le_bytes());
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn packed_bodies_are_unpacked() {
    let door = Door::within(Limits { body: 1000, ..Limits::default() }).await;
    let post = |body: Vec<u8>, encoding: &str| {
        let request = door.client.post(door.url("/sql")).header("content-type", SQL);
        super::support::answer(request.header("content-encoding", encoding).body(body))
    };
    let packed = post(gzip("SELECT n FROM item"), "gzip").await;
    assert_eq!((packed.status, &packed.json()["rows"]), (200, &json!([[2]])));
    // The limit is that of what comes out.
    let large = post(gzip(&format!("SELECT 1{}", " ".repeat(2000))), "gzip").await;
    assert_eq!((large.status, large.code().as_str()), (413, "54000"));
    let broken = post(b"no gzip".to_vec(), "gzip").await;
    assert_eq!((broken.status, broken.code().as_str()), (400, "22023"));
    let unknown = post(b"SELECT 1".to_vec(), "br").await;
    assert_eq!((unknown.status, unknown.code().as_str()), (415, "0A000"));
    door.close().await;
}
