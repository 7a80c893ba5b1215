//! numeric: digits of base 10,000.

use crate::pg::encode::decimal::Decimal;
use bytes::{BufMut, BytesMut};

/// Count of digits, power of 10,000 of the first, sign, decimal digits after the point, digits.
pub fn write(decimal: &Decimal, out: &mut BytesMut) {
    let digits = decimal.digits();
    // The decimal place of the first digit, counted from the point; then padded so that the point falls between groups.
    let whole = digits.len() as i32 - decimal.scale as i32;
    let lead = whole.rem_euclid(4);
    let lead = if lead == 0 { 0 } else { 4 - lead };
    let mut weight = (whole + lead) / 4 - 1;
    let group = |n: usize| {
        (0..4usize).fold(0u16, |value, i| {
            let digit = (n * 4 + i).checked_sub(lead as usize).and_then(|at| digits.get(at));
            value * 10 + digit.map_or(0, |d| u16::from(d - b'0'))
        })
    };
    let groups = (digits.len() + lead as usize).div_ceil(4);
    let first = (0..groups).find(|n| group(*n) != 0).unwrap_or(groups);
    let end = (first..groups).rev().find(|n| group(*n) != 0).map_or(first, |n| n + 1);
    weight -= first as i32;
    let zero = first == end;
    out.put_u16((end - first) as u16);
    out.put_i16(if zero { 0 } else { weight as i16 });
    out.put_u16(if decimal.negative && !zero { 0x4000 } else { 0 });
    out.put_u16(decimal.scale as u16);
    for n in first..end {
        out.put_u16(group(n));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::check;
    use datafusion::arrow::array::Decimal128Array;

    /// Compared with what PostgreSQL 15's numeric_send gives.
    #[test]
    fn numerics() {
        let check = |v: i128, scale, fields: &[u16]| {
            let array = Decimal128Array::from(vec![v]).with_precision_and_scale(38, scale).unwrap();
            let bytes: Vec<u8> = fields.iter().flat_map(|f| f.to_be_bytes()).collect();
            check(array, &bytes);
        };
        check(0, 2, &[0, 0, 0, 2]);
        check(1, 0, &[1, 0, 0, 0, 1]);
        check(-1, 0, &[1, 0, 0x4000, 0, 1]);
        check(12345, 2, &[2, 0, 0, 2, 123, 4500]);
        check(10_000, 0, &[1, 1, 0, 0, 1]);
        check(123_456_789, 0, &[3, 2, 0, 0, 1, 2345, 6789]);
        check(5, 4, &[1, 0xffff, 0, 4, 5]);
        check(5, 5, &[1, 0xfffe, 0, 5, 5000]);
        check(1_000_000_005, 9, &[4, 0, 0, 9, 1, 0, 0, 5000]);
        check(150, 2, &[2, 0, 0, 2, 1, 5000]);
    }
}
