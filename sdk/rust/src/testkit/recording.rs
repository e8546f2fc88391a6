use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// More records are counted, not kept.
const RECORDS_MAX: usize = 100_000;

/// A log record as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// How bad it is.
    pub level: Level,
    /// The module that made it.
    pub target: String,
    /// Its text.
    pub message: String,
    /// Its other fields, as texts.
    pub fields: BTreeMap<String, String>,
    /// Names of the spans that it was made in, outermost first.
    pub spans: Vec<String>,
}

/// A span as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedSpan {
    /// Its name.
    pub name: String,
    /// The module that made it.
    pub target: String,
    /// Its fields, as texts, those recorded later too.
    pub fields: BTreeMap<String, String>,
    /// The name of the span that it is in.
    pub parent: Option<String>,
    /// Whether it has ended.
    pub ended: bool,
}

/// Records logs and spans of every level. Clones are the same recording.
///
/// ```
/// use fresnel_sdk::testkit::Recording;
/// use tracing::Level;
///
/// let recording = Recording::default();
/// recording.during(|| {
///     let _span = tracing::info_span!("order", id = 7).entered();
///     tracing::warn!(left = 2, "stock is low");
/// });
/// let event = recording.expect(Level::WARN, "stock is low");
/// assert_eq!((event.fields["left"].as_str(), &event.spans[..]), ("2", &["order".to_owned()][..]));
/// assert!(recording.span("order").is_some_and(|span| span.ended && span.fields["id"] == "7"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Recording(Arc<Mutex<Records>>);

#[derive(Debug, Default)]
struct Records {
    events: Vec<RecordedEvent>,
    spans: Vec<RecordedSpan>,
    dropped: usize,
}

/// Where in the recording a span is.
struct Place(usize);

impl Recording {
    /// Runs something on this thread with its logs and spans recorded, and nowhere else.
    pub fn during<T>(&self, test: impl FnOnce() -> T) -> T {
        tracing::dispatcher::with_default(&self.dispatch(), test)
    }

    /// For other threads and tasks: `future.with_subscriber(recording.dispatch())`.
    pub fn dispatch(&self) -> Dispatch {
        Dispatch::new(Registry::default().with(Recorder(self.0.clone())))
    }

    /// All log records so far.
    pub fn events(&self) -> Vec<RecordedEvent> {
        self.0.lock().events.clone()
    }

    /// All spans so far, in the order in which they began.
    pub fn spans(&self) -> Vec<RecordedSpan> {
        self.0.lock().spans.clone()
    }

    /// The first span of a name.
    pub fn span(&self, name: &str) -> Option<RecordedSpan> {
        self.0.lock().spans.iter().find(|span| span.name == name).cloned()
    }

    /// How many records there was no room for.
    pub fn dropped(&self) -> usize {
        self.0.lock().dropped
    }

    /// The first log record of a level whose text has this in it.
    ///
    /// # Panics
    /// There is none; says which there are.
    #[track_caller]
    pub fn expect(&self, level: Level, part: &str) -> RecordedEvent {
        let events = self.events();
        let found = events.iter().find(|event| event.level == level && event.message.contains(part));
        match found {
            Some(event) => event.clone(),
            None => panic!("nothing was logged as {level} with `{part}` in it, but {events:#?}"),
        }
    }

    /// Sees that nothing was logged that is as bad as this or worse.
    ///
    /// # Panics
    /// Something was; says what.
    #[track_caller]
    pub fn expect_nothing_from(&self, level: Level) {
        // A level is smaller the worse it is.
        let bad: Vec<_> = self.events().into_iter().filter(|event| event.level <= level).collect();
        assert!(bad.is_empty(), "these were logged: {bad:#?}");
    }

    /// Forgets everything.
    pub fn clear(&self) {
        let mut records = self.0.lock();
        records.events.clear();
        records.dropped = 0;
        // Spans that are open know their place: they stay until they end.
        let open = records.spans.iter().any(|span| !span.ended);
        if !open {
            records.spans.clear();
        }
    }
}

struct Recorder(Arc<Mutex<Records>>);

#[derive(Default)]
struct Fields {
    message: String,
    others: BTreeMap<String, String>,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = value.to_owned(),
            name => drop(self.others.insert(name.to_owned(), value.to_owned())),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let recorded = RecordedSpan {
            name: span.name().to_owned(),
            target: span.metadata().target().to_owned(),
            fields: fields.others,
            parent: span.parent().map(|parent| parent.name().to_owned()),
            ended: false,
        };
        let mut records = self.0.lock();
        if records.spans.len() < RECORDS_MAX {
            span.extensions_mut().insert(Place(records.spans.len()));
            records.spans.push(recorded);
        } else {
            records.dropped += 1;
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        self.with_span(id, &ctx, |span| span.fields.extend(fields.others));
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let spans = ctx.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
        let recorded = RecordedEvent {
            level: *event.metadata().level(),
            target: event.metadata().target().to_owned(),
            message: fields.message,
            fields: fields.others,
            spans: spans.map(|span| span.name().to_owned()).collect(),
        };
        let mut records = self.0.lock();
        if records.events.len() < RECORDS_MAX {
            records.events.push(recorded);
        } else {
            records.dropped += 1;
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        self.with_span(&id, &ctx, |span| span.ended = true);
    }
}

impl Recorder {
    fn with_span<S: Subscriber + for<'a> LookupSpan<'a>>(
        &self,
        id: &Id,
        ctx: &Context<'_, S>,
        change: impl FnOnce(&mut RecordedSpan),
    ) {
        let place = ctx.span(id).and_then(|span| span.extensions().get::<Place>().map(|place| place.0));
        let mut records = self.0.lock();
        if let Some(span) = place.and_then(|place| records.spans.get_mut(place)) {
            change(span);
        }
    }
}
