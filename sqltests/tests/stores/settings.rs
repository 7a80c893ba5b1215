//! What is said of a bucket that is not there, of credentials that do not fit, and what reading alone may do.

use daodb_sqltests::servers::Server;
use daodb_storage::{Access, Error, Location, Store};
use datafusion::object_store::path::Path;
use std::net::TcpListener;

async fn error(location: &Location) -> Error {
    Store::open(location, Access::ReadWrite).await.err().expect("it is no place to open")
}

fn says(error: &Error, what: &str, hint: &str) {
    assert!(error.message.contains(what), "{error}");
    assert!(error.hint.as_ref().is_some_and(|h| h.contains(hint)), "{error}");
}

/// A bucket that is missing, and a server that is.
pub async fn refuses(server: &Server) {
    let data = server.location.data.display().to_string();
    let scheme = data.split("://").next().unwrap();
    let nowhere =
        Location { data: format!("{scheme}://no-such-bucket/a").into(), ..server.place("a") };
    says(&error(&nowhere).await, "there is no such bucket", "make the bucket first");

    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = Location { endpoint: Some(format!("http://{free}/x")), ..server.place("a") };
    says(&error(&silent).await, "the store does not answer", "--endpoint");
}

pub async fn refuses_other_keys(server: &Server) {
    let options = ["aws_access_key_id", "aws_secret_access_key"];
    let options = options.map(|key| (key.to_owned(), "not-the-key".to_owned()));
    let other = Location { options: options.into(), ..server.place("a") };
    says(&error(&other).await, "the store refuses these credentials", "AWS_ACCESS_KEY_ID");
}

/// Neither is it probed, nor does it write.
pub async fn reads_only(location: &Location) {
    let store = Store::open(location, Access::ReadOnly).await.unwrap();
    let row = |kind: &str| {
        store.requests().iter().filter(|r| r.kind == kind).map(|r| r.requests).sum::<u64>()
    };
    assert_eq!((row("put"), row("delete")), (0, 0));
    let path: Path = store.root.clone().join("x");
    let error = store.create(&path, "x").await.unwrap_err();
    assert!(error.message.contains("for reading only"), "{error}");
    store.replace(&path, "x").await.unwrap_err();
    store.delete(&path).await.unwrap_err();
    assert!(!store.exists(&path).await.unwrap());
    assert_eq!((row("put"), row("delete")), (0, 0));
}

#[tokio::test]
async fn places_that_are_none() {
    for (data, what, hint) in [
        ("ftp://music/a", "no kind of store has such a URL", "s3://bucket/prefix"),
        ("s3://key:secret@music", "ends up in logs", "leave them out"),
        ("memory:/a", "memory has no folders", "memory:"),
    ] {
        let error = error(&Location::folder(data)).await;
        says(&error, what, hint);
        assert!(!error.to_string().contains("secret@"), "{error}");
    }
}
