//! Clients that are broken, slow or many: each fails alone, and the others are served.

use super::support::{Door, EDN, JSON, SQL};
use daodb_gateway::http::Limits;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn resident_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib / 1024)
}

/// What a socket says until it is closed; None: it stays open.
async fn said(socket: &mut TcpStream) -> Option<String> {
    let mut out = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut out)).await;
    // A reset is an end too.
    let _ = read.ok()?;
    Some(String::from_utf8_lossy(&out).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_and_bodies_are_given_up() {
    let limits = Limits {
        head_time: Duration::from_millis(300),
        body_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let door = Door::within(limits).await;
    let mut head = TcpStream::connect(door.address).await.unwrap();
    head.write_all(b"GET /api HTTP/1.1\r\nHost: loc").await.unwrap();
    let mut body = TcpStream::connect(door.address).await.unwrap();
    let start = "POST /api/test/sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sql\r\n\
                 Connection: close\r\nContent-Length: 100\r\n\r\nSELECT";
    body.write_all(start.as_bytes()).await.unwrap();
    assert_eq!(door.get("/basis", JSON).await.status, 200);
    let told = said(&mut head).await.expect("a head that does not come is given up");
    assert!(!told.contains("200"), "{told}");
    let told = said(&mut body).await.expect("a body that does not come is given up");
    assert!(told.starts_with("HTTP/1.1 408"), "{told}");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_is_cut_off() {
    let stalled = Duration::from_millis(500);
    let limits = Limits { stalled, requests: 1, wait: Duration::ZERO, ..Limits::default() };
    let door = Door::within(limits).await;
    let sql = "SELECT n FROM generate_series(1, 100000000000) AS g(n)";
    let mut socket = TcpStream::connect(door.address).await.unwrap();
    let request = format!(
        "POST /api/test/sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: {SQL}\r\nContent-Length: {}\r\n\r\n{sql}",
        sql.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let start = Instant::now();
    tokio::time::sleep(Duration::from_millis(200)).await;
    // Its place is free again once it is cut off.
    while door.get("/basis", JSON).await.status != 200 {
        assert!(start.elapsed() < Duration::from_secs(30), "it holds its place");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(socket);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_and_the_next_one_served() {
    let door = Door::open().await;
    let bytes: [&[u8]; 5] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /api/test/sql HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        b"GET /api/%ff%fe/basis HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ];
    for bytes in bytes {
        let mut socket = TcpStream::connect(door.address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        socket.shutdown().await.unwrap();
        let told = said(&mut socket).await.expect("an end");
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 4"), "{told}");
        assert_eq!(door.get("/basis", JSON).await.status, 200);
    }
    for body in ["[".repeat(1 << 20), "{:a ".repeat(1 << 18), "#a ".repeat(1 << 18)] {
        let refused = door.post("/sql", EDN, JSON, &body).await;
        assert_eq!(refused.status, 400);
        assert!(refused.text().len() < 10_000);
    }
    let large = "x".repeat(100 << 20);
    let request = door.client.post(door.url("/sql")).header("content-type", EDN).body(large);
    // The server need not read all of it before it says no.
    if let Ok(response) = request.send().await {
        assert_eq!(response.status().as_u16(), 413);
    }
    assert_eq!(door.get("/basis", JSON).await.status, 200);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_at_once() {
    let door = Door::open().await;
    let before = resident_mib();
    let sql = "SELECT n, n * 2, 'some text that takes room' FROM generate_series(1, 20000) AS g(n)";
    let all = (0..500).map(|_| {
        let request = door.client.post(door.url("/sql")).header("content-type", SQL).body(sql);
        async move {
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            (status, response.bytes().await.unwrap().len())
        }
    });
    let answers = futures::future::join_all(all).await;
    let served = answers.iter().filter(|(status, _)| *status == 200).count();
    let full = answers.iter().filter(|(s, _)| *s == 200).all(|(_, length)| *length > 500_000);
    assert!(full && answers.iter().all(|(status, _)| [200, 429].contains(status)), "{answers:?}");
    assert!(served >= 64, "{served} were served");
    if let (Some(before), Some(after)) = (before, resident_mib()) {
        // The client of this process holds what it got: some 700 KB each.
        assert!(after < before + 1500, "from {before} to {after} MiB");
    }
    assert_eq!(door.get("/basis", JSON).await.status, 200);
    door.close().await;
}

/// A body of 100 MB in pieces that do not say how long it is.
fn masses() -> reqwest::Body {
    let piece = bytes::Bytes::from(vec![b' '; 1 << 20]);
    let pieces = (0..100).map(move |_| Ok::<_, std::io::Error>(piece.clone()));
    reqwest::Body::wrap_stream(futures::stream::iter(pieces))
}

#[tokio::test(flavor = "multi_thread")]
async fn many_large_bodies_at_once() {
    let door = Door::open().await;
    let before = resident_mib();
    let all = (0..16).map(|n| {
        let format = [EDN, JSON, SQL][n % 3];
        let request = door.client.post(door.url("/sql")).header("content-type", format);
        request.body(masses()).send()
    });
    let sent = tokio::spawn(futures::future::join_all(all.collect::<Vec<_>>()));
    let (mut most, mut served) = (before, 0);
    while !sent.is_finished() {
        assert_eq!(door.get("/basis", JSON).await.status, 200);
        served += 1;
        most = most.max(resident_mib());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for response in sent.await.unwrap() {
        // The server need not read all of it before it says no: then the client may not read why.
        let status = response.map_or(413, |response| response.status().as_u16());
        assert!([413, 429, 503].contains(&status), "{status}");
    }
    if let (Some(before), Some(most)) = (before, most) {
        // 256 MiB of bodies, and what this process has at hand beside them; all of them would be 1.6 GB.
        assert!(most < before + 900, "from {before} to {most} MiB");
    }
    assert!(served > 0);
    door.close().await;
}

/// Connections that end at any place of a request, in one direction only.
#[tokio::test(flavor = "multi_thread")]
async fn half_closed_connections_end() {
    let door = Door::open().await;
    let sql = "SELECT 1";
    let whole = format!(
        "POST /api/test/sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: {SQL}\r\nContent-Length: {}\r\n\r\n{sql}",
        sql.len()
    );
    let mut sockets = Vec::new();
    for n in 0..200 {
        let mut socket = TcpStream::connect(door.address).await.unwrap();
        let part = &whole.as_bytes()[..whole.len() * n / 199];
        socket.write_all(part).await.unwrap();
        socket.shutdown().await.unwrap();
        sockets.push((n, socket));
    }
    assert_eq!(door.get("/basis", JSON).await.status, 200);
    for (n, mut socket) in sockets {
        let told = said(&mut socket).await.unwrap_or_else(|| panic!("{n} is kept open"));
        let whole = n == 199;
        // Who sent all of it may have left, or wait: both is right.
        let right = told.is_empty() || told.starts_with("HTTP/1.1 4");
        assert!(right || (whole && told.starts_with("HTTP/1.1 200")), "{n}: {told}");
    }
    let running = door.get("//metrics", "text/plain").await;
    assert!(running.text().contains("\ndaodb_http_requests_running 0\n"), "{}", running.text());
    door.close().await;
}

/// 500 that send a letter now and then, and one that asks.
#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_slow_ones_and_one_that_asks() {
    let limits = Limits { head_time: Duration::from_secs(3), ..Limits::default() };
    let door = Door::within(limits).await;
    let before = resident_mib();
    let slow = (0..500).map(|_| async {
        let mut socket = TcpStream::connect(door.address).await.unwrap();
        let start = Instant::now();
        for letter in b"GET /api/test/basis HTTP/1.1\r\nHost: localhost\r\n".iter().cycle() {
            // It is cut off: a write fails, if not this one then the next.
            if socket.write_all(&[*letter]).await.is_err() {
                return start.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        unreachable!("a cycle has no end")
    });
    let asks = async {
        let start = Instant::now();
        let mut times = Vec::new();
        while start.elapsed() < Duration::from_secs(2) {
            let asked = Instant::now();
            assert_eq!(door.get("/basis", JSON).await.status, 200);
            times.push(asked.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        (times, resident_mib())
    };
    let (ended, (mut times, during)) = tokio::join!(futures::future::join_all(slow), asks);
    let last = ended.iter().max().unwrap();
    assert!(*last < Duration::from_secs(30), "{last:?}");
    times.sort();
    let (median, slowest) = (times[times.len() / 2], times[times.len() - 1]);
    assert!(
        median < Duration::from_secs(1),
        "half of the answers took {median:?}, one {slowest:?}"
    );
    if let (Some(before), Some(during)) = (before, during) {
        assert!(during < before + 400, "from {before} to {during} MiB");
    }
    door.close().await;
}
