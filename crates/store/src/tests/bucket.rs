//! A bucket whose answers cannot be relied on.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;

use crate::disk::{Chance, Disk, ForgetfulDisk};

/// A bucket in memory, as a process reaches it that has this disk: it outlives both. Requests fail now and
/// then, before they did anything or afterwards, lists and objects end in the middle, and what was put in
/// vain may be there later all the same. The power goes off during a request, too.
///
/// Clones are the same way to the same bucket.
#[derive(Clone)]
pub(crate) struct Bucket {
    objects: Arc<InMemory>,
    line: Arc<Mutex<Line>>,
    disk: ForgetfulDisk,
}

struct Line {
    chance: Chance,
    /// One request in so many fails; none at 0.
    fails: u64,
    /// The power goes off in the request after so many others.
    power_off: Option<u64>,
    /// What has been sent and is still on its way.
    late: Vec<(ObjectPath, PutPayload)>,
}

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    /// It is done, and nobody is told.
    DoneInVain,
    InVain,
}

fn no_answer() -> Error {
    Error::Generic { store: "a bucket", source: "no answer".into() }
}

impl Bucket {
    pub(crate) fn new(seed: u64, disk: &ForgetfulDisk) -> Self {
        Self::with(Arc::default(), seed, disk)
    }

    /// With what is there already.
    pub(crate) fn with(objects: Arc<InMemory>, seed: u64, disk: &ForgetfulDisk) -> Self {
        let line = Line { chance: Chance::new(seed), fails: 0, power_off: None, late: Vec::new() };
        Self { objects, line: Arc::new(Mutex::new(line)), disk: disk.clone() }
    }

    /// The bucket for the next process, which has this disk. What was on its way arrives now, or never.
    pub(crate) async fn next(&self, seed: u64, disk: &ForgetfulDisk) -> Self {
        let late = std::mem::take(&mut self.line.lock().late);
        let next = Self::with(Arc::clone(&self.objects), seed, disk);
        for (path, content) in late {
            let arrives = next.line.lock().chance.one_in(2);
            if arrives {
                self.objects.put(&path, content).await.expect("memory takes it");
            }
        }
        next
    }

    /// Changes an object below `segments/` behind everybody's back; without bytes it is removed.
    pub(crate) async fn alter(
        &self,
        chance: &mut Chance,
        change: impl FnOnce(&mut Chance, Vec<u8>) -> Option<Vec<u8>>,
    ) {
        let all: Vec<_> =
            self.objects.list(Some(&"segments".into())).try_collect().await.expect("memory answers");
        let Some(object) = all.get(chance.below(all.len() as u64) as usize) else { return };
        let got = self.objects.get(&object.location).await.expect("it is there");
        let bytes = got.bytes().await.expect("memory answers").to_vec();
        let changed = match change(chance, bytes) {
            Some(bytes) => self.objects.put(&object.location, bytes.into()).await.map(drop),
            None => self.objects.delete(&object.location).await,
        };
        changed.expect("memory takes it");
    }

    /// From now on one request in so many fails, and the power goes off after so many.
    pub(crate) fn faults(&self, fails: u64, power_off: Option<u64>) {
        let mut line = self.line.lock();
        (line.fails, line.power_off) = (fails, power_off);
    }

    fn request(&self) -> Result<Fate> {
        // Without power nobody asks.
        self.disk
            .list(Path::new("/"))
            .map_err(|source| Error::Generic { store: "a bucket", source: source.into() })?;
        let mut line = self.line.lock();
        let goes_off = line.power_off == Some(0);
        line.power_off = line.power_off.and_then(|left| left.checked_sub(1));
        if goes_off {
            drop(self.disk.kill());
        }
        let fails = line.fails;
        let fails = goes_off || fails > 0 && line.chance.one_in(fails);
        Ok(match (fails, line.chance.one_in(2)) {
            (false, _) => Fate::Answered,
            (true, true) => Fate::DoneInVain,
            (true, false) => Fate::InVain,
        })
    }

    /// Makes a request that changes something.
    async fn change<T>(&self, change: impl Future<Output = Result<T>>) -> Result<T> {
        match self.request()? {
            Fate::InVain => Err(no_answer()),
            Fate::DoneInVain => change.await.and_then(|_| Err(no_answer())),
            Fate::Answered => change.await,
        }
    }

    async fn delete_one(&self, path: ObjectPath) -> Result<ObjectPath> {
        self.change(self.objects.delete(&path)).await.map(|()| path)
    }
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn put_opts(
        &self,
        location: &ObjectPath,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        match self.request()? {
            Fate::InVain => {
                let mut line = self.line.lock();
                if line.chance.one_in(2) {
                    line.late.push((location.clone(), payload));
                }
                Err(no_answer())
            }
            fate => {
                let put = self.objects.put_opts(location, payload, options).await?;
                if fate == Fate::Answered { Ok(put) } else { Err(no_answer()) }
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        _: &ObjectPath,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        unreachable!("nothing is that large here")
    }

    async fn get_opts(&self, location: &ObjectPath, options: GetOptions) -> Result<GetResult> {
        let fate = self.request()?;
        if fate == Fate::InVain {
            return Err(no_answer());
        }
        let mut got = self.objects.get_opts(location, options).await?;
        if fate == Fate::DoneInVain {
            let GetResult { payload, meta, range, attributes } = got;
            let whole = GetResult { payload, meta: meta.clone(), range: range.clone(), attributes };
            let bytes = whole.bytes().await?;
            let parts = [Ok(bytes.slice(..bytes.len() / 2)), Err(no_answer())];
            let payload = GetResultPayload::Stream(stream::iter(parts).boxed());
            got = GetResult { payload, meta, range, attributes: Default::default() };
        }
        Ok(got)
    }

    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.objects.list(prefix);
        match self.request() {
            Ok(Fate::Answered) => listed,
            Ok(Fate::DoneInVain) => listed.take(3).chain(stream::iter([Err(no_answer())])).boxed(),
            Ok(Fate::InVain) => stream::iter([Err(no_answer())]).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> Result<ListResult> {
        self.change(self.objects.list_with_delimiter(prefix)).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<ObjectPath>>,
    ) -> BoxStream<'static, Result<ObjectPath>> {
        let this = self.clone();
        let delete = move |location: Result<ObjectPath>| {
            let this = this.clone();
            async move { this.delete_one(location?).await }
        };
        locations.then(delete).boxed()
    }

    async fn copy_opts(&self, from: &ObjectPath, to: &ObjectPath, options: CopyOptions) -> Result<()> {
        self.change(self.objects.copy_opts(from, to, options)).await
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bucket")
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
