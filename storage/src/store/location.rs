//! Where data lies: a folder, memory, or a bucket by its URL. object_store reads URLs and variables; what is added here are
//! the settings of ours that go before them, AWS's files of credentials, and errors that say what to do.

use super::{Store, aws_profile};
use crate::error::{Error, ErrorKind, Result};
use futures::StreamExt;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path;
use object_store::{ClientConfigKey, ObjectStore, ObjectStoreScheme, RetryConfig};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

const FORMS: &str = "give a folder, memory:, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix; \
                     docs/storage.md tells all forms";
const S3_CREDENTIALS: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them to ~/.aws/credentials \
                              (AWS_PROFILE chooses a profile)";
const GCS_CREDENTIALS: &str = "set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account, or run \
                               gcloud auth application-default login";
const AZURE_CREDENTIALS: &str = "set AZURE_STORAGE_ACCOUNT_NAME, and AZURE_STORAGE_ACCOUNT_KEY or \
                                 AZURE_STORAGE_SAS_TOKEN";
/// Of one request: a segment has up to 64 MiB, and lines are slow.
const REQUEST_TIMEOUT: &str = "120 seconds";
/// Of an answer that a store gave, so much is shown.
const SHOWN: usize = 400;

/// What the settings say of the place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// A folder, `memory:`, or a bucket: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`.
    pub data: PathBuf,
    /// A bucket's server, where it is not the provider's own.
    pub endpoint: Option<String>,
    /// Of S3.
    pub region: Option<String>,
    /// S3: the bucket in the URL's path (so by default), or in the name of the host.
    pub path_style: Option<bool>,
    /// Options of object_store's builder by its names (`aws_access_key_id`); they go before variables.
    pub options: Vec<(String, String)>,
    /// A folder for blocks of segments, and its bytes.
    pub cache: Option<(PathBuf, u64)>,
}

pub(super) enum Place {
    Folder(PathBuf),
    Memory,
    Bucket(Bucket),
}

pub(super) struct Bucket {
    /// For messages.
    name: String,
    scheme: ObjectStoreScheme,
    url: Url,
    root: Path,
}

impl Location {
    pub fn folder(path: impl Into<PathBuf>) -> Location {
        Location { data: path.into(), ..Location::default() }
    }

    /// The folder, where it is one.
    pub fn as_folder(&self) -> Option<PathBuf> {
        match self.place() {
            Ok(Place::Folder(path)) => Some(path),
            _ => None,
        }
    }

    /// Whether several processes may use it at once.
    pub fn is_shared(&self) -> bool {
        matches!(self.place(), Ok(Place::Bucket(_)))
    }

    pub fn is_memory(&self) -> bool {
        matches!(self.place(), Ok(Place::Memory))
    }

    /// Whether it names a place at all; nothing is asked yet.
    pub fn check(&self) -> Result<()> {
        self.place().map(drop)
    }

