//! AWS's files of profiles, which object_store does not read: `~/.aws/credentials` and `~/.aws/config`.
//!
//! Keys and region of one profile. What asks for further steps (single sign-on, roles, programs) is told to be made into
//! variables by AWS's own command line.

use crate::error::{Error, Result};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Settings of a profile that lead to credentials by a way that is not gone here.
const FURTHER: [&str; 4] = ["sso_session", "sso_start_url", "role_arn", "credential_process"];

/// Gives the builder what the chosen profile says, where variables have not named other credentials.
pub(super) fn apply(mut builder: AmazonS3Builder) -> Result<AmazonS3Builder> {
    let named = |builder: &AmazonS3Builder, key| builder.get_config_value(&key).is_some();
    let skips = builder.get_config_value(&Key::SkipSignature).as_deref() == Some("true");
    let other = [
        Key::AccessKeyId,
        Key::WebIdentityTokenFile,
        Key::ContainerCredentialsRelativeUri,
        Key::ContainerCredentialsFullUri,
    ];
    if skips || other.into_iter().any(|key| named(&builder, key)) {
        return Ok(builder);
    }
    let chosen = std::env::var("AWS_PROFILE").ok();
    let name = chosen.as_deref().unwrap_or("default");
    let Some(profile) = profile(&files(name), chosen.is_some(), name)? else {
        return Ok(builder);
    };
    if !named(&builder, Key::Region)
        && let Some(region) = profile.get("region")
    {
        builder = builder.with_region(region);
    }
    for (setting, key) in [
        ("aws_access_key_id", Key::AccessKeyId),
        ("aws_secret_access_key", Key::SecretAccessKey),
        ("aws_session_token", Key::Token),
    ] {
        if let Some(value) = profile.get(setting) {
            builder = builder.with_config(key, value);
        }
    }
    Ok(builder)
}

/// The texts of both files, and how the profile's section is headed there. The first goes before the second.
fn files(profile: &str) -> Vec<(String, String)> {
    let home = std::env::home_dir().unwrap_or_default().join(".aws");
    let file = |variable: &str, name: &str| {
        std::env::var_os(variable).map_or_else(|| home.join(name), PathBuf::from)
    };
    let head = match profile {
        "default" => "default".to_owned(),
        name => format!("profile {name}"),
    };
    [
        (file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), profile.to_owned()),
        (file("AWS_CONFIG_FILE", "config"), head),
    ]
    .into_iter()
    .filter_map(|(path, head)| Some((std::fs::read_to_string(path).ok()?, head)))
    .collect()
}

/// None where there is none and none was asked for.
fn profile(
    files: &[(String, String)],
    chosen: bool,
    name: &str,
) -> Result<Option<BTreeMap<String, String>>> {
    let sections: Vec<_> = files.iter().filter_map(|(text, head)| section(text, head)).collect();
    if sections.is_empty() && chosen {
        return Err(Error::user(format!("AWS_PROFILE: there is no profile {name}"))
            .hint("aws configure list-profiles tells which there are"));
    }
    let mut all = BTreeMap::new();
    for (key, value) in sections.into_iter().flatten() {
        all.entry(key).or_insert(value);
    }
    let further = FURTHER.iter().find(|key| all.contains_key(**key));
    match further.filter(|_| !all.contains_key("aws_access_key_id")) {
        Some(key) => {
            let text = format!("the AWS profile {name} asks for {key}, which is not followed here");
            Err(Error::user(text).hint(format!(
                "make variables of it: eval \"$(aws configure export-credentials --profile {name} --format env)\""
            )))
        }
        None => Ok((!all.is_empty()).then_some(all)),
    }
}

/// The settings under `[head]`, without those that are indented under another.
fn section(text: &str, head: &str) -> Option<Vec<(String, String)>> {
    let mut found: Option<Vec<(String, String)>> = None;
    let mut inside = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            inside = name.split_whitespace().eq(head.split_whitespace());
            if inside {
                found.get_or_insert_default();
            }
        } else if inside
            && !line.starts_with([' ', '\t', '#', ';'])
            && let Some((key, value)) = trimmed.split_once('=')
        {
            let pair = (key.trim().to_ascii_lowercase(), value.trim().to_owned());
            found.get_or_insert_default().push(pair);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const CREDENTIALS: &str = "# mine\n[default]\naws_access_key_id = A\naws_secret_access_key=S=/+\n\n\
                               [work]\naws_access_key_id = B\n";
    const CONFIG: &str = "[default]\nregion = eu-central-1\ns3 =\n  addressing_style = path\n\
                          [profile work]\nregion = us-east-2\n[profile sso]\nsso_session = x\n";

    fn read(name: &str, chosen: bool) -> Result<Option<BTreeMap<String, String>>> {
        let head = if name == "default" { name.into() } else { format!("profile {name}") };
        let files = [(CREDENTIALS.to_owned(), name.to_owned()), (CONFIG.to_owned(), head)];
        profile(&files, chosen, name)
    }

    #[test]
    fn both_files_make_a_profile() {
        let default = read("default", false).unwrap().unwrap();
        assert_eq!(default["aws_access_key_id"], "A");
        assert_eq!(default["aws_secret_access_key"], "S=/+");
        assert_eq!(default["region"], "eu-central-1");
        assert!(!default.contains_key("addressing_style"), "{default:?}");
        let work = read("work", true).unwrap().unwrap();
        assert_eq!(
            (work["aws_access_key_id"].as_str(), work["region"].as_str()),
            ("B", "us-east-2")
        );
    }

    #[test]
    fn a_profile_that_is_missing_or_asks_for_more() {
        assert!(read("nobody", false).unwrap().is_none());
        let missing = read("nobody", true).unwrap_err();
        assert!(missing.message.contains("no profile nobody"), "{missing}");
        let sso = read("sso", true).unwrap_err();
        assert!(sso.message.contains("sso_session"), "{sso}");
        assert!(sso.hint.unwrap().contains("export-credentials --profile sso"));
    }
}
