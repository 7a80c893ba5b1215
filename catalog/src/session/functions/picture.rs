//! The templates of `to_char` of numbers: `FM999,990.00`, `S99`, `9.99EEEE`, `RN`.

use super::template::{either, ordinal, quoted};
use bigdecimal::{BigDecimal, RoundingMode, Signed};

/// More places are refused: no number has so many.
const MAX_PLACES: usize = 1000;

#[derive(Debug, Clone, PartialEq)]
enum Part {
    /// A digit; whether it is `0`.
    Digit(bool),
    Point,
    Comma,
    Currency,
    Minus,
    Plus,
    /// `SG`
    Either,
    /// `TH`, or `th`.
    Ordinal(bool),
    /// `RN`, or `rn`.
    Roman(bool),
    Text(String),
}

/// What a template says, beside its parts.
#[derive(Debug, Default)]
pub struct Picture {
    parts: Vec<Part>,
    /// Places before and after the point.
    before: usize,
    after: usize,
    point: bool,
    bare: bool,
    scientific: bool,
    roman: bool,
    brackets: bool,
    minus: bool,
    plus: bool,
    /// `S`: after how many places it stands, and whether behind the point.
    sign: Option<(usize, bool)>,
    /// The first place before the point that is `0`, and the last of all.
    zero_from: Option<usize>,
    zero_to: usize,
}

impl Picture {
    /// An error says what is wrong with the template.
    pub fn of(template: &str) -> Result<Picture, String> {
        let mut out = Picture::default();
        let mut rest = template;
        while let Some(c) = rest.chars().next() {
            let word = |w: &str| either(rest, w).is_some();
            let upper = c.is_uppercase();
            let length = match c {
                '"' => {
                    let (text, after) = quoted(&rest[1..]);
                    out.text(&text);
                    rest.len() - after.len()
                }
                '\\' if rest[1..].starts_with('"') => {
                    out.text("\"");
                    2
                }
                '9' | '0' => {
                    out.digit(c == '0')?;
                    1
                }
                '.' | 'D' | 'd' => {
                    if std::mem::replace(&mut out.point, true) {
                        return Err("multiple decimal points".to_owned());
                    }
                    out.parts.push(Part::Point);
                    1
                }
                ',' | 'G' | 'g' => {
                    out.parts.push(Part::Comma);
                    1
                }
                _ if word("EEEE") => {
                    out.scientific = true;
                    4
                }
                _ if word("FM") => {
                    out.bare = true;
                    2
                }
                _ if word("MI") => {
                    out.minus = true;
                    out.parts.push(Part::Minus);
                    2
                }
                _ if word("PL") => {
                    out.plus = true;
                    out.parts.push(Part::Plus);
                    2
                }
                _ if word("PR") => {
                    out.brackets = true;
                    2
                }
                _ if word("RN") => {
                    out.roman = true;
                    out.parts.push(Part::Roman(upper));
                    2
                }
                _ if word("SG") => {
                    (out.minus, out.plus) = (true, true);
                    out.parts.push(Part::Either);
                    2
                }
                _ if word("TH") => {
                    out.parts.push(Part::Ordinal(upper));
                    2
                }
                'S' | 's' => {
                    if out.sign.replace((out.before, out.point)).is_some() {
                        return Err("cannot use \"S\" twice".to_owned());
                    }
                    1
                }
                'L' | 'l' => {
                    out.parts.push(Part::Currency);
                    1
                }
                // Blanks where the whole part is zero: Postgres writes them without it, too.
                'B' | 'b' => 1,
                'V' | 'v' => {
                    return Err("\"V\" in a template of to_char is not supported".to_owned());
                }
                c => {
                    let mut buffer = [0; 4];
                    out.text(c.encode_utf8(&mut buffer));
                    c.len_utf8()
                }
            };
            rest = rest.get(length..).unwrap_or("");
        }
        let marked = out.minus || out.plus || out.brackets;
        if out.sign.is_some() && marked {
            return Err("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together".to_owned());
        }
        if out.scientific && (out.sign.is_some() || marked || out.bare || out.roman) {
            return Err("\"EEEE\" is incompatible with other formats".to_owned());
        }
        Ok(out)
    }

    fn digit(&mut self, zero: bool) -> Result<(), String> {
        if self.brackets {
            return Err("\"9\" must be ahead of \"PR\"".to_owned());
        }
        if zero && !self.point && self.zero_from.is_none() {
            self.zero_from = Some(self.before);
        }
        *(if self.point { &mut self.after } else { &mut self.before }) += 1;
        if self.before + self.after > MAX_PLACES {
            return Err(format!("a template has at most {MAX_PLACES} places"));
        }
        if zero {
            self.zero_to = self.before + self.after;
        }
        self.parts.push(Part::Digit(zero));
        Ok(())
    }