    pub(super) fn place(&self) -> Result<Place> {
        let Some(text) = self.data.to_str() else { return Ok(Place::Folder(self.data.clone())) };
        let bad =
            |why: &dyn std::fmt::Display| Error::user(format!("--data {text}: {why}")).hint(FORMS);
        if let Some(rest) = text.strip_prefix("memory:") {
            return match rest.trim_matches('/') {
                "" => Ok(Place::Memory),
                _ => Err(bad(&"memory has no folders")),
            };
        }
        if !text.contains("://") {
            return Ok(Place::Folder(self.data.clone()));
        }
        let url = Url::parse(text).map_err(|e| bad(&e))?;
        let (scheme, root) =
            ObjectStoreScheme::parse(&url).map_err(|_| bad(&"no kind of store has such a URL"))?;
        let azure = scheme == ObjectStoreScheme::MicrosoftAzure;
        if url.password().is_some() || (!azure && !url.username().is_empty()) {
            return Err(Error::user("--data: a URL with credentials ends up in logs").hint(
                "leave them out of the URL; docs/storage.md tells which variables are read",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad(&"what follows ? or # has no meaning here"));
        }
        match scheme {
            ObjectStoreScheme::Local => {
                url.to_file_path().map(Place::Folder).map_err(|()| bad(&"that is no local folder"))
            }
            ObjectStoreScheme::AmazonS3
            | ObjectStoreScheme::GoogleCloudStorage
            | ObjectStoreScheme::MicrosoftAzure => {
                let name = text.trim_end_matches('/').to_owned();
                Ok(Place::Bucket(Bucket { name, scheme, url, root }))
            }
            _ => Err(bad(&"such a server has no create-only writes")),
        }
    }

    /// The bucket as a store, once it has answered.
    pub(super) async fn connect(&self, bucket: Bucket) -> Result<Store> {
        // A wrong setting must not take a minute of trying again to be told.
        let few = RetryConfig {
            max_retries: 3,
            retry_timeout: Duration::from_secs(20),
            ..RetryConfig::default()
        };
        let look = self.build(&bucket, few)?;
        let root = Some(&bucket.root).filter(|root| !root.as_ref().is_empty());
        if let Some(Err(e)) = look.list(root).next().await {
            return Err(bucket.explain(&e.to_string()));
        }
        let objects = self.build(&bucket, RetryConfig::default())?;
        Ok(Store::bucket(objects, bucket.root, bucket.name))
    }

    fn build(&self, bucket: &Bucket, retry: RetryConfig) -> Result<Arc<dyn ObjectStore>> {
        let failed = |e: object_store::Error| bucket.explain(&e.to_string());
        Ok(match bucket.scheme {
            ObjectStoreScheme::AmazonS3 => {
                Arc::new(self.s3(bucket)?.with_retry(retry).build().map_err(failed)?)
            }
            ObjectStoreScheme::GoogleCloudStorage => {
                Arc::new(self.gcs(bucket)?.with_retry(retry).build().map_err(failed)?)
            }
            _ => Arc::new(self.azure(bucket)?.with_retry(retry).build().map_err(failed)?),
        })
    }

    fn s3(&self, bucket: &Bucket) -> Result<AmazonS3Builder> {
        let mut builder = AmazonS3Builder::from_env()
            .with_url(bucket.url.as_str())
            .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), REQUEST_TIMEOUT);
        for (key, value) in &self.options {
            builder = builder.with_config(key.parse().map_err(unknown)?, value);
        }
        builder = aws_profile::apply(builder)?;
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        if let Some(path_style) = self.path_style {
            builder = builder.with_virtual_hosted_style_request(!path_style);
        }
        if let Some(endpoint) = &self.endpoint {
            let endpoint = match self.path_style {
                Some(false) => with_host(endpoint, bucket.url.host_str().unwrap_or_default())?,
                _ => endpoint.clone(),
            };
            builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
        }
        let endpoint = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint];
        let endpoint = endpoint.iter().find_map(|key| builder.get_config_value(key));
        Ok(match is_http(endpoint.as_ref()) {
            true => builder.with_allow_http(true),
            false => builder,
        })
    }

    fn gcs(&self, bucket: &Bucket) -> Result<GoogleCloudStorageBuilder> {
        let client = GoogleConfigKey::Client;
        let mut builder = GoogleCloudStorageBuilder::from_env()
            .with_url(bucket.url.as_str())
            .with_config(client(ClientConfigKey::Timeout), REQUEST_TIMEOUT);
        for (key, value) in &self.options {
            builder = builder.with_config(key.parse().map_err(unknown)?, value);
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_base_url(endpoint.trim_end_matches('/'));
        }
        let endpoint = builder.get_config_value(&GoogleConfigKey::BaseUrl);
        Ok(match is_http(endpoint.as_ref()) {
            true => builder.with_config(client(ClientConfigKey::AllowHttp), "true"),
            false => builder,
        })
    }

    fn azure(&self, bucket: &Bucket) -> Result<MicrosoftAzureBuilder> {
        let mut builder = MicrosoftAzureBuilder::from_env();
        // The names that Azure's own command line reads.
        for (variable, key) in [
            ("AZURE_STORAGE_ACCOUNT", AzureConfigKey::AccountName),
            ("AZURE_STORAGE_KEY", AzureConfigKey::AccessKey),
        ] {
            if builder.get_config_value(&key).is_none()
                && let Ok(value) = std::env::var(variable)
            {
                builder = builder.with_config(key, value);
            }
        }
        builder = builder
            .with_url(bucket.url.as_str())
            .with_config(AzureConfigKey::Client(ClientConfigKey::Timeout), REQUEST_TIMEOUT);
        for (key, value) in &self.options {
            builder = builder.with_config(key.parse().map_err(unknown)?, value);
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
        }
        let endpoint = builder.get_config_value(&AzureConfigKey::Endpoint);
        Ok(match is_http(endpoint.as_ref()) {
            true => builder.with_allow_http(true),
            false => builder,
        })
    }
}

fn unknown(e: object_store::Error) -> Error {
    Error::user(format!("options of the store: {e}"))
}

fn is_http(endpoint: Option<&String>) -> bool {
    endpoint.is_some_and(|url| url.starts_with("http://"))
}

