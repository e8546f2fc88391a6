/// Writes a message. Fields with proto3's default value are left out by their own methods.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    fn key(&mut self, field: u32, wire_type: u32) {
        self.raw_varint(u64::from(field << 3 | wire_type));
    }

    /// A varint without a key, as in packed fields.
    pub(crate) fn raw_varint(&mut self, value: u64) {
        put_varint(&mut self.0, value);
    }

    pub(crate) fn varint(&mut self, field: u32, value: u64) {
        self.key(field, 0);
        self.raw_varint(value);
    }

    pub(crate) fn fixed64(&mut self, field: u32, value: u64) {
        self.key(field, 1);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn fixed32(&mut self, field: u32, value: u32) {
        self.key(field, 5);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Bytes without a key, as in packed fields.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Begins a field with a length: a message or packed numbers, that are written next.
    pub(crate) fn begin(&mut self, field: u32) -> Open {
        self.key(field, 2);
        // Most are shorter than 128 bytes: one byte for the length, moved apart if it needs more.
        self.0.push(0);
        Open(self.0.len())
    }

    /// Ends what [`Writer::begin`] began.
    pub(crate) fn end(&mut self, open: Open) {
        let Open(start) = open;
        let end = self.0.len();
        if let (Ok(short @ 0..0x80), Some(length)) = (u8::try_from(end - start), self.0.get_mut(start - 1)) {
            *length = short;
            return;
        }
        // Written after the content, then brought before it, over the byte kept for it.
        self.raw_varint((end - start) as u64);
        let length = self.0.split_off(end);
        self.0.resize(end + length.len() - 1, 0);
        self.0.copy_within(start..end, start + length.len() - 1);
        self.0[start - 1..start - 1 + length.len()].copy_from_slice(&length);
    }

    /// Text, bytes, or a message that is already written.
    pub(crate) fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.key(field, 2);
        self.raw_varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }
}

/// Where the content of an open field begins.
#[must_use]
pub(crate) struct Open(usize);

/// Appends a varint.
#[inline(always)]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}
