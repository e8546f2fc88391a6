use crate::judge::{BODY_BYTES_MAX, Judge, Reason};
use crate::proto::{Malformed, Reader, Refused, Slot, put_varint};

use super::NOTHING;
use super::labels::length_of;

/// The texts of a request that its labels refer to.
pub(super) struct Symbols<'a> {
    body: Reader<'a>,
    slots: Vec<Slot>,
    /// Numbers of those that are not UTF-8, ascending.
    broken: Vec<usize>,
    /// Bytes of what was resolved so far: few references may stand for very much text.
    pub(super) resolved: usize,
    /// Labels as version 1 has them.
    labels: Vec<u8>,
    /// References of the labels being resolved.
    references: Vec<u32>,
}

impl<'a> Symbols<'a> {
    /// Reads the symbols of a request and nothing else.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Refused> {
        let mut symbols = Self {
            body: Reader::new(body),
            slots: Vec::new(),
            broken: Vec::new(),
            resolved: 0,
            labels: Vec::new(),
            references: Vec::new(),
        };
        let mut fields = Reader::new(body);
        while fields.more()? {
            match fields.key() {
                0x22 => {
                    let slot = fields.slot();
                    let text = fields.at(slot);
                    if simdutf8::basic::from_utf8(text.bytes()).is_err() {
                        symbols.broken.push(symbols.slots.len());
                    }
                    symbols.slots.push(slot);
                }
                0x2a => drop(fields.field()),
                key => fields.unknown(key, &NOTHING)?,
            }
        }
        Ok(symbols)
    }

    /// A symbol; one that there is not, or that is not text, is rejected.
    pub(super) fn get(&mut self, reference: u32, judge: &mut Judge<'_>) -> Result<Reader<'a>, Refused> {
        let index = reference as usize;
        let Some(slot) = self.slots.get(index) else {
            judge.reject(Reason::UnknownSymbol, reference.into());
            return Ok(Reader::EMPTY);
        };
        let text = self.body.at(*slot);
        if self.broken.binary_search(&index).is_ok() {
            judge.reject(Reason::InvalidUtf8, 0);
        }
        self.note(text.len())?;
        Ok(text)
    }

    fn note(&mut self, bytes: usize) -> Result<(), Refused> {
        self.resolved += bytes;
        if self.resolved > BODY_BYTES_MAX {
            return Err(Malformed::TooLarge { bytes: self.resolved, limit: BODY_BYTES_MAX }.into());
        }
        Ok(())
    }

    /// Begins the references of another series or exemplar.
    pub(super) fn restart(&mut self) {
        self.references.clear();
    }

    /// Takes a reference, for the labels to be resolved next.
    pub(super) fn push(&mut self, reference: u32) {
        self.references.push(reference);
    }

    /// Takes packed references.
    pub(super) fn push_packed(&mut self, packed: Reader<'_>) -> Result<(), Refused> {
        let mut numbers = packed;
        while numbers.more()? {
            self.references.push(numbers.varint32());
        }
        Ok(())
    }

    /// The labels that the references are, as fields of a message of version 1.
    pub(super) fn labels(&mut self, judge: &mut Judge<'_>) -> Result<&[u8], Refused> {
        let references = std::mem::take(&mut self.references);
        self.labels.clear();
        let (pairs, rest) = references.as_chunks::<2>();
        if !rest.is_empty() {
            judge.reject(Reason::OddLabelReferences, references.len() as u64);
        }
        for [name, value] in pairs {
            let (name, value) = (self.get(*name, judge)?, self.get(*value, judge)?);
            let length = 2 + length_of(name.len()) + name.len() + length_of(value.len()) + value.len();
            self.labels.push(0x0a);
            put_varint(&mut self.labels, length as u64);
            self.labels.push(0x0a);
            put_varint(&mut self.labels, name.len() as u64);
            name.copy_to(&mut self.labels);
            self.labels.push(0x12);
            put_varint(&mut self.labels, value.len() as u64);
            value.copy_to(&mut self.labels);
        }
        self.references = references;
        Ok(&self.labels)
    }

    /// Adds what a series refers to.
    pub(super) fn measure(&mut self, series: Reader<'_>) -> Result<(), Refused> {
        let mut fields = series;
        while fields.more()? {
            match fields.key() {
                0x0a => self.measure_packed(fields.field())?,
                0x08 => {
                    let reference = fields.varint32();
                    self.note(self.length(reference))?;
                }
                0x12 | 0x1a => drop(fields.field()),
                0x22 => self.measure_exemplar(fields.field())?,
                0x2a => self.measure_metadata(fields.field())?,
                key => fields.unknown(key, &NOTHING)?,
            }
        }
        Ok(())
    }

    fn measure_exemplar(&mut self, exemplar: Reader<'_>) -> Result<(), Refused> {
        let mut fields = exemplar;
        while fields.more()? {
            match fields.key() {
                0x0a => self.measure_packed(fields.field())?,
                0x08 => {
                    let reference = fields.varint32();
                    self.note(self.length(reference))?;
                }
                key => fields.unknown(key, &NOTHING)?,
            }
        }
        Ok(())
    }

    fn measure_metadata(&mut self, metadata: Reader<'_>) -> Result<(), Refused> {
        let mut fields = metadata;
        while fields.more()? {
            match fields.key() {
                0x18 | 0x20 => {
                    let reference = fields.varint32();
                    self.note(self.length(reference))?;
                }
                key => fields.unknown(key, &NOTHING)?,
            }
        }
        Ok(())
    }

    fn measure_packed(&mut self, packed: Reader<'_>) -> Result<(), Refused> {
        let mut numbers = packed;
        while numbers.more()? {
            let reference = numbers.varint32();
            self.note(self.length(reference))?;
        }
        Ok(())
    }

    fn length(&self, reference: u32) -> usize {
        self.slots.get(reference as usize).map_or(0, |slot| self.body.at(*slot).len())
    }
}