/// The endpoint of a bucket whose name stands in the host's.
fn with_host(endpoint: &str, bucket: &str) -> Result<String> {
    let bad = || {
        Error::user(format!("--endpoint {endpoint}: no bucket's name can stand before its host"))
            .hint("give a URL such as https://s3.example.com, or leave --path-style true")
    };
    let mut url = Url::parse(endpoint).map_err(|_| bad())?;
    let host = format!("{bucket}.{}", url.domain().ok_or_else(bad)?);
    url.set_host(Some(&host)).map_err(|_| bad())?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

impl Bucket {
    fn credentials(&self) -> &'static str {
        match self.scheme {
            ObjectStoreScheme::AmazonS3 => S3_CREDENTIALS,
            ObjectStoreScheme::GoogleCloudStorage => GCS_CREDENTIALS,
            _ => AZURE_CREDENTIALS,
        }
    }

    /// The first answer of a store, or none, in terms of what to do. object_store tells most of these apart only in words.
    fn explain(&self, told: &str) -> Error {
        let has = |words: &[&str]| words.iter().any(|word| told.contains(word));
        let (kind, what, hint) = if has(&[
            "169.254.169.254",
            "169.254.170.2",
            "metadata.google.internal",
            "Account must be specified",
            "MissingAccount",
        ]) {
            (ErrorKind::User, "no credentials were found", self.credentials())
        } else if has(&["NoSuchBucket", "ContainerNotFound", "404 Not Found"]) {
            let hint = "make the bucket first, or correct its name, --region or --endpoint";
            (ErrorKind::User, "there is no such bucket", hint)
        } else if has(&["301 Moved", "PermanentRedirect", "configured region", "HeaderMalformed"]) {
            let hint = "give the bucket's region: --region eu-central-1, or AWS_REGION";
            (ErrorKind::User, "the bucket is in another region", hint)
        } else if has(&["403 Forbidden", "401 Unauthorized", "AccessDenied"]) {
            (ErrorKind::User, "the store refuses these credentials", self.credentials())
        } else if has(&["error sending request", "HTTP error", "client error (Connect)"]) {
            let hint =
                "check --endpoint and the network; http is spoken where the endpoint says http://";
            (ErrorKind::Io, "the store does not answer", hint)
        } else {
            (ErrorKind::User, "the store cannot be opened", self.credentials())
        };
        let told: String = told.chars().take(SHOWN).collect();
        Error::new(kind, format!("{}: {what}: {told}", self.name)).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn place(data: &str) -> String {
        match Location::folder(data).place() {
            Ok(Place::Folder(path)) => format!("folder {}", path.display()),
            Ok(Place::Memory) => "memory".into(),
            Ok(Place::Bucket(b)) => {
                format!("{} {:?} under {:?}", b.name, b.scheme, b.root.as_ref())
            }
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn what_a_place_is() {
        for (data, expect) in [
            ("./daodb-data", "folder ./daodb-data"),
            ("C:\\data", "folder C:\\data"),
            ("file:///var/lib/daodb", "folder /var/lib/daodb"),
            ("memory:", "memory"),
            ("memory:///", "memory"),
            ("s3://music", "s3://music AmazonS3 under \"\""),
            ("s3://music/a/b/", "s3://music/a/b AmazonS3 under \"a/b\""),
            ("gs://music/a", "gs://music/a GoogleCloudStorage under \"a\""),
            ("az://music/a", "az://music/a MicrosoftAzure under \"a\""),
            (
                "abfss://music@acme.dfs.core.windows.net/a",
                "abfss://music@acme.dfs.core.windows.net/a MicrosoftAzure under \"a\"",
            ),
        ] {
            assert_eq!(place(data), expect, "{data}");
        }
    }

    #[test]
    fn what_no_place_is() {
        for (data, expect) in [
            ("memory:/a", "memory has no folders"),
            ("s3://", "--data s3://"),
            ("ftp://music/a", "no kind of store has such a URL"),
            ("https://example.com/a", "no create-only writes"),
            ("s3://music/a?x=1", "has no meaning here"),
            ("s3://key:secret@music/a", "ends up in logs"),
            ("s3://key@music/a", "ends up in logs"),
        ] {
            let told = place(data);
            assert!(told.contains(expect) && !told.contains("secret"), "{data}: {told}");
        }
    }

    #[test]
    fn what_a_store_says_first() {
        let Place::Bucket(bucket) = Location::folder("s3://music").place().unwrap() else {
            panic!("a bucket");
        };
        for (told, what, hint) in [
            ("... http://169.254.169.254/latest ...", "no credentials", "AWS_ACCESS_KEY_ID"),
            ("status code: 404 Not Found: NoSuchBucket", "no such bucket", "make the bucket"),
            ("status code: 403 Forbidden: ", "refuses these credentials", "AWS_ACCESS_KEY_ID"),
            ("indicates an incorrectly configured region", "another region", "--region"),
            ("error sending request", "does not answer", "--endpoint"),
        ] {
            let e = bucket.explain(told);
            assert!(e.message.starts_with("s3://music: ") && e.message.contains(what), "{e}");
            assert!(e.hint.as_ref().unwrap().contains(hint), "{e}");
        }
    }

    #[test]
    fn a_bucket_in_the_name_of_the_host() {
        let check = |endpoint: &str| with_host(endpoint, "music").map_err(|e| e.message);
        assert_eq!(check("https://s3.example.com/").unwrap(), "https://music.s3.example.com");
        assert_eq!(check("http://localhost:9000").unwrap(), "http://music.localhost:9000");
        assert!(check("http://127.0.0.1:9000").is_err());
        assert!(check("localhost").is_err());
    }
}
