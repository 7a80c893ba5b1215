//! `pg_authid`, `pg_roles`, `pg_user` and kin: the owner of all, and the roles that PostgreSQL 15 always has.

use super::super::objects::{OWNER, Objects};
use super::super::rows::Rows;

/// OID and name of the predefined roles.
pub const PREDEFINED: [(u32, &str); 12] = [
    (6171, "pg_database_owner"),
    (6181, "pg_read_all_data"),
    (6182, "pg_write_all_data"),
    (3373, "pg_monitor"),
    (3374, "pg_read_all_settings"),
    (3375, "pg_read_all_stats"),
    (3377, "pg_stat_scan_tables"),
    (4569, "pg_read_server_files"),
    (4570, "pg_write_server_files"),
    (4571, "pg_execute_server_program"),
    (4200, "pg_signal_backend"),
    (4544, "pg_checkpoint"),
];

/// Role and member: `pg_monitor` reads settings and statistics.
const MEMBERS: [(u32, u32); 3] = [(3374, 3373), (3375, 3373), (3377, 3373)];

/// OID, name and whether it is the owner.
pub fn all(objects: &Objects) -> Vec<(u32, &str, bool)> {
    let owner = std::iter::once((OWNER, objects.user.as_str(), true));
    owner.chain(PREDEFINED.iter().map(|(oid, name)| (*oid, *name, false))).collect()
}

pub fn authid(objects: &Objects, rows: &mut Rows) {
    fill(objects, rows, false);
}

pub fn roles(objects: &Objects, rows: &mut Rows) {
    fill(objects, rows, true);
}

fn fill(objects: &Objects, rows: &mut Rows, view: bool) {
    for (oid, name, owner) in all(objects) {
        rows.push_all(
            [
                ("oid", oid.into()),
                ("rolname", name.into()),
                ("rolsuper", owner.into()),
                ("rolinherit", true.into()),
                ("rolcreaterole", owner.into()),
                ("rolcreatedb", owner.into()),
                ("rolcanlogin", owner.into()),
                ("rolreplication", owner.into()),
                ("rolconnlimit", (-1).into()),
                ("rolbypassrls", owner.into()),
            ]
            .into_iter()
            .chain(view.then(|| ("rolpassword", "********".into()))),
        );
    }
}

pub fn users(objects: &Objects, rows: &mut Rows) {
    user(objects, rows, "********");
}

pub fn shadow(objects: &Objects, rows: &mut Rows) {
    user(objects, rows, "");
}

fn user(objects: &Objects, rows: &mut Rows, password: &str) {
    rows.push([
        ("usename", objects.user.as_str().into()),
        ("usesysid", OWNER.into()),
        ("usecreatedb", true.into()),
        ("usesuper", true.into()),
        ("userepl", true.into()),
        ("usebypassrls", true.into()),
        ("passwd", Some(password).filter(|p| !p.is_empty()).into()),
    ]);
}

pub fn members(_: &Objects, rows: &mut Rows) {
    for (role, member) in MEMBERS {
        rows.push([("roleid", role.into()), ("member", member.into()), ("grantor", OWNER.into())]);
    }
}
