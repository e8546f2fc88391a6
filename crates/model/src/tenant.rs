use std::fmt;
use std::sync::Arc;

/// Whose record it is: 1 to 64 characters of `[A-Za-z0-9_-]`. A partition in the store and a scope
/// on every query.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(Arc<str>);

/// The text is not a tenant's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tenant is 1 to 64 characters of A-Z, a-z, 0-9, `_` and `-`")]
pub struct InvalidTenant;

impl Tenant {
    /// The longest name, in bytes.
    pub const LEN_MAX: usize = 64;
    /// The tenant of senders and readers that name none.
    pub const DEFAULT: &str = "default";

    /// Checks the name.
    ///
    /// # Errors
    /// [`InvalidTenant`] when the name is empty, too long or has another character.
    pub fn parse(name: &str) -> Result<Self, InvalidTenant> {
        let well_formed = (1..=Self::LEN_MAX).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if well_formed { Ok(Self(name.into())) } else { Err(InvalidTenant) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Tenant {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tenant({})", self.0)
    }
}
