//! What must hold of any body, well formed or hostile: asked by the targets of `cargo fuzz` (`gateway/fuzz`) and by the test that runs
//! their corpora (`sqltests/tests/readers.rs`). Err says what does not hold; a panic, or no end, is a fault as well.

use super::formats::{Format, transit_body};
use daodb_datalog::fuzz::{Held, kinds};

/// What a message may take, whatever the body was.
const MESSAGE: usize = 2000;

pub fn json(body: &str) -> Held {
    holds(Format::Json, body)
}

pub fn transit(body: &str) -> Held {
    holds(Format::Transit, body)
}

/// A body is read, and what was read goes through every format and comes back; or it is refused, as the client's fault, with a place
/// within it.
fn holds(format: Format, body: &str) -> Held {
    let node = match format.read(body.as_bytes()) {
        Ok(node) => node,
        Err(refusal) => {
            let (status, told) = (refusal.status.as_u16(), refusal.error.message.len());
            let within =
                refusal.place.is_some_and(|p| body.get(p.span.start..p.span.end).is_some());
            return match status == 400 && within && (1..=MESSAGE).contains(&told) {
                true => Ok(refusal.error.message),
                false => Err(format!("refused with {status}, {told} bytes, {:?}", refusal.place)),
            };
        }
    };
    let expect = node.to_string();
    for format in Format::ALL {
        let mut written = String::new();
        match format {
            Format::Transit => transit_body(&mut written, &node.form),
            format => format.write(&mut written, &node.form),
        }
        let again = format.read(written.as_bytes());
        let again = again.map_err(|refusal| {
            format!("{expect} as {format:?} is {written}, which is not read: {}", refusal.error)
        })?;
        // NaN equals nothing, so the texts are compared.
        if again.to_string() != expect {
            return Err(format!("{expect} as {format:?} is {written}, which is read as {again}"));
        }
    }
    Ok(kinds(&[node]))
}
