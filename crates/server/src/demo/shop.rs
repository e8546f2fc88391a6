//! What happens when somebody orders: a walk through the services, as spans and logs.

use std::time::Duration;

use fresnel_sdk::telemetry::otlp::{KeyValue, LogRecord, Severity, Span, SpanEvent, SpanKind, Status, Value};
use rand::Rng;
use rand::rngs::StdRng;

/// The services, by their place in [`Visit`]'s lists.
pub const SERVICES: [&str; 6] = ["frontend", "cart", "checkout", "inventory", "payment", "email"];
const FRONTEND: usize = 0;
const CART: usize = 1;
pub const CHECKOUT: usize = 2;
const INVENTORY: usize = 3;
pub const PAYMENT: usize = 4;
const EMAIL: usize = 5;

/// The host of the bank behind the payment service.
pub const BANK: &str = "bank.example";

const PRODUCTS: [&str; 6] = ["lens", "lamp", "prism", "mirror", "tower", "clockwork"];
const CARDS: [&str; 3] = ["visa", "mastercard", "girocard"];

/// How the bank behind the payment service is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bank {
    Well,
    Slow,
}

impl Bank {
    /// Every two minutes it is slow for half a minute, the next time a quarter of a minute after
    /// second 0.
    pub fn at(second: i64) -> Self {
        if (15..45).contains(&second.rem_euclid(120)) { Self::Slow } else { Self::Well }
    }
}

/// A request that a service answered.
pub struct Handled {
    pub service: usize,
    pub route: &'static str,
    pub status: u16,
    pub seconds: f64,
}

/// Everything one visit of a customer caused.
#[derive(Default)]
pub struct Visit {
    pub spans: [Vec<Span>; SERVICES.len()],
    pub logs: [Vec<LogRecord>; SERVICES.len()],
    pub handled: Vec<Handled>,
    pub ordered: Option<(&'static str, f64)>,
    /// How long the bank took.
    pub asked_bank: Option<f64>,
}

/// A visit in the making. Time is told forward from `start`; nothing waits.
struct Walk<'a> {
    visit: Visit,
    rng: &'a mut StdRng,
    trace_id: [u8; 16],
    clock: u64,
    customer: String,
}

/// A span that is open.
struct Open {
    service: usize,
    span: Span,
}

/// One customer's visit that begins at `start` (Unix nanoseconds). Two of three look around, one
/// of three orders.
pub fn visit(start: u64, bank: Bank, rng: &mut StdRng) -> Visit {
    let trace_id = rng.random::<u128>().max(1).to_be_bytes();
    let customer = format!("customer-{:04}", rng.random_range(0..500));
    let mut walk = Walk { visit: Visit::default(), rng, trace_id, clock: start, customer };
    if walk.rng.random_bool(1.0 / 3.0) {
        walk.order(bank)
    } else {
        walk.look()
    }
    walk.visit
}

