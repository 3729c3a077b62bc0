//! Mutations of seeds that are the same in every run: what libFuzzer does, without its feedback.

/// Pieces that parsers look for, and numbers at which arithmetic goes wrong.
const TOKENS: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"{",
    b"}",
    b"[",
    b"]",
    b"null",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"\"",
    b"'",
    b"(",
    b")",
    b"!",
    b"&&",
    b"||",
    b"in",
    b"has(",
    b"all()",
    b"---\n",
    b"- ",
    b": ",
    b"&a",
    b"*a",
    b"!!",
    b"/",
    b"::/0",
    b"0.0.0.0/0",
    b"\xc3\x28",
    b"\n",
    b" ",
];

/// A mutated input is not longer than this; what is found is found in small ones.
const LENGTH_MAX: usize = 64 << 10;

/// An endless stream of mutations of some seeds.
#[derive(Debug)]
pub struct Mutations<'a> {
    seeds: &'a [Vec<u8>],
    /// The state of a xorshift generator; never 0.
    state: u64,
}

impl<'a> Mutations<'a> {
    /// Of these seeds, of which there is at least one. The same `number` gives the same mutations.
    pub fn new(seeds: &'a [Vec<u8>], number: u64) -> Self {
        Self { seeds, state: number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    /// A number below `bound`, 0 where that is 0.
    fn below(&mut self, bound: usize) -> usize {
        (self.random() >> 11) as usize % bound.max(1)
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        let end = at + self.below((bytes.len() - at).min(32) + 1);
        match self.below(8) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
            1 if !bytes.is_empty() => bytes[at] = self.random() as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let piece = bytes[at..end].to_vec();
                let to = self.below(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            5 => {
                let other = &self.seeds[self.below(self.seeds.len())];
                let from = self.below(other.len());
                bytes.splice(at.., other[from..].iter().copied());
            }
            6 => {
                let token = TOKENS[self.below(TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
            _ => {
                let token = TOKENS[self.below(TOKENS.len())];
                let end = (at + token.len()).min(bytes.len());
                bytes.splice(at..end, token.iter().copied());
            }
        }
        bytes.truncate(LENGTH_MAX);
    }
}

impl Iterator for Mutations<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut bytes = self.seeds.get(self.below(self.seeds.len()))?.clone();
        for _ in 0..=self.below(4) {
            self.mutate(&mut bytes);
        }
        Some(bytes)
    }
}
