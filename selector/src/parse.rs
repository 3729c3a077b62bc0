//! Tokens to a tree, by recursive descent. Never panics; depth and length are bounded.
//!
//! `!` binds tighter than `&&`, which binds tighter than `||`. Words that are operators elsewhere may name labels.

use std::collections::BTreeSet;

use crate::{
    ParseSelectorError,
    ast::{Comparison, Expression, MAX_DEPTH},
    lex::{Lexer, Spanned, Token},
};

/// Longest selector that is accepted: well above what an API server stores, well below what hurts.
pub(crate) const MAX_TEXT_BYTES: usize = 256 * 1024;

const OPERATORS: &str = "an operator (==, !=, in, not in, contains, starts with, ends with)";
const TERM: &str = "a label, has(), all(), global(), \"!\" or \"(\"";

/// Reads a whole text; the empty one selects all.
pub(crate) fn parse(text: &str) -> Result<Expression, ParseSelectorError> {
    if text.len() > MAX_TEXT_BYTES {
        let reason = format!("a selector is at most {MAX_TEXT_BYTES} bytes long, this one has {}", text.len());
        return Err(ParseSelectorError::at(text, MAX_TEXT_BYTES, reason));
    }
    let mut parser = Parser::new(text)?;
    if parser.current.token == Token::End {
        return Ok(Expression::All);
    }
    let expression = parser.any_of()?;
    if parser.current.token != Token::End {
        return Err(parser.expected("\"&&\", \"||\" or the end"));
    }
    if expression.depth() > MAX_DEPTH {
        return Err(ParseSelectorError::at(text, 0, too_deep()));
    }
    Ok(expression)
}

fn too_deep() -> String {
    format!("a selector is nested at most {MAX_DEPTH} levels deep")
}

struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    /// The token to be looked at next.
    current: Spanned<'a>,
    /// Parentheses open now.
    depth: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, ParseSelectorError> {
        let mut lexer = Lexer::new(text);
        let current = lexer.next()?;
        Ok(Self { text, lexer, current, depth: 0 })
    }

    fn any_of(&mut self) -> Result<Expression, ParseSelectorError> {
        let mut terms = vec![self.all_of()?];
        while self.accept(Token::Or)? {
            terms.push(self.all_of()?);
        }
        Ok(Expression::any_of(terms))
    }

    fn all_of(&mut self) -> Result<Expression, ParseSelectorError> {
        let mut terms = vec![self.unary()?];
        while self.accept(Token::And)? {
            terms.push(self.unary()?);
        }
        Ok(Expression::all_of(terms))
    }

    fn unary(&mut self) -> Result<Expression, ParseSelectorError> {
        let mut negated = false;
        while self.accept(Token::Not)? {
            negated = !negated;
        }
        let term = self.primary()?;
        Ok(if negated { term.negate() } else { term })
    }

    fn primary(&mut self) -> Result<Expression, ParseSelectorError> {
        match self.current.token {
            Token::OpenParenthesis => self.parenthesised(),
            Token::Word(word) => {
                let word_end = self.current.end;
                self.advance()?;
                // Calico's lexer takes `has(` as one piece: with a space before it, `has` names a label.
                let is_call = self.current.token == Token::OpenParenthesis && self.current.start == word_end;
                if is_call { self.call(word) } else { self.comparison(word) }
            }
            _ => Err(self.expected(TERM)),
        }
    }

    fn parenthesised(&mut self) -> Result<Expression, ParseSelectorError> {
        if self.depth == MAX_DEPTH {
            return Err(ParseSelectorError::at(self.text, self.current.start, too_deep()));
        }
        self.depth += 1;
        self.advance()?;
        let inner = self.any_of()?;
        self.require(Token::CloseParenthesis, "\"&&\", \"||\" or \")\"")?;
        self.depth -= 1;
        Ok(inner)
    }

    /// `has(label)`, `all()` or `global()`; the parenthesis is the current token.
    fn call(&mut self, function: &str) -> Result<Expression, ParseSelectorError> {
        let expression = match function {
            "all" => Expression::All,
            "global" => Expression::Global,
            "has" => {
                self.advance()?;
                let Token::Word(label) = self.current.token else {
                    return Err(self.expected("a label's name"));
                };
                Expression::Has(label.into())
            }
            _ => return Err(self.expected(OPERATORS)),
        };
        self.advance()?;
        self.require(Token::CloseParenthesis, "\")\"")?;
        Ok(expression)
    }

    /// What follows a label's name.
    fn comparison(&mut self, label: &str) -> Result<Expression, ParseSelectorError> {
        let comparison = match self.current.token {
            Token::Equal => Comparison::Equal,
            Token::NotEqual => Comparison::NotEqual,
            Token::Word("contains") => Comparison::Contains,
            Token::Word("startswith") => Comparison::StartsWith,
            Token::Word("endswith") => Comparison::EndsWith,
            Token::Word("starts") => self.second_word("with", Comparison::StartsWith)?,
            Token::Word("ends") => self.second_word("with", Comparison::EndsWith)?,
            Token::Word("in") => return self.member(label, false),
            Token::Word("notin") => return self.member(label, true),
            Token::Word("not") => {
                self.second_word("in", ())?;
                return self.member(label, true);
            }
            _ => return Err(self.expected(OPERATORS)),
        };
        self.advance()?;
        let text = self.quoted("a text in quotes")?;
        Ok(Expression::Compare(label.into(), comparison, text.into()))
    }

    /// Steps from the first word of an operator to its second.
    fn second_word<T>(&mut self, word: &str, operator: T) -> Result<T, ParseSelectorError> {
        self.advance()?;
        if self.current.token == Token::Word(word) { Ok(operator) } else { Err(self.expected(&format!("{word:?}"))) }
    }

    /// `{"a", "b"}`; the operator's last word is the current token.
    fn member(&mut self, label: &str, negated: bool) -> Result<Expression, ParseSelectorError> {
        self.advance()?;
        self.require(Token::OpenBrace, "\"{\"")?;
        let mut values = BTreeSet::new();
        while !self.accept(Token::CloseBrace)? {
            values.insert(self.quoted("a text in quotes or \"}\"")?.into());
            if !self.accept(Token::Comma)? {
                self.require(Token::CloseBrace, "\",\" or \"}\"")?;
                break;
            }
        }
        Ok(Expression::Member { label: label.into(), negated, values })
    }

    fn quoted(&mut self, what: &str) -> Result<&'a str, ParseSelectorError> {
        let Token::Text(text) = self.current.token else {
            return Err(self.expected(what));
        };
        self.advance()?;
        Ok(text)
    }

    fn accept(&mut self, token: Token<'_>) -> Result<bool, ParseSelectorError> {
        let found = self.current.token == token;
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn require(&mut self, token: Token<'_>, what: &str) -> Result<(), ParseSelectorError> {
        if self.accept(token)? { Ok(()) } else { Err(self.expected(what)) }
    }

    fn advance(&mut self) -> Result<(), ParseSelectorError> {
        self.current = self.lexer.next()?;
        Ok(())
    }

    fn expected(&self, what: &str) -> ParseSelectorError {
        let reason = format!("expected {what}, found {}", self.current.token.describe());
        ParseSelectorError::at(self.text, self.current.start, reason)
    }
}
