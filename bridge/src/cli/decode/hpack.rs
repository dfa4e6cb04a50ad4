//! HTTP/2 header blocks (RFC 7541), for reading captures.
//!
//! A decoder of a connection fails at the first byte it does not like; one for captures must not: the capture may begin in
//! the middle of a connection or have lost a block, so entries of the dynamic table may be unknown, and a peer may have sent
//! what no peer should (Java 3.3 puts line feeds into `grpc-message`), which is what somebody is looking for.

use std::collections::VecDeque;

/// The largest dynamic table that is kept, whatever the peers agreed on.
const MOST_TABLE: usize = 1 << 20;
/// The most that one block may decode to.
const MOST_BLOCK: usize = 256 << 10;
/// What the RFC counts for each entry beside its name and value.
const ENTRY_OVERHEAD: usize = 32;

/// A header as it was sent, whatever bytes that are.
pub(super) type Header = (Vec<u8>, Vec<u8>);

/// The header table of one direction of a connection.
#[derive(Debug)]
pub(super) struct Decoder {
    /// The newest entry first.
    table: VecDeque<Header>,
    size: usize,
    most: usize,
    /// Entries from before the capture, or of a lost block, are missing at the end of the table.
    partial: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            table: VecDeque::new(),
            size: 0,
            most: 4096,
            partial: false,
        }
    }
}

impl Decoder {
    /// Says that blocks are missing: what is in the table cannot be told any more.
    pub(super) fn lost(&mut self) {
        self.table.clear();
        self.size = 0;
        // The peer may have set another size; too large a table only keeps entries that nobody names.
        self.most = MOST_TABLE;
        self.partial = true;
    }

    /// The headers of a block. On an error, what was read until then and what is wrong; the table is then of no use.
    pub(super) fn block(&mut self, block: &[u8]) -> (Vec<Header>, Option<&'static str>) {
        let mut headers = Vec::new();
        let mut room = MOST_BLOCK;
        let mut rest = block;
        while !rest.is_empty() {
            match self.field(&mut rest) {
                Ok(None) => {}
                Ok(Some(header)) => {
                    let weight = header.0.len() + header.1.len() + ENTRY_OVERHEAD;
                    match room.checked_sub(weight) {
                        Some(left) => room = left,
                        None => return (headers, Some("the block decodes to more than 256 KiB")),
                    }
                    headers.push(header);
                }
                Err(problem) => {
                    self.lost();
                    return (headers, Some(problem));
                }
            }
        }
        (headers, None)
    }

    fn field(&mut self, rest: &mut &[u8]) -> Result<Option<Header>, &'static str> {
        let first = *rest.first().ok_or(CUT)?;
        if first & 0x80 != 0 {
            let index = integer(rest, 7)?;
            return self.entry(index).map(Some);
        }
        if first & 0xe0 == 0x20 {
            let size = integer(rest, 5)?;
            if size > MOST_TABLE {
                return Err("the table is set to more than 1 MiB");
            }
            self.most = size;
            self.evict(0);
            return Ok(None);
        }
        let keep = first & 0x40 != 0;
        let index = integer(rest, if keep { 6 } else { 4 })?;
        let name = match index {
            0 => string(rest)?,
            index => self.entry(index)?.0,
        };
        let header = (name, string(rest)?);
        if keep {
            let weight = header.0.len() + header.1.len() + ENTRY_OVERHEAD;
            self.evict(weight);
            if weight <= self.most {
                self.size += weight;
                self.table.push_front(header.clone());
            }
        }
        Ok(Some(header))
    }

    fn evict(&mut self, wanted: usize) {
        while self.size + wanted > self.most {
            let Some((name, value)) = self.table.pop_back() else {
                return;
            };
            self.size -= name.len() + value.len() + ENTRY_OVERHEAD;
        }
    }

    fn entry(&self, index: usize) -> Result<Header, &'static str> {
        let Some(index) = index.checked_sub(1) else {
            return Err("a header has the index 0");
        };
        if let Some((name, value)) = STATIC.get(index) {
            return Ok((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        }
        match self.table.get(index - STATIC.len()) {
            Some(header) => Ok(header.clone()),
            None if self.partial => Ok((UNKNOWN.to_vec(), UNKNOWN.to_vec())),
            None => Err("a header has an index that the table does not hold"),
        }
    }
}

