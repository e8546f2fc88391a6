/// What went wrong, in the nine ways a caller can tell apart. The names are gRPC's.
///
/// Every boundary has its own error enum; each answers `kind()` and `retryable()`, and the edge
/// renders the kind once per medium (HTTP status, gRPC status, exit code).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The caller's input is wrong and stays wrong.
    InvalidArgument,
    /// No valid credentials.
    Unauthenticated,
    /// Valid credentials without the right.
    PermissionDenied,
    /// What was asked for does not exist.
    NotFound,
    /// A budget, quota or limit is used up; later it may work.
    ResourceExhausted,
    /// The caller cancelled.
    Cancelled,
    /// The deadline passed first.
    DeadlineExceeded,
    /// Not now: starting, stopping, or a dependency is down.
    Unavailable,
    /// A bug, or the disk; somebody must look.
    Internal,
}
