//! The templates of `to_char`, `to_date` and `to_timestamp` of times: `YYYY-MM-DD HH24:MI:SS`, taken apart.

/// A field of a time, or text between fields.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    Field(Field),
    Text(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// In capitals, as [`FIELDS`] has it.
    pub name: &'static str,
    /// As it is written: `Month`, `MONTH`, `month`.
    pub case: Case,
    /// `FM`: no blanks, no zeros before it.
    pub bare: bool,
    /// `TH` or `th` after it.
    pub ordinal: Option<Case>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Upper,
    Lower,
    Capital,
}

impl Case {
    pub fn of(self, text: &str) -> String {
        match self {
            Case::Upper => text.to_uppercase(),
            Case::Lower => text.to_lowercase(),
            Case::Capital => {
                let mut chars = text.chars();
                let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
                first + &chars.as_str().to_lowercase()
            }
        }
    }
}

/// Longer ones before those that they begin with.
const FIELDS: [&str; 51] = [
    "SSSSS", "SSSS", "MONTH", "Y,YYY", "A.M.", "P.M.", "A.D.", "B.C.", "HH24", "HH12", "IDDD",
    "IYYY", "YYYY", "DDD", "DAY", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "IYY", "MON", "TZH",
    "TZM", "YYY", "AD", "AM", "BC", "CC", "DD", "DY", "HH", "ID", "IW", "IY", "MI", "MM", "MS",
    "OF", "PM", "RM", "SS", "TZ", "US", "WW", "YY", "D", "I", "J", "Q",
];
const SHORT: [&str; 2] = ["W", "Y"];
/// These are written with one capital, too.
const NAMES: [&str; 4] = ["MONTH", "MON", "DAY", "DY"];

/// A template of times. Letters that name nothing are text.
pub fn parts(template: &str) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::new();
    let mut rest = template;
    let (mut bare, mut of_language) = (false, false);
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let (text, after) = quoted(&rest[1..]);
            text_to(&mut out, &text);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("\\\"") {
            text_to(&mut out, "\"");
            rest = after;
        } else if let Some(after) = either(rest, "FM") {
            (bare, rest) = (true, after);
        } else if let Some(after) = either(rest, "TM") {
            (of_language, rest) = (true, after);
        } else if let Some(after) = either(rest, "FX") {
            // Exactness changes nothing here.
            rest = after;
        } else if let Some((name, case, after)) = field(rest) {
            rest = after;
            let ordinal = match rest.get(..2) {
                Some("TH") => Some(Case::Upper),
                Some("th") => Some(Case::Lower),
                _ => None,
            };
            rest = if ordinal.is_some() { &rest[2..] } else { rest };
            // Words of another language have no width.
            let field =
                Field { name, case, bare: bare || (of_language && NAMES.contains(&name)), ordinal };
            out.push(Part::Field(field));
            (bare, of_language) = (false, false);
        } else {
            text_to(&mut out, &rest[..first.len_utf8()]);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// The text up to the next quote, and what follows it; a backslash keeps the letter after it.
pub fn quoted(rest: &str) -> (String, &str) {
    let mut text = String::new();
    let mut chars = rest.char_indices();
    let end = loop {
        match chars.next() {
            Some((at, '"')) => break at + 1,
            Some((_, '\\')) => text.extend(chars.next().map(|(_, c)| c)),
            Some((_, c)) => text.push(c),
            None => break rest.len(),
        }
    };
    (text, &rest[end..])
}

/// What follows a word in capitals or in small letters.
pub fn either<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    text.strip_prefix(word).or_else(|| text.strip_prefix(word.to_lowercase().as_str()))
}

fn field(text: &str) -> Option<(&'static str, Case, &str)> {
    FIELDS.iter().chain(&SHORT).find_map(|name| {
        let written = text.get(..name.len())?;
        let case = if written == *name {
            Case::Upper
        } else if written == name.to_lowercase() {
            Case::Lower
        } else if NAMES.contains(name) && written == Case::Capital.of(name) {
            Case::Capital
        } else {
            return None;
        };
        Some((*name, case, &text[name.len()..]))
    })
}

fn text_to(out: &mut Vec<Part>, text: &str) {
    match out.last_mut() {
        Some(Part::Text(before)) => before.push_str(text),
        _ => out.push(Part::Text(text.to_owned())),
    }
}

/// `st`, `nd`, `rd` or `th`.
pub fn ordinal(number: &str) -> &'static str {
    let digits: Vec<u8> = number.bytes().filter(u8::is_ascii_digit).collect();
    match digits.as_slice() {
        [.., b'1', _] => "th",
        [.., b'1'] => "st",
        [.., b'2'] => "nd",
        [.., b'3'] => "rd",
        _ => "th",
    }
}