/// Stands for what was sent before the capture began.
pub(super) const UNKNOWN: &[u8] = b"?";

const CUT: &str = "the block ends inside a header";

fn integer(rest: &mut &[u8], bits: u32) -> Result<usize, &'static str> {
    let mask = (1u8 << bits) - 1;
    let (first, mut tail) = rest.split_first().ok_or(CUT)?;
    let mut value = usize::from(first & mask);
    if value == usize::from(mask) {
        for shift in (0..28).step_by(7) {
            let (byte, more) = tail.split_first().ok_or(CUT)?;
            tail = more;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                *rest = tail;
                return Ok(value);
            }
        }
        return Err("a number in the block is too large");
    }
    *rest = tail;
    Ok(value)
}

fn string(rest: &mut &[u8]) -> Result<Vec<u8>, &'static str> {
    let huffman = rest.first().ok_or(CUT)? & 0x80 != 0;
    let length = integer(rest, 7)?;
    let (raw, tail) = rest.split_at_checked(length).ok_or(CUT)?;
    *rest = tail;
    if huffman { unhuffman(raw) } else { Ok(raw.to_vec()) }
}

/// Bits of each byte's code, and of the end mark (RFC 7541, appendix B). Codes of one length follow one another in the order
/// of their bytes, so the lengths are all there is to know.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
    23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const LONGEST: usize = 30;

struct Codes {
    /// The first code of each length, and its place among the symbols.
    first: [(u32, usize); LONGEST + 2],
    /// All symbols by length, then by value.
    symbols: [u16; 257],
}

static CODES: Codes = codes();

