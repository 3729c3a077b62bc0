//! The string code of HPACK (RFC 7541 section 5.2 and appendix B), decoding only: we never send it.
//!
//! The code is canonical, so the lengths of its words say everything: words of one length are consecutive numbers in the
//! order of their symbols.

/// The end of a string. It must never be sent.
const END: u16 = 256;
const SYMBOLS: usize = 257;
const LONGEST: usize = 30;
/// Words are compared as the upper bits of this many.
const FRAME_BITS: usize = 32;
/// What pads the last byte is shorter than this, and all ones.
const PADDING_BITS: usize = 8;

/// The length of every symbol's word, in bits.
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12,
    10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6,
    5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22,
    22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20,
    22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28,
    27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28,
    27, 27, 27, 27, 27, 26, 30,
];

/// The words of one length.
#[derive(Clone, Copy)]
struct Row {
    /// The lowest word, moved to the top of [`FRAME_BITS`].
    first: u64,
    /// Above the highest word, likewise.
    limit: u64,
    /// The place in [`ORDER`] of the lowest word's symbol.
    offset: usize,
}

/// The symbols, by length and then by value.
const ORDER: [u16; SYMBOLS] = order();
const ROWS: [Row; LONGEST + 1] = rows();

const fn order() -> [u16; SYMBOLS] {
    let (mut order, mut place, mut length) = ([0; SYMBOLS], 0, 0);
    while length <= LONGEST {
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                order[place] = symbol as u16;
                place += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    order
}

const fn rows() -> [Row; LONGEST + 1] {
    let mut rows = [Row { first: 0, limit: 0, offset: 0 }; LONGEST + 1];
    let (mut limit, mut place, mut length) = (0, 0, 1);
    while length <= LONGEST {
        let (first, offset) = (limit, place);
        while place < SYMBOLS && LENGTHS[ORDER[place] as usize] as usize == length {
            limit += 1 << (FRAME_BITS - length);
            place += 1;
        }
        rows[length] = Row { first, limit, offset };
        length += 1;
    }
    rows
}

/// Decodes a string to the end of `into`; `None` where it is malformed.
pub(super) fn decode(coded: &[u8], into: &mut Vec<u8>) -> Option<()> {
    let mut bytes = coded.iter();
    // The bits that are not decoded yet, the next one lowest in `held - 1`.
    let (mut bits, mut held) = (0_u64, 0_usize);
    loop {
        while held <= FRAME_BITS
            && let Some(byte) = bytes.next()
        {
            bits = bits << 8 | u64::from(*byte);
            held += 8;
        }
        // What is missing at the end counts as ones, as padding does.
        let ones = (1_u64 << FRAME_BITS) - 1;
        let window = if held >= FRAME_BITS {
            bits >> (held - FRAME_BITS) & ones
        } else {
            (bits << (FRAME_BITS - held) | ones >> held) & ones
        };
        let (length, symbol) = word(window)?;
        if length > held || symbol == END {
            let is_padding = held < PADDING_BITS && window == ones;
            return is_padding.then_some(());
        }
        into.push(symbol as u8);
        held -= length;
        bits &= (1 << held) - 1;
    }
}

/// The length and the symbol of the word at the top of the window.
fn word(window: u64) -> Option<(usize, u16)> {
    let (length, row) = ROWS.iter().enumerate().skip(1).find(|(_, row)| window < row.limit)?;
    let place = row.offset + ((window - row.first) >> (FRAME_BITS - length)) as usize;
    Some((length, ORDER[place]))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The coded form, for tests of the decoder.
    pub(in super::super) fn encode(text: &[u8]) -> Vec<u8> {
        let (mut coded, mut bits, mut held) = (Vec::new(), 0_u64, 0);
        for symbol in text {
            let length = usize::from(LENGTHS[usize::from(*symbol)]);
            let row = ROWS[length];
            let place = ORDER[row.offset..].iter().position(|other| *other == u16::from(*symbol)).unwrap();
            bits = bits << length | ((row.first >> (FRAME_BITS - length)) + place as u64);
            held += length;
            while held >= 8 {
                held -= 8;
                coded.push((bits >> held) as u8);
            }
            bits &= (1 << held) - 1;
        }
        if held > 0 {
            coded.push((bits << (8 - held) | (0xff >> held)) as u8);
        }
        coded
    }

    fn decoded(coded: &[u8]) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        decode(coded, &mut text).map(|()| text)
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        let examples: [(&[u8], &[u8]); 4] = [
            (b"www.example.com", &[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff]),
            (b"no-cache", &[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]),
            (b"custom-value", &[0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf]),
            (b"302", &[0x64, 0x02]),
        ];
        for (text, coded) in examples {
            assert_eq!(decoded(coded).as_deref(), Some(text));
            assert_eq!(encode(text), coded);
        }
    }

    #[test]
    fn every_symbol_survives() {
        let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        assert_eq!(decoded(&encode(&all)), Some(all));
    }

    #[test]
    fn padding_is_short_and_all_ones() {
        assert_eq!(decoded(&[]), Some(Vec::new()));
        // "0" is 00000; what follows must be 111.
        assert_eq!(decoded(&[0b0000_0111]).as_deref(), Some(&b"0"[..]));
        assert_eq!(decoded(&[0b0000_0110]), None);
        assert_eq!(decoded(&[0b0000_0111, 0xff]), None, "a whole byte of padding");
        assert_eq!(decoded(&[0xff; 4]), None, "the end of a string is not to be sent");
    }
}
