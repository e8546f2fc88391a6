use std::net::{Ipv4Addr, SocketAddr};

use fresnel_sdk::config::{Report, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The page and the API.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port; port 0 takes a free one. An address that is not loopback needs a key in
    /// `receive.key`.
    pub listen: SocketAddr,
    /// Origins of other pages that may send and ask, such as `https://shop.example`.
    pub origins: Vec<String>,
    /// Host names, besides those of loopback, under which a loopback address may be asked: those
    /// of a proxy in front of it.
    pub hosts: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4300)), origins: Vec::new(), hosts: Vec::new() }
    }
}

impl Validate for Config {
    fn validate(&self, report: &mut Report) {
        for (index, origin) in self.origins.iter().enumerate() {
            let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if authority.is_none_or(|authority| authority.is_empty() || authority.contains('/')) {
                report.error(
                    &format!("origins.{index}"),
                    "must be scheme and host only, such as https://shop.example",
                );
            }
        }
    }
}