const fn codes() -> Codes {
    let mut codes = Codes {
        first: [(0, 0); LONGEST + 2],
        symbols: [0; 257],
    };
    let (mut length, mut code, mut place) = (1, 0u32, 0);
    while length <= LONGEST + 1 {
        code <<= 1;
        codes.first[length] = (code, place);
        let mut symbol = 0u16;
        while (symbol as usize) < LENGTHS.len() {
            if LENGTHS[symbol as usize] as usize == length {
                codes.symbols[place] = symbol;
                place += 1;
                code += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    codes
}

fn unhuffman(raw: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::with_capacity(raw.len().saturating_mul(8) / 5);
    let (mut code, mut length) = (0u32, 0usize);
    for bit in raw
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1))
    {
        code = code << 1 | u32::from(bit);
        length += 1;
        let (Some((first, place)), Some((_, next))) = (CODES.first.get(length), CODES.first.get(length + 1))
        else {
            return Err(BAD_HUFFMAN);
        };
        let Some(index) = code
            .checked_sub(*first)
            .and_then(|index| usize::try_from(index).ok())
        else {
            continue;
        };
        if place + index < *next {
            let symbol = CODES.symbols.get(place + index).copied().unwrap_or_default();
            out.push(u8::try_from(symbol).map_err(|_| BAD_HUFFMAN)?);
            (code, length) = (0, 0);
        }
    }
    // What fills the last byte is the beginning of the end mark: ones, fewer than eight.
    let padding = length < 8 && code == (1u32 << length) - 1;
    if padding { Ok(out) } else { Err(BAD_HUFFMAN) }
}

const BAD_HUFFMAN: &str = "a text in the block is not Huffman code";

/// RFC 7541, appendix A.
#[rustfmt::skip]
const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""), ("etag", ""),
    ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""), ("if-modified-since", ""),
    ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""),
    ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::super::from_hex;
    use super::*;

    fn read(decoder: &mut Decoder, hex: &str) -> (Vec<(String, String)>, Option<&'static str>) {
        let (headers, problem) = decoder.block(&from_hex(hex).unwrap());
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let headers = headers.into_iter().map(|(name, value)| (text(name), text(value)));
        (headers.collect(), problem)
    }

    /// RFC 7541, C.4: three requests on one connection, with Huffman code.
    const REQUESTS: [&str; 3] = [
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ];

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_requests_of_the_rfc_are_read() {
        let mut decoder = Decoder::default();
        let get = (":method", "GET");
        let want = [
            pairs(&[
                get,
                (":scheme", "http"),
                (":path", "/"),
                (":authority", "www.example.com"),
            ]),
            pairs(&[
                get,
                (":scheme", "http"),
                (":path", "/"),
                (":authority", "www.example.com"),
                ("cache-control", "no-cache"),
            ]),
            pairs(&[
                get,
                (":scheme", "https"),
                (":path", "/index.html"),
                (":authority", "www.example.com"),
                ("custom-key", "custom-value"),
            ]),
        ];
        for (block, want) in REQUESTS.iter().zip(want) {
            assert_eq!(read(&mut decoder, block), (want, None));
        }
        assert_eq!((decoder.table.len(), decoder.size), (3, 164));
    }

    /// RFC 7541, C.6: responses with a table of 256 bytes, so that entries are evicted.
    #[test]
    fn the_responses_of_the_rfc_evict_entries() {
        let mut decoder = Decoder {
            most: 256,
            ..Decoder::default()
        };
        let blocks = [
            "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
            "4883640effc1c0bf",
            "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        ];
        let mut last = Vec::new();
        for block in blocks {
            let (headers, problem) = read(&mut decoder, block);
            assert_eq!(problem, None);
            last = headers;
        }
        let want = pairs(&[
            (":status", "200"),
            ("cache-control", "private"),
            ("date", "Mon, 21 Oct 2013 20:13:22 GMT"),
            ("location", "https://www.example.com"),
            ("content-encoding", "gzip"),
            (
                "set-cookie",
                "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
            ),
        ]);
        assert_eq!(last, want);
        assert_eq!((decoder.table.len(), decoder.size), (3, 215));
    }

    #[test]
    fn a_capture_that_begins_later_knows_what_came_after() {
        let mut decoder = Decoder::default();
        decoder.lost();
        let (headers, problem) = read(&mut decoder, REQUESTS[1]);
        assert_eq!(problem, None);
        assert_eq!(headers.get(3), pairs(&[("?", "?")]).first());
        assert_eq!(headers.get(4), pairs(&[("cache-control", "no-cache")]).first());
        // The newest entry is known from now on.
        assert_eq!(
            read(&mut decoder, "be").0,
            pairs(&[("cache-control", "no-cache")])
        );
    }

    #[test]
    fn broken_blocks_say_what_is_wrong() {
        for (block, what) in [
            ("80", "index 0"),
            ("be", "does not hold"),
            ("3fe1ffff07", "1 MiB"),
            ("7fffffffff0f", "too large"),
            ("400161", CUT),
            ("40016183ffffff", BAD_HUFFMAN),
            ("4001618106", BAD_HUFFMAN),
        ] {
            let (_, problem) = read(&mut Decoder::default(), block);
            assert!(problem.unwrap().contains(what), "{block}: {problem:?}");
        }
        // A kilobyte that names one entry of 4 KB over and over.
        let mut decoder = Decoder::default();
        let mut bomb = vec![0x40, 1, b'a', 0x7f, 0xa1, 0x1e];
        bomb.extend_from_slice(&[b'x'; 4000]);
        bomb.extend_from_slice(&[0xbe; 1000]);
        let (headers, problem) = decoder.block(&bomb);
        assert!(problem.is_some() && headers.len() < 70);
    }

    /// A line feed is what no decoder of a connection lets through.
    #[test]
    fn forbidden_bytes_are_shown() {
        let (headers, problem) = Decoder::default().block(b"\x00\x01a\x03x\ny");
        assert_eq!(
            (headers, problem),
            (vec![(b"a".to_vec(), b"x\ny".to_vec())], None)
        );
    }
}