impl Walk<'_> {
    fn look(&mut self) {
        let product = PRODUCTS[self.rng.random_range(0..PRODUCTS.len())];
        let page = self.server(FRONTEND, "GET", "/products/{product}", None);
        self.spend(1.0);
        let call = self.client(FRONTEND, "GET /stock/{product}", INVENTORY, &page);
        let stock = self.server(INVENTORY, "GET", "/stock/{product}", Some(&call));
        self.query(INVENTORY, "SELECT stock", "stock", &stock);
        let unknown = self.rng.random_bool(0.02);
        if unknown {
            self.log(INVENTORY, &stock, Severity::Warn, format!("no such product: {product}-xl"), vec![]);
        }
        self.finish(stock, "/stock/{product}", if unknown { 404 } else { 200 });
        self.close(call, Status::Unset);
        self.spend(2.0);
        self.page(page, "GET", "/products/{product}", if unknown { 404 } else { 200 });
    }

    fn order(&mut self, bank: Bank) {
        let page = self.server(FRONTEND, "POST", "/orders", None);
        self.spend(1.0);
        let call = self.client(FRONTEND, "GET /cart/{customer}", CART, &page);
        let cart = self.server(CART, "GET", "/cart/{customer}", Some(&call));
        self.query(CART, "GET cart", "cart", &cart);
        let items = self.rng.random_range(1..5);
        let amount = f64::from(self.rng.random_range(900..24_000)) / 100.0;
        let text = format!("cart of {} has {items} items", self.customer);
        self.log(CART, &cart, Severity::Debug, text, vec![KeyValue::new("cart.items", i64::from(items))]);
        self.finish(cart, "/cart/{customer}", 200);
        self.close(call, Status::Unset);

        let call = self.client(FRONTEND, "POST /checkout", CHECKOUT, &page);
        let checkout = self.server(CHECKOUT, "POST", "/checkout", Some(&call));
        for _ in 0..items {
            self.reserve(&checkout);
        }
        let paid = self.pay(&checkout, bank, amount);
        let status = if paid { 200 } else { 502 };
        let id = format!("{:06}", self.rng.random_range(0..1_000_000));
        if paid {
            let attributes =
                vec![KeyValue::new("order.id", id.clone()), KeyValue::new("order.amount", amount)];
            self.log(
                CHECKOUT,
                &checkout,
                Severity::Info,
                format!("order {id} placed for {amount:.2} EUR"),
                attributes,
            );
            self.mail(&checkout, &id);
            self.visit.ordered = Some((CARDS[self.rng.random_range(0..CARDS.len())], amount));
        } else {
            let text = format!("order {id} not placed: payment failed");
            self.log(
                CHECKOUT,
                &checkout,
                Severity::Error,
                text,
                vec![KeyValue::new("error.type", "payment_failed")],
            );
        }
        self.finish(checkout, "/checkout", status);
        self.close(call, error_if(!paid, "502 Bad Gateway"));
        self.spend(1.5);
        self.page(page, "POST", "/orders", status);
    }

    fn reserve(&mut self, parent: &Open) {
        let product = PRODUCTS[self.rng.random_range(0..PRODUCTS.len())];
        let call = self.client(CHECKOUT, "POST /reservations", INVENTORY, parent);
        let mut reserve = self.server(INVENTORY, "POST", "/reservations", Some(&call));
        reserve.span.attributes.push(KeyValue::new("product.name", product));
        self.query(INVENTORY, "UPDATE stock", "stock", &reserve);
        self.finish(reserve, "/reservations", 201);
        self.close(call, Status::Unset);
    }

    /// Whether the bank took it.
    fn pay(&mut self, parent: &Open, bank: Bank, amount: f64) -> bool {
        let call = self.client(CHECKOUT, "POST /charges", PAYMENT, parent);
        let mut charge = self.server(PAYMENT, "POST", "/charges", Some(&call));
        let at_bank = self.client(PAYMENT, "POST bank.example/v2/charge", PAYMENT, &charge);
        let (milliseconds, failure) = match bank {
            Bank::Well => (35.0, 0.01),
            Bank::Slow => (1_400.0, 0.25),
        };
        let asked = self.clock;
        self.spend(milliseconds);
        self.visit.asked_bank = Some(Duration::from_nanos(self.clock - asked).as_secs_f64());
        let failed = self.rng.random_bool(failure);
        if bank == Bank::Slow {
            let text = "bank answers slowly".to_owned();
            let attributes = vec![KeyValue::new("server.address", BANK)];
            self.log(PAYMENT, &charge, Severity::Warn, text, attributes);
        }
        if failed {
            let stack = "PaymentError: bank.example timed out\n    at Bank.charge (bank.ts:61)\n    at Payment.handle (payment.ts:23)";
            let exception = vec![
                KeyValue::new("exception.type", "PaymentError"),
                KeyValue::new("exception.message", "bank.example timed out"),
                KeyValue::new("exception.stacktrace", stack),
            ];
            charge.span.events.push(SpanEvent {
                time_unix_nano: self.clock,
                name: "exception".into(),
                attributes: exception.clone(),
            });
            let text = format!("charge of {amount:.2} EUR failed");
            self.log(PAYMENT, &charge, Severity::Error, text, exception);
        } else {
            self.log(PAYMENT, &charge, Severity::Info, format!("charged {amount:.2} EUR"), vec![]);
        }
        self.close(at_bank, error_if(failed, "timed out"));
        self.finish(charge, "/charges", if failed { 504 } else { 200 });
        self.close(call, error_if(failed, "504 Gateway Timeout"));
        !failed
    }

    /// A queue in between: the mail is sent after the order was answered.
    fn mail(&mut self, parent: &Open, order: &str) {
        let queue = |kind| {
            vec![
                KeyValue::new("messaging.system", "rabbitmq"),
                KeyValue::new("messaging.destination.name", "mails"),
                KeyValue::new("messaging.operation.type", kind),
            ]
        };
        let mut send = self.open(CHECKOUT, "send mails", SpanKind::Producer, Some(parent));
        send.span.attributes.extend(queue("send"));
        self.spend(0.4);
        let now = self.clock;
        self.spend(180.0);
        let mut process = self.open(EMAIL, "process mails", SpanKind::Consumer, Some(&send));
        process.span.attributes.extend(queue("process"));
        self.spend(25.0);
        self.log(EMAIL, &process, Severity::Info, format!("confirmation of order {order} sent"), vec![]);
        self.close(process, Status::Unset);
        self.clock = now;
        self.close(send, Status::Unset);
    }

    fn query(&mut self, service: usize, name: &str, table: &'static str, parent: &Open) {
        let mut query = self.open(service, name, SpanKind::Client, Some(parent));
        query.span.attributes.extend([
            KeyValue::new("db.system.name", "postgresql"),
            KeyValue::new("db.collection.name", table),
            KeyValue::new("db.query.text", format!("{name} … WHERE id = $1")),
        ]);
        self.spend(2.5);
        self.close(query, Status::Unset);
    }

    fn server(
        &mut self,
        service: usize,
        method: &'static str,
        route: &'static str,
        parent: Option<&Open>,
    ) -> Open {
        let mut open = self.open(service, &format!("{method} {route}"), SpanKind::Server, parent);
        open.span.attributes.extend([
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.route", route),
            KeyValue::new("enduser.id", self.customer.clone()),
        ]);
        self.spend(0.3);
        open
    }

    fn client(&mut self, service: usize, name: &str, to: usize, parent: &Open) -> Open {
        let mut open = self.open(service, name, SpanKind::Client, Some(parent));
        open.span.attributes.push(KeyValue::new("server.address", format!("{}.shop.internal", SERVICES[to])));
        self.spend(0.5);
        open
    }

    fn open(&mut self, service: usize, name: &str, kind: SpanKind, parent: Option<&Open>) -> Open {
        let span = Span {
            trace_id: self.trace_id,
            span_id: self.rng.random::<u64>().max(1).to_be_bytes(),
            parent_span_id: parent.map(|parent| parent.span.span_id),
            name: name.to_owned().into(),
            kind,
            start_time_unix_nano: self.clock,
            end_time_unix_nano: self.clock,
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            status: Status::Unset,
        };
        Open { service, span }
    }

    /// Ends what a customer waited for, with a line in the log of accesses.
    fn page(&mut self, page: Open, method: &'static str, route: &'static str, status: u16) {
        let milliseconds = Duration::from_nanos(self.clock - page.span.start_time_unix_nano).as_millis();
        let severity = if status >= 500 { Severity::Error } else { Severity::Info };
        let attributes = vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.route", route),
            KeyValue::new("http.response.status_code", i64::from(status)),
        ];
        self.log(
            FRONTEND,
            &page,
            severity,
            format!("{method} {route} {status} {milliseconds} ms"),
            attributes,
        );
        self.finish(page, route, status);
    }

    /// Ends a server's span.
    fn finish(&mut self, mut open: Open, route: &'static str, status: u16) {
        self.spend(0.3);
        open.span.attributes.push(KeyValue::new("http.response.status_code", i64::from(status)));
        let nanos = self.clock - open.span.start_time_unix_nano;
        let seconds = Duration::from_nanos(nanos).as_secs_f64();
        self.visit.handled.push(Handled { service: open.service, route, status, seconds });
        self.close(open, error_if(status >= 500, "server error"));
    }

    fn close(&mut self, open: Open, status: Status) {
        let Open { service, mut span } = open;
        span.end_time_unix_nano = self.clock;
        span.status = status;
        self.visit.spans[service].push(span);
    }

    fn log(
        &mut self,
        service: usize,
        within: &Open,
        severity: Severity,
        text: String,
        attributes: Vec<KeyValue>,
    ) {
        self.visit.logs[service].push(LogRecord {
            time_unix_nano: self.clock,
            observed_time_unix_nano: self.clock,
            severity,
            body: Some(Value::Text(text.into())),
            attributes,
            context: Some((self.trace_id, within.span.span_id)),
            event_name: "".into(),
        });
    }

    /// Lets time go by: about so many milliseconds, now and then three times as many.
    fn spend(&mut self, milliseconds: f64) {
        let factor = if self.rng.random_bool(0.05) { 3.0 } else { self.rng.random_range(0.6..1.5) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds at most")]
        let nanos = (milliseconds * factor * 1e6) as u64;
        self.clock += nanos;
    }
}

fn error_if(failed: bool, message: &'static str) -> Status {
    if failed { Status::Error(message.into()) } else { Status::Unset }
}
