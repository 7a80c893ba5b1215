//! What was found where all of a database was read: `daodb verify`, and `GET /api/{db}/verify`.

use crate::http::report::hash_text;
use daodb_storage::FIRST_T;
use daodb_storage::verify::VerifyReport;

pub struct Verified {
    pub database: String,
    /// Those that are told; `more_faults` are not.
    pub faults: Vec<Fault>,
    pub more_faults: u64,
    pub notes: Vec<String>,
    pub transactions: u64,
    pub datoms: u64,
    pub log_objects: u64,
    pub segments: u64,
    pub bytes: u64,
    /// The last transaction that was read, and its hash in hexadecimal; None: there is none.
    pub head: Option<(i64, String)>,
    /// Whether the index was compared with the log.
    pub compared: bool,
    pub seconds: f64,
}

pub struct Fault {
    /// The object's path.
    pub object: String,
    pub what: String,
    /// What is lost with it, and what mends it.
    pub reach: String,
}

impl Verified {
    pub fn new(report: VerifyReport, seconds: f64) -> Verified {
        let some = report.head.t >= FIRST_T;
        let fault = |fault: daodb_storage::verify::Fault| Fault {
            reach: fault.reach.to_string(),
            object: fault.object,
            what: fault.what,
        };
        Verified {
            database: report.database,
            faults: report.faults.into_iter().map(fault).collect(),
            more_faults: report.more_faults,
            notes: report.notes,
            transactions: report.transactions,
            datoms: report.datoms,
            log_objects: report.log.objects,
            segments: report.segments.objects,
            bytes: report.bytes,
            head: some.then(|| (report.head.t, hash_text(&report.head.hash))),
            compared: report.compared,
            seconds: (seconds * 1000.0).round() / 1000.0,
        }
    }
}
