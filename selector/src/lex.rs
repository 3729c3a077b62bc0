//! Text to tokens. Knows characters and quotes, nothing of grammar.

use crate::ParseSelectorError;

/// Longest name of a label, as in Calico's grammar.
pub(crate) const MAX_LABEL_BYTES: usize = 512;

/// The smallest piece that the grammar speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A label's name, a function's name or an operator in letters: only the grammar can tell.
    Word(&'a str),
    /// A quoted text without its quotes.
    Text(&'a str),
    Equal,
    NotEqual,
    Not,
    And,
    Or,
    OpenParenthesis,
    CloseParenthesis,
    OpenBrace,
    CloseBrace,
    Comma,
    End,
}

impl Token<'_> {
    /// The token as an error message shows it.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Word(word) => format!("{word:?}"),
            Self::Text(text) => format!("the text {text:?}"),
            Self::Equal => "\"==\"".to_owned(),
            Self::NotEqual => "\"!=\"".to_owned(),
            Self::Not => "\"!\"".to_owned(),
            Self::And => "\"&&\"".to_owned(),
            Self::Or => "\"||\"".to_owned(),
            Self::OpenParenthesis => "\"(\"".to_owned(),
            Self::CloseParenthesis => "\")\"".to_owned(),
            Self::OpenBrace => "\"{\"".to_owned(),
            Self::CloseBrace => "\"}\"".to_owned(),
            Self::Comma => "\",\"".to_owned(),
            Self::End => "the end".to_owned(),
        }
    }
}

/// A token and the bytes of the text that it covers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spanned<'a> {
    pub(crate) token: Token<'a>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Reads tokens one by one.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    /// Bytes read so far; always between two characters.
    position: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    /// The next token; [`Token::End`] for ever once the text is used up.
    pub(crate) fn next(&mut self) -> Result<Spanned<'a>, ParseSelectorError> {
        let unread = &self.text[self.position..];
        let rest = unread.trim_start_matches([' ', '\t']);
        let start = self.position + (unread.len() - rest.len());
        let (token, length) = scan(rest).map_err(|reason| ParseSelectorError::at(self.text, start, reason))?;
        self.position = start + length;
        Ok(Spanned { token, start, end: self.position })
    }
}

/// The token at the start of `rest` and how many bytes it takes.
fn scan(rest: &str) -> Result<(Token<'_>, usize), String> {
    const SYMBOLS: [(&str, Token<'static>); 10] = [
        ("==", Token::Equal),
        ("!=", Token::NotEqual),
        ("&&", Token::And),
        ("||", Token::Or),
        ("!", Token::Not),
        ("(", Token::OpenParenthesis),
        (")", Token::CloseParenthesis),
        ("{", Token::OpenBrace),
        ("}", Token::CloseBrace),
        (",", Token::Comma),
    ];
    let Some(first) = rest.chars().next() else {
        return Ok((Token::End, 0));
    };
    if let Some((symbol, token)) = SYMBOLS.iter().find(|(symbol, _)| rest.starts_with(symbol)) {
        return Ok((*token, symbol.len()));
    }
    match first {
        '"' | '\'' => scan_text(rest, first),
        _ if is_label_char(first) => scan_word(rest),
        '=' => Err("a single \"=\" compares nothing; write \"==\"".to_owned()),
        '&' => Err("a single \"&\" joins nothing; write \"&&\"".to_owned()),
        '|' => Err("a single \"|\" joins nothing; write \"||\"".to_owned()),
        _ => Err(format!("the character {first:?} has no meaning here")),
    }
}

/// A quoted text; there are no escapes, so it ends at the next quote of its kind.
fn scan_text(rest: &str, quote: char) -> Result<(Token<'_>, usize), String> {
    let inner = &rest[1..];
    let length = inner.find(quote).ok_or_else(|| format!("the text that starts here lacks its closing {quote}"))?;
    Ok((Token::Text(&inner[..length]), length + 2))
}

fn scan_word(rest: &str) -> Result<(Token<'_>, usize), String> {
    let length = rest.find(|c| !is_label_char(c)).unwrap_or(rest.len());
    if length > MAX_LABEL_BYTES {
        return Err(format!("the name that starts here is longer than {MAX_LABEL_BYTES} characters"));
    }
    Ok((Token::Word(&rest[..length]), length))
}

/// Whether a label's name may hold the character.
pub(crate) fn is_label_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-')
}
