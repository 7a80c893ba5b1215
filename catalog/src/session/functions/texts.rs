//! Regular expressions, as Postgres has them beside those of the engine.

use super::refused;
use super::rowwise::RowWise;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use regex::Regex;
use std::cell::RefCell;
use std::sync::Arc;

pub const SUBSTRING: &str = "dao_substring_of_pattern";

pub fn functions() -> Vec<ScalarUDF> {
    let texts = |n| Ok(vec![DataType::Utf8; n]);
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    vec![
        RowWise::udf("regexp_split_to_array", texts(2), list, split),
        RowWise::udf("regexp_substr", texts(2), DataType::Utf8, |a, _| found(a, false)),
        RowWise::udf(SUBSTRING, texts(2), DataType::Utf8, |a, _| found(a, true)),
    ]
}

thread_local! {
    /// One pattern for all rows is the rule.
    static LAST: RefCell<Option<Regex>> = const { RefCell::new(None) };
}

fn with<T>(args: &[ScalarValue], f: impl FnOnce(&str, &Regex) -> T) -> Result<T> {
    let (Some(Some(text)), Some(Some(pattern))) = (args[0].try_as_str(), args[1].try_as_str())
    else {
        return exec_err!("a text and a regular expression are needed");
    };
    LAST.with_borrow_mut(|last| {
        if last.as_ref().is_none_or(|regex| regex.as_str() != pattern) {
            match Regex::new(pattern) {
                Ok(regex) => *last = Some(regex),
                Err(e) => return Err(refused("2201B", format!("invalid regular expression: {e}"))),
            }
        }
        match last {
            Some(regex) => Ok(f(text, regex)),
            None => exec_err!("there is no regular expression"),
        }
    })
}

fn split(args: &[ScalarValue], _: &str) -> Result<ScalarValue> {
    let parts: Vec<ScalarValue> = with(args, |text, regex| {
        let (mut parts, mut start) = (Vec::new(), 0);
        for found in regex.find_iter(text) {
            // Where nothing matches, nothing is left out: not at the ends, nor behind another match.
            if found.is_empty() && (found.start() == start || found.end() == text.len()) {
                continue;
            }
            parts.push(ScalarValue::from(&text[start..found.start()]));
            start = found.end();
        }
        parts.push(ScalarValue::from(&text[start..]));
        parts
    })?;
    Ok(ScalarValue::List(ScalarValue::new_list_nullable(&parts, &DataType::Utf8)))
}

/// What matches first; or of it what the first group has, where there is one.
fn found(args: &[ScalarValue], group: bool) -> Result<ScalarValue> {
    let found = with(args, |text, regex| {
        let group = usize::from(group && regex.captures_len() > 1);
        regex.captures(text).and_then(|c| Some(c.get(group)?.as_str().to_owned()))
    })?;
    Ok(ScalarValue::Utf8(found))
}
