use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ::url::{Host, Url};

/// Longer addresses are refused; browsers do likewise.
const URL_BYTES_MAX: usize = 8192;

/// Why an address is refused. None of it quotes the address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Longer than 8 KiB.
    #[error("the address is longer than {URL_BYTES_MAX} bytes")]
    TooLong,
    /// It is no absolute address, or has control characters in it.
    #[error("the address cannot be read")]
    Malformed,
    /// The scheme is not allowed.
    #[error("the scheme of the address is not allowed")]
    Scheme,
    /// A user name or a password is in it.
    #[error("the address has a user name or a password")]
    Credentials,
    /// The host is not among those allowed.
    #[error("the host of the address is not allowed")]
    Host,
    /// The host is this machine or in a network that is not public.
    #[error("the address leads to a network that is not public")]
    NotPublic,
    /// The port is not among those allowed.
    #[error("the port of the address is not allowed")]
    Port,
}

/// Which addresses of strangers are taken.
///
/// ```
/// use fresnel_sdk::security::{UrlError, UrlPolicy};
///
/// let outgoing = UrlPolicy::outgoing();
/// assert_eq!(outgoing.check("https://Example.com/a b")?, "https://example.com/a%20b");
/// assert_eq!(outgoing.check("https://169.254.169.254/latest"), Err(UrlError::NotPublic));
/// assert_eq!(outgoing.check("https://0x7f.1/"), Err(UrlError::NotPublic));
/// assert_eq!(UrlPolicy::link().check("java\nscript:alert(1)"), Err(UrlError::Malformed));
/// # Ok::<(), UrlError>(())
/// ```
#[derive(Clone, Debug)]
pub struct UrlPolicy {
    schemes: Vec<String>,
    hosts: Option<Vec<String>>,
    ports: Option<Vec<u16>>,
    public_only: bool,
    credentials: bool,
}

impl UrlPolicy {
    /// For requests that the service makes itself: `https` to public hosts on port 443. A name that
    /// leads to a private address is only seen when it is resolved: ask [`is_public`] for the
    /// address that is connected to, and follow no redirect unchecked.
    pub fn outgoing() -> Self {
        Self {
            schemes: vec!["https".into()],
            hosts: None,
            ports: Some(vec![443]),
            public_only: true,
            credentials: false,
        }
    }

    /// For links that are shown to people: `http`, `https` and `mailto`, to anywhere.
    pub fn link() -> Self {
        let schemes = ["http", "https", "mailto"].map(str::to_owned).to_vec();
        Self { schemes, hosts: None, ports: None, public_only: false, credentials: false }
    }

    /// With these schemes instead, in lower case.
    #[must_use]
    pub fn schemes<T: Into<String>>(mut self, schemes: impl IntoIterator<Item = T>) -> Self {
        self.schemes = schemes.into_iter().map(Into::into).collect();
        self
    }

    /// Only to these hosts; `*.example.com` is every host below `example.com`, not itself.
    #[must_use]
    pub fn hosts<T: Into<String>>(mut self, hosts: impl IntoIterator<Item = T>) -> Self {
        self.hosts = Some(hosts.into_iter().map(|host| host.into().to_ascii_lowercase()).collect());
        self
    }

    /// Only to these ports.
    #[must_use]
    pub fn ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.ports = Some(ports.into_iter().collect());
        self
    }

    /// Whether hosts in networks that are not public are allowed.
    #[must_use]
    pub fn private_hosts(mut self, allowed: bool) -> Self {
        self.public_only = !allowed;
        self
    }

    /// The address in its normal form, if it is allowed.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn check(&self, address: &str) -> Result<String, UrlError> {
        if address.len() > URL_BYTES_MAX {
            return Err(UrlError::TooLong);
        }
        // Readers drop line breaks and tabs anywhere and take `\` for `/`: `java\nscript:` runs.
        if address.chars().any(|it| it.is_control() || it == '\\') || address.trim() != address {
            return Err(UrlError::Malformed);
        }
        let url = Url::parse(address).map_err(|_| UrlError::Malformed)?;
        if !self.schemes.iter().any(|scheme| scheme == url.scheme()) {
            return Err(UrlError::Scheme);
        }
        if !self.credentials && (!url.username().is_empty() || url.password().is_some()) {
            return Err(UrlError::Credentials);
        }
        if let Some(ports) = &self.ports
            && !url.port_or_known_default().is_some_and(|port| ports.contains(&port))
        {
            return Err(UrlError::Port);
        }
        self.check_host(url.host())?;
        Ok(url.into())
    }

    fn check_host(&self, host: Option<Host<&str>>) -> Result<(), UrlError> {
        let Some(host) = host else {
            return if self.hosts.is_some() || self.public_only { Err(UrlError::Host) } else { Ok(()) };
        };
        let text = host.to_string();
        if let Some(hosts) = &self.hosts
            && !hosts.iter().any(|allowed| matches(allowed, text.trim_end_matches('.')))
        {
            return Err(UrlError::Host);
        }
        let public = match host {
            Host::Ipv4(address) => is_public(address.into()),
            Host::Ipv6(address) => is_public(address.into()),
            Host::Domain(name) => !is_local_name(name),
        };
        if self.public_only && !public { Err(UrlError::NotPublic) } else { Ok(()) }
    }
}

fn matches(allowed: &str, host: &str) -> bool {
    match allowed.strip_prefix("*.") {
        Some(parent) => host.strip_suffix(parent).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => allowed == host,
    }
}

/// Names that never lead to the public network, by RFC 6761, 6762, 8375 and 9476 or by habit.
fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or_default();
    let local =
        ["localhost", "local", "internal", "intranet", "lan", "home", "corp", "test", "invalid", "alt"];
    !name.contains('.') || local.contains(&last) || name.ends_with(".home.arpa")
}

/// Whether an address is one of the public network: not of this machine, of a private or shared
/// network, link-local, for documentation, benchmarks or groups, nor an IPv6 address that carries
/// such an IPv4 one. By IANA's special-purpose registries.
///
/// ```
/// use fresnel_sdk::security::is_public;
///
/// assert!(is_public("93.184.215.14".parse()?));
/// assert!(!is_public("::ffff:10.0.0.1".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match a {
        0 | 10 | 127 => true,
        100 => (64..128).contains(&b),
        169 => b == 254,
        172 => (16..32).contains(&b),
        192 => matches!((b, c), (168, _) | (0, 0) | (0, 2) | (88, 99)),
        198 => matches!((b, c), (18 | 19, _) | (51, 100)),
        203 => (b, c) == (0, 113),
        // Groups, reserved, broadcast.
        224.. => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let carried = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match parts {
        // IPv4 in IPv6: mapped, and NAT64.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(carried(high, low))
        }
        // 6to4.
        [0x2002, high, low, ..] => is_public_v4(carried(high, low)),
        // Teredo, ORCHID, benchmarks, documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // Only this part is given out; everything local, and `::1`, is outside.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

/// Whether a text is a path on this site: safe to redirect to after a log-in. `//evil.example` and
/// `/\evil.example` are not.
///
/// ```
/// use fresnel_sdk::security::is_local_redirect;
///
/// assert!(is_local_redirect("/orders?id=1"));
/// assert!(!is_local_redirect("//evil.example"));
/// ```
pub fn is_local_redirect(target: &str) -> bool {
    let Some(rest) = target.strip_prefix('/') else { return false };
    let plain = !target.chars().any(|it| it.is_control() || it == '\\');
    plain && !rest.starts_with('/') && target.len() <= URL_BYTES_MAX
}