    fn text(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Text(before)) => before.push_str(text),
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }

    pub fn of_number(&self, number: &BigDecimal) -> String {
        if self.scientific {
            return self.of_power(number);
        }
        if self.roman {
            return self.written(false, &roman(number));
        }
        let places = i64::try_from(self.after).unwrap_or(0);
        let rounded = number.with_scale_round(places, RoundingMode::HalfUp);
        self.of_digits(rounded.is_negative(), &rounded.abs().to_plain_string())
    }

    /// A double is rounded as it is printed, to 15 digits at most.
    pub fn of_double(&self, d: f64) -> String {
        const DIGITS: usize = 15;
        if self.scientific || self.roman {
            return match d.to_string().parse::<BigDecimal>() {
                Ok(number) => self.of_number(&number),
                Err(_) if self.roman => self.written(false, &"#".repeat(DIGITS)),
                Err(_) => self.no_power(),
            };
        }
        if d.is_nan() {
            return self.of_digits(false, "NaN");
        }
        if d.is_infinite() {
            return self.of_digits(d < 0.0, "Infinity");
        }
        let whole = format!("{:.0}", d.abs()).len();
        let places = self.after.min(DIGITS.saturating_sub(whole));
        self.of_digits(d.is_sign_negative(), &format!("{:.places$}", d.abs()))
    }

    /// Digits with as many places after their point as there are.
    fn of_digits(&self, negative: bool, digits: &str) -> String {
        let whole = digits.find('.').unwrap_or(digits.len());
        if whole > self.before {
            let (before, after) = ("#".repeat(self.before), "#".repeat(self.after));
            return self.written(negative, &format!("{before}.{after}"));
        }
        self.written(negative, digits)
    }

    fn written(&self, negative: bool, digits: &str) -> String {
        let whole = digits.find('.').unwrap_or(digits.len());
        let mut writer =
            Writer::new(self, negative, digits.as_bytes(), self.before.saturating_sub(whole));
        for part in &self.parts {
            writer.part(part);
        }
        writer.out
    }

    fn of_power(&self, number: &BigDecimal) -> String {
        let (digits, scale) = number.normalized().abs().as_bigint_and_exponent();
        let length = digits.to_string().len() as i64;
        let zero = digits == 0.into();
        let mut exponent = if zero { 0 } else { length - 1 - scale };
        let places = i64::try_from(self.after).unwrap_or(0);
        // One digit before the point, the others rounded.
        let scaled = if zero { BigDecimal::from(0) } else { BigDecimal::new(digits, length - 1) };
        let mut rounded = scaled.with_scale_round(places, RoundingMode::HalfUp);
        if rounded >= 10 {
            rounded = (rounded / BigDecimal::from(10)).with_scale(places);
            exponent += 1;
        }
        let sign = if number.is_negative() { "-" } else { " " };
        let power = if exponent < 0 { '-' } else { '+' };
        format!("{sign}{}e{power}{:02}", rounded.to_plain_string(), exponent.abs())
    }

    /// For what has no digits.
    fn no_power(&self) -> String {
        format!(" {}", "#".repeat(self.before + self.after + 5 + usize::from(self.point)))
    }
}

/// Writes the parts of one number, as far as digits are there.
struct Writer<'a> {
    picture: &'a Picture,
    digits: &'a [u8],
    /// The next of them.
    at: usize,
    /// Places that were written, and how many of them begin blank.
    place: usize,
    blanks: usize,
    negative: bool,
    signed: bool,
    /// Whether a digit was written at the last place.
    within: bool,
    /// The last digit that is written without blanks and zeros at the end.
    last: Option<usize>,
    behind: bool,
    /// The place that a sign behind the number stands at.
    end: usize,
    out: String,
    /// There are no more digits than the template has places: what would follow is not written.
    done: bool,
}

