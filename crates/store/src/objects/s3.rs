use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;

use crate::config::S3Config;
use crate::error::OpenError;

/// The bucket, or the folder in it, that the configuration names.
pub(super) fn open(config: &S3Config) -> Result<Arc<dyn ObjectStore>, OpenError> {
    let store = AmazonS3Builder::new()
        .with_endpoint(&config.endpoint)
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_access_key_id(config.access_key.expose())
        .with_secret_access_key(config.secret_key.expose())
        .with_allow_http(config.allow_http)
        .build()
        .map_err(|error| OpenError::Config { key: "s3", reason: error.to_string() })?;
    let prefix = ObjectPath::from(config.prefix.as_str());
    if prefix.as_ref().is_empty() {
        return Ok(Arc::new(store));
    }
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}
