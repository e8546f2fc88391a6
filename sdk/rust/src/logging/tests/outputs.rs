//! Syslog, against sockets.

use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::time::UNIX_EPOCH;

use super::{Formatted, formatted, source};
use crate::logging::{Entry, Output, Severity, Syslog, Transport};

fn batch() -> Vec<Formatted> {
    let fatal = Formatted {
        entry: Entry { severity: Severity::Fatal, logger: "a b\"]".into(), ..super::entry("y") }.into(),
        line: b"y".to_vec(),
    };
    vec![formatted("x 1", UNIX_EPOCH), fatal]
}

const FIRST: &str = "<134>1 1970-01-01T00:00:00.000000Z node-1 shop 7 shop:cart [origin software=\"shop\" swVersion=\"1.2\"] x 1";
const SECOND: &str =
    "<130>1 2026-11-27T02:27:53.123000Z node-1 shop 7 ab\"] [origin software=\"shop\" swVersion=\"1.2\"] y";

#[test]
fn syslog_by_datagrams() {
    let listener = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut syslog = Syslog::new(Transport::Udp(address), 16, source());
    syslog.write(&batch()).unwrap();
    let mut buffer = [0; 1000];
    for expected in [FIRST, SECOND] {
        let length = listener.recv(&mut buffer).unwrap();
        assert_eq!(std::str::from_utf8(&buffer[..length]).unwrap(), expected);
    }
}

#[cfg(unix)]
#[test]
fn syslog_by_the_socket_of_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let listener = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    let mut syslog = Syslog::new(Transport::Unix(path), 16, source());
    assert!(!syslog.is_remote());
    syslog.write(&batch()).unwrap();
    let mut buffer = [0; 1000];
    let length = listener.recv(&mut buffer).unwrap();
    assert_eq!(std::str::from_utf8(&buffer[..length]).unwrap(), FIRST);
}

#[test]
fn syslog_over_a_connection_that_is_made_anew_when_it_breaks() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut syslog = Syslog::new(Transport::Tcp(address.to_string()), 16, source());
    syslog.write(&batch()).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let expected = format!("{} {FIRST}{} {SECOND}", FIRST.len(), SECOND.len());
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), expected, "octet counting");
    drop((stream, listener));
    // What the system took before it knew is lost; sooner or later it tells.
    let error = std::iter::repeat_with(|| syslog.write(&batch())).find_map(Result::err).unwrap();
    assert!(error.retryable().is_some(), "{error}");
    let listener = TcpListener::bind(address).unwrap();
    syslog.write(&batch()).unwrap();
    assert!(listener.accept().is_ok());
}
