//! Values in the wire's binary format, as psql would print them: what the server encodes is read back here.

use crate::show;
use tokio_postgres::types::{FromSql, Kind, Type};

/// The bytes of a value of any type.
pub struct Raw(pub Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Raw(raw.to_vec()))
    }
    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Days from 1970-01-01 to 2000-01-01, where Postgres counts from.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// None: the bytes are no value of that type.
pub fn text(ty: &Type, raw: &[u8]) -> Option<String> {
    if let Kind::Array(item) = ty.kind() {
        return array(item, raw);
    }
    Some(match *ty {
        Type::BOOL => show::boolean(*fixed::<1>(raw)?.first()? != 0).to_owned(),
        Type::INT2 => i16::from_be_bytes(fixed(raw)?).to_string(),
        Type::INT4 => i32::from_be_bytes(fixed(raw)?).to_string(),
        Type::OID => u32::from_be_bytes(fixed(raw)?).to_string(),
        Type::INT8 => long(raw)?.to_string(),
        Type::FLOAT4 => f32::from_be_bytes(fixed(raw)?).to_string(),
        Type::FLOAT8 => show::float(f64::from_be_bytes(fixed(raw)?)),
        Type::NUMERIC => numeric(raw)?,
        Type::TIMESTAMPTZ => show::timestamp(long(raw)?.checked_add(EPOCH_MICROS)?, true),
        Type::TIMESTAMP => show::timestamp(long(raw)?.checked_add(EPOCH_MICROS)?, false),
        Type::DATE => show::date(i32::from_be_bytes(fixed(raw)?).checked_add(EPOCH_DAYS)?),
        Type::BYTEA => show::bytes(raw),
        Type::UUID => {
            let bytes: [u8; 16] = fixed(raw)?;
            uuid::Uuid::from_bytes(bytes).to_string()
        }
        Type::JSONB => String::from_utf8(raw.strip_prefix(&[1])?.to_vec()).ok()?,
        _ => String::from_utf8(raw.to_vec()).ok()?,
    })
}

fn fixed<const N: usize>(raw: &[u8]) -> Option<[u8; N]> {
    raw.try_into().ok()
}

fn long(raw: &[u8]) -> Option<i64> {
    fixed(raw).map(i64::from_be_bytes)
}

/// Takes the first N bytes off.
fn take<const N: usize>(raw: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = raw.split_at_checked(N)?;
    *raw = tail;
    fixed(head)
}

/// Groups of four decimal digits; the first has the weight 10000^weight.
fn numeric(mut raw: &[u8]) -> Option<String> {
    let mut word = || take::<2>(&mut raw).map(i16::from_be_bytes);
    let (groups, weight, sign, scale) = (word()?, word()?, word()? as u16, word()?);
    if sign == 0xc000 {
        return Some("NaN".into());
    }
    let groups: Vec<i16> = (0..groups).map(|_| word()).collect::<Option<_>>()?;
    let group = |i: i32| groups.get(usize::try_from(i).ok()?).copied();
    let weight = i32::from(weight);
    let mut text = String::from(if sign == 0x4000 { "-" } else { "" });
    if weight < 0 {
        text.push('0');
    }
    for i in 0..=weight {
        let digits = group(i).unwrap_or(0);
        text += &if i == 0 { digits.to_string() } else { format!("{digits:04}") };
    }
    let scale = usize::try_from(scale).ok()?;
    if scale > 0 {
        let mut fraction = String::new();
        let mut i = weight + 1;
        while fraction.len() < scale {
            fraction += &format!("{:04}", group(i).unwrap_or(0));
            i += 1;
        }
        fraction.truncate(scale);
        text = text + "." + &fraction;
    }
    Some(text)
}

/// Dimensions, a flag, the item's type; for each dimension length and lower bound; then the items.
fn array(item: &Type, mut raw: &[u8]) -> Option<String> {
    let word = |raw: &mut &[u8]| take::<4>(raw).map(i32::from_be_bytes);
    let (dimensions, _, oid) = (word(&mut raw)?, word(&mut raw)?, word(&mut raw)?);
    if dimensions == 0 {
        return Some("{}".into());
    }
    if dimensions != 1 || u32::try_from(oid).ok()? != item.oid() {
        return None;
    }
    let (length, _) = (word(&mut raw)?, word(&mut raw)?);
    let mut items = Vec::new();
    for _ in 0..length {
        let size = word(&mut raw)?;
        if size == -1 {
            items.push(None);
            continue;
        }
        let (head, tail) = raw.split_at_checked(usize::try_from(size).ok()?)?;
        raw = tail;
        items.push(Some(text(item, head)?));
    }
    raw.is_empty().then(|| show::array(items.into_iter()))
}