impl<'a> Writer<'a> {
    fn new(picture: &'a Picture, negative: bool, digits: &'a [u8], blanks: usize) -> Writer<'a> {
        let signed = match picture.minus || picture.plus {
            true => picture.minus,
            false => !negative && picture.bare && picture.sign.is_none(),
        };
        let mut last = None;
        if picture.bare
            && picture.point
            && let Some(point) = digits.iter().position(|d| *d == b'.')
        {
            let relevant = digits.iter().rposition(|d| *d != b'0').unwrap_or(point).max(point);
            // As far as a 0 of the template asks for.
            let wanted = match picture.zero_to > blanks {
                true => (picture.zero_to - blanks).min(digits.len() - 1),
                false => 0,
            };
            last = Some(relevant.max(wanted));
        }
        let behind = picture.sign.is_some_and(|(after, point)| point || after == picture.before);
        // A blank stands for the sign where no place is blank.
        let first = !signed || blanks > 0;
        let places = picture.before + picture.after + usize::from(picture.point);
        let end = (places + usize::from(first)).saturating_sub(1);
        let (at, place, within, done) = (0, 0, false, false);
        let out = String::new();
        Writer {
            picture,
            digits,
            at,
            place,
            blanks,
            negative,
            signed,
            within,
            last,
            behind,
            end,
            out,
            done,
        }
    }

    fn part(&mut self, part: &Part) {
        if self.done {
            return;
        }
        let bare = self.picture.bare;
        match part {
            Part::Text(text) => self.out.push_str(text),
            Part::Digit(_) | Part::Point if self.picture.roman => {}
            Part::Digit(zero) => self.number(*zero),
            Part::Point => self.number(false),
            Part::Comma if self.within => self.out.push(','),
            Part::Comma if !bare => self.out.push(' '),
            Part::Comma => {}
            Part::Currency => self.out.push(' '),
            Part::Minus if self.negative => self.out.push('-'),
            Part::Plus if !self.negative => self.out.push('+'),
            Part::Minus | Part::Plus if !bare => self.out.push(' '),
            Part::Minus | Part::Plus => {}
            Part::Either => self.out.push(if self.negative { '-' } else { '+' }),
            Part::Ordinal(upper) => {
                let text = std::str::from_utf8(self.digits).unwrap_or_default();
                let plain = !self.picture.roman && !self.picture.point && !self.negative;
                if plain && !text.starts_with('#') {
                    let th = ordinal(text);
                    self.out.push_str(&if *upper { th.to_uppercase() } else { th.to_owned() });
                }
            }
            Part::Roman(upper) => {
                let text = std::str::from_utf8(self.digits).unwrap_or_default();
                let text = if *upper { text.to_owned() } else { text.to_lowercase() };
                self.out.push_str(&if bare { text } else { format!("{text:>15}") });
            }
        }
    }

    /// Whether the zero before the point is not written: `.5`.
    fn is_blank_zero(&self) -> bool {
        let p = self.picture;
        p.zero_from.is_none() && self.at == 0 && self.digits.first() == Some(&b'0') && p.after > 0
    }

    fn ends_at_point(&self) -> bool {
        self.last.is_some_and(|last| self.digits.get(last) == Some(&b'.'))
    }

    fn number(&mut self, zero: bool) {
        let p = self.picture;
        self.within = false;
        let zeros = p.zero_from.is_some_and(|from| from <= self.place);
        let begins = self.place >= self.blanks || p.zero_from == Some(self.place);
        if !self.signed && begins && (!self.is_blank_zero() || self.ends_at_point()) {
            self.sign_before();
        }
        match self.place < self.blanks {
            true if zeros => {
                self.out.push('0');
                self.within = true;
            }
            true if !p.bare => self.out.push(' '),
            true => {}
            false => self.digit(zero),
        }
        self.place += 1;
        if self.last != Some(self.at) && self.place == self.end {
            self.sign_behind();
        }
    }

    fn digit(&mut self, zero: bool) {
        match self.digits.get(self.at) {
            Some(b'.') => self.out.push('.'),
            Some(_) if self.last.is_some_and(|last| self.at > last) && !zero => {}
            Some(_) if self.is_blank_zero() => {
                if !self.picture.bare {
                    self.out.push(' ');
                } else if self.ends_at_point() {
                    self.out.push('0');
                }
            }
            Some(digit) => {
                self.out.push(char::from(*digit));
                self.within = true;
            }
            None => {
                self.done = true;
                return;
            }
        }
        self.at += 1;
    }

    fn sign_before(&mut self) {
        let p = self.picture;
        if p.sign.is_some() {
            if !self.behind {
                self.out.push(if self.negative { '-' } else { '+' });
                self.signed = true;
            }
            return;
        }
        // A positive number in a bare template has no brackets.
        let brackets = p.brackets && (self.negative || !p.bare);
        match (brackets, self.negative) {
            (true, true) => self.out.push('<'),
            (false, true) => self.out.push('-'),
            (_, false) if !p.bare => self.out.push(' '),
            (_, false) => {}
        }
        self.signed = true;
    }

    fn sign_behind(&mut self) {
        let p = self.picture;
        let brackets = p.brackets && (self.negative || !p.bare);
        if self.signed && brackets {
            self.out.push(if self.negative { '>' } else { ' ' });
        } else if self.behind && p.sign.is_some() {
            self.out.push(if self.negative { '-' } else { '+' });
        }
    }
}

/// 1 to 3999; others have no numeral.
fn roman(number: &BigDecimal) -> String {
    const NUMERALS: [(u32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let whole = number.with_scale_round(0, RoundingMode::HalfUp).to_plain_string();
    let Some(mut n) = whole.parse::<u32>().ok().filter(|n| (1..4000).contains(n)) else {
        return "#".repeat(15);
    };
    let mut out = String::new();
    for (value, numeral) in NUMERALS {
        while n >= value {
            out.push_str(numeral);
            n -= value;
        }
    }
    out
}
