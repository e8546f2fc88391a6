//! What a test lets the server scrape.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// What a target answers.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) status: &'static str,
    pub(super) content_type: &'static str,
    pub(super) encoding: &'static str,
    pub(super) body: Vec<u8>,
    /// Not before it has another answer.
    pub(super) held: bool,
    /// The header `Authorization` that a request must have; else it is 401.
    pub(super) wants: Option<&'static str>,
}

/// A target on a free port, for as long as the test runs.
pub(super) struct Target {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    answer: Answer,
    /// Heads of requests.
    asked: Vec<String>,
}

impl Answer {
    pub(super) fn text(body: &str) -> Self {
        Self {
            status: "200 OK",
            content_type: "text/plain; version=0.0.4",
            encoding: "identity",
            body: body.into(),
            held: false,
            wants: None,
        }
    }
}

impl Target {
    pub(super) fn start(body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { answer: Answer::text(body), asked: Vec::new() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (shared, stream) = (Arc::clone(&serving), stream.unwrap());
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Self { address, shared }
    }

    /// Host and port.
    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Answers so from now on.
    pub(super) fn answer(&self, answer: Answer) {
        self.shared.state.lock().unwrap().answer = answer;
        self.shared.changed.notify_all();
    }

    pub(super) fn expose(&self, body: &str) {
        self.answer(Answer::text(body));
    }

    /// Heads of all requests so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().asked.clone()
    }
}

impl Shared {
    /// One request after the other, until the client closes.
    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head).unwrap_or(0) == 0 {
                    return;
                }
            }
            let mut state = self.state.lock().unwrap();
            state.asked.push(head.clone());
            while state.answer.held {
                state = self.changed.wait(state).unwrap();
            }
            let Answer { mut status, content_type, encoding, mut body, wants, .. } = state.answer.clone();
            drop(state);
            if wants.is_some_and(|wanted| authorization(&head) != Some(wanted)) {
                (status, body) = ("401 Unauthorized", Vec::new());
            }
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-encoding: {encoding}\r\n\
                 content-length: {}\r\n\r\n",
                body.len()
            );
            // A client that waited for too long has gone.
            if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).is_err() {
                return;
            }
        }
    }
}

fn authorization(head: &str) -> Option<&str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(name, _)| name.eq_ignore_ascii_case("authorization")).map(|(_, value)| value).next()
}
