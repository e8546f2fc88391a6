//! Operators by precedence, signs, literals, parentheses and calls.

use super::lex::Lexer;
use super::token::{Kind, Token};
use super::{Fault, HEIGHT_MAX, NESTING_MAX, ParseOptions, Parsed, escape, number};
use crate::ast::{Binary, BinaryOp, Call, Cardinality, Expr, ExprKind, Span, UnaryOp, VectorMatching};
use crate::functions::function;

/// Precedence, from `or` to `^`.
type Level = u8;

pub(super) const LOWEST: Level = 1;
const COMPARISON: Level = 3;
const SUM: Level = 4;
const PRODUCT: Level = 5;
/// Binds to the right, and more than a sign does.
pub(super) const POWER: Level = 6;

pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) options: ParseOptions,
    lexer: Lexer<'a>,
    /// The word to look at next.
    pub(super) token: Token,
    /// Why `token` is an error.
    unread: Option<Fault>,
    /// Aggregations that are open: what is unexpected in one is reported as such.
    pub(super) aggregations: usize,
    nesting: usize,
    /// Where the word ends that was taken last.
    pub(super) taken_end: usize,
    /// Of the tree that was parsed last.
    pub(super) height: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, options: ParseOptions) -> Self {
        let mut parser = Self {
            text,
            options,
            lexer: Lexer::new(text),
            token: Token { kind: Kind::End, span: Span::default() },
            unread: None,
            aggregations: 0,
            nesting: 0,
            taken_end: 0,
            height: 0,
        };
        parser.advance();
        parser
    }

    /// The whole text as an expression.
    pub(super) fn query(mut self) -> Parsed<Expr> {
        if self.token.kind == Kind::End {
            return Err(Fault::new(Span::default(), "no expression found in input"));
        }
        let expr = self.expression(LOWEST)?;
        self.end()?;
        Ok(*expr)
    }

    /// The whole text as a vector selector.
    pub(super) fn only_selector(mut self) -> Parsed<Box<Expr>> {
        let expr = match self.token.kind {
            Kind::LeftBrace => self.nameless_selector()?,
            kind if kind.names_metric() => {
                let name = self.advance();
                self.named_selector(name)?
            }
            _ => return Err(self.unexpected()),
        };
        self.end()?;
        Ok(expr)
    }

    fn end(&mut self) -> Parsed<()> {
        if self.token.kind == Kind::End { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Operators at least as tight as `level`, and what they stand between. What recurses hands out
    /// boxes, which keeps the stack small.
    pub(super) fn expression(&mut self, level: Level) -> Parsed<Box<Expr>> {
        self.enter()?;
        let mut left = self.signed()?;
        while let Kind::Operator(op) = self.token.kind {
            let own = precedence(op);
            if own < level {
                break;
            }
            self.advance();
            let height = self.height;
            let modifiers = self.modifiers()?;
            let right = self.expression(if own == POWER { own } else { own + 1 })?;
            self.grow_over(height)?;
            left = self.binary(*left, op, modifiers, *right)?;
        }
        self.leave();
        Ok(left)
    }

    /// A sign binds like a product: `-2^2` is `-(2^2)`, `-2*3` is `(-2)*3`.
    fn signed(&mut self) -> Parsed<Box<Expr>> {
        let op = match self.token.kind {
            Kind::Operator(BinaryOp::Add) => UnaryOp::Plus,
            Kind::Operator(BinaryOp::Sub) => UnaryOp::Minus,
            _ => {
                let primary = self.primary()?;
                return self.postfix(primary);
            }
        };
        let start = self.advance().span.start;
        let mut expr = self.expression(POWER)?;
        if let ExprKind::Number { value, .. } = &mut expr.kind {
            if op == UnaryOp::Minus {
                *value = -*value;
            }
            expr.span.start = start;
            return Ok(expr);
        }
        self.grow_over(0)?;
        let span = Span { start, end: expr.span.end };
        Ok(Box::new(Expr { kind: ExprKind::Unary { op, expr }, span }))
    }

    fn primary(&mut self) -> Parsed<Box<Expr>> {
        self.height = 1;
        match self.token.kind {
            Kind::Number | Kind::Duration => self.literal(),
            Kind::String => {
                let token = self.advance();
                let text = escape::unquote(self.text_of(token));
                Ok(Box::new(Expr { kind: ExprKind::String(text), span: token.span }))
            }
            Kind::LeftParen => self.parenthesized(),
            Kind::LeftBrace => self.nameless_selector(),
            Kind::Aggregate(op) => {
                let name = self.advance();
                match self.token.kind {
                    Kind::LeftParen | Kind::By | Kind::Without => self.aggregate(op, name),
                    _ => self.named_selector(name),
                }
            }
            kind if kind.names_metric() => {
                let name = self.advance();
                if kind.names_function() && self.token.kind == Kind::LeftParen {
                    self.call(name)
                } else {
                    self.named_selector(name)
                }
            }
            _ => Err(self.unexpected()),
        }
    }

    fn literal(&mut self) -> Parsed<Box<Expr>> {
        let token = self.advance();
        let (value, duration) = self.number(token)?;
        Ok(Box::new(Expr { kind: ExprKind::Number { value, duration }, span: token.span }))
    }

    /// The value of a number, or of a duration in seconds, and which of the two it is.
    pub(super) fn number(&self, token: Token) -> Parsed<(f64, bool)> {
        let duration = token.kind == Kind::Duration;
        let text = self.text_of(token);
        let value = if duration { number::duration(text) } else { number::number(text) };
        value.map(|value| (value, duration)).map_err(|why| Fault::new(token.span, why))
    }

    fn parenthesized(&mut self) -> Parsed<Box<Expr>> {
        let open = self.advance();
        let inner = self.expression(LOWEST)?;
        let close = self.expect(Kind::RightParen)?;
        self.grow_over(0)?;
        let span = Span { start: open.span.start, end: close.span.end };
        Ok(Box::new(Expr { kind: ExprKind::Paren(inner), span }))
    }

    fn call(&mut self, name: Token) -> Parsed<Box<Expr>> {
        let args = self.arguments()?;
        self.call_of(name, args)
    }

    fn call_of(&self, name: Token, (args, end): (Vec<Expr>, usize)) -> Parsed<Box<Expr>> {
        let text = self.text_of(name);
        let function = function(text).ok_or_else(|| {
            Fault::new(name.span, format!("unknown function with name {}", escape::quote(text)))
        })?;
        if function.experimental && !self.options.experimental_functions {
            return Err(Fault::new(name.span, format!("function {} is not enabled", escape::quote(text))));
        }
        let span = Span { start: name.span.start, end };
        Ok(Box::new(Expr { kind: ExprKind::Call(Call { function, args }), span }))
    }

    /// What stands in the parentheses of a call, and where they end.
    pub(super) fn arguments(&mut self) -> Parsed<(Vec<Expr>, usize)> {
        self.expect(Kind::LeftParen)?;
        let mut args = Vec::new();
        let mut height = 0;
        if self.token.kind != Kind::RightParen {
            loop {
                args.push(*self.expression(LOWEST)?);
                height = height.max(self.height);
                if self.token.kind != Kind::Comma {
                    break;
                }
                let comma = self.advance();
                if !self.token.kind.begins_expression() && self.token.kind != Kind::Error {
                    return Err(Fault::new(comma.span, "trailing commas not allowed in function call args"));
                }
            }
        }
        let close = self.expect(Kind::RightParen)?;
        self.height = 0;
        self.grow_over(height)?;
        Ok((args, close.span.end))
    }

    /// What follows an operator: `bool`, `on`, `group_left`, `fill`.
    fn modifiers(&mut self) -> Parsed<Modifiers> {
        let return_bool = self.accept(Kind::Bool).is_some();
        let mut matching = VectorMatching::default();
        if matches!(self.token.kind, Kind::On | Kind::Ignoring) {
            matching.on = self.advance().kind == Kind::On;
            matching.labels = self.grouping()?;
            if matches!(self.token.kind, Kind::GroupLeft | Kind::GroupRight) {
                let left = self.advance().kind == Kind::GroupLeft;
                matching.cardinality = if left { Cardinality::ManyToOne } else { Cardinality::OneToMany };
                if self.token.kind == Kind::LeftParen {
                    matching.include = self.grouping()?;
                }
            }
        }
        self.fill(&mut matching)?;
        Ok(Modifiers { return_bool, matching })
    }

    fn binary(&self, left: Expr, op: BinaryOp, modifiers: Modifiers, right: Expr) -> Parsed<Box<Expr>> {
        let span = Span { start: left.span.start, end: right.span.end };
        let Modifiers { return_bool, matching } = modifiers;
        let fills = matching.fill_left.or(matching.fill_right).is_some();
        if fills && !self.options.fill_modifiers {
            return Err(Fault::new(span, "binop fill modifiers are experimental and not enabled"));
        }
        // Whether there is anything to match is known with the types.
        let binary = Binary { op, left, right, return_bool, matching: Some(matching) };
        Ok(Box::new(Expr { kind: ExprKind::Binary(Box::new(binary)), span }))
    }

    fn fill(&mut self, matching: &mut VectorMatching) -> Parsed<()> {
        if self.accept(Kind::Fill).is_some() {
            let value = self.fill_value()?;
            (matching.fill_left, matching.fill_right) = (Some(value), Some(value));
            return Ok(());
        }
        let left_first = self.token.kind == Kind::FillLeft;
        if left_first {
            self.advance();
            matching.fill_left = Some(self.fill_value()?);
        }
        if self.accept(Kind::FillRight).is_some() {
            matching.fill_right = Some(self.fill_value()?);
            if !left_first && self.accept(Kind::FillLeft).is_some() {
                matching.fill_left = Some(self.fill_value()?);
            }
        }
        Ok(())
    }

    fn fill_value(&mut self) -> Parsed<f64> {
        self.expect(Kind::LeftParen)?;
        let value = self.signed_number().ok_or_else(|| self.unexpected())??;
        self.expect(Kind::RightParen)?;
        Ok(value)
    }

    /// Nothing if there is no number, maybe behind a sign.
    pub(super) fn signed_number(&mut self) -> Option<Parsed<f64>> {
        let negative = match self.token.kind {
            Kind::Operator(BinaryOp::Add) => Some(false),
            Kind::Operator(BinaryOp::Sub) => Some(true),
            _ => None,
        };
        if negative.is_some() {
            self.advance();
        }
        if !matches!(self.token.kind, Kind::Number | Kind::Duration) {
            return None;
        }
        let token = self.advance();
        let value = self.number(token);
        Some(value.map(|(value, _)| if negative == Some(true) { -value } else { value }))
    }

    /// Takes the word and looks at the next one.
    pub(super) fn advance(&mut self) -> Token {
        let taken = self.token;
        self.taken_end = taken.span.end;
        match self.lexer.next_token() {
            Ok(token) => self.token = token,
            Err(fault) => {
                self.token = Token { kind: Kind::Error, span: fault.span };
                self.unread = Some(fault);
            }
        }
        taken
    }

    pub(super) fn accept(&mut self, kind: Kind) -> Option<Token> {
        (self.token.kind == kind).then(|| self.advance())
    }

    pub(super) fn expect(&mut self, kind: Kind) -> Parsed<Token> {
        self.accept(kind).ok_or_else(|| self.unexpected())
    }

    pub(super) fn text_of(&self, token: Token) -> &'a str {
        &self.text[token.span.start..token.span.end]
    }

    /// About the word to look at, where nothing more precise is known.
    pub(super) fn unexpected(&mut self) -> Fault {
        let context = if self.aggregations > 0 { "aggregation" } else { "" };
        self.unexpected_in(context, "")
    }

    pub(super) fn unexpected_in(&mut self, context: &str, expected: &str) -> Fault {
        if let Some(fault) = self.unread.take() {
            return fault;
        }
        let mut message = format!("unexpected {}", self.token.describe(self.text));
        for (text, before) in [(context, " in "), (expected, ", expected ")] {
            if !text.is_empty() {
                message.push_str(before);
                message.push_str(text);
            }
        }
        Fault::new(self.token.span, message)
    }

    /// Goes one level down; [`Self::leave`] comes back.
    pub(super) fn enter(&mut self) -> Parsed<()> {
        self.nesting += 1;
        if self.nesting > NESTING_MAX {
            let message = format!("expression is nested more than {NESTING_MAX} levels deep");
            return Err(Fault::new(self.token.span, message));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.nesting -= 1;
    }

    /// Puts a node over the last tree and another one.
    pub(super) fn grow_over(&mut self, other: usize) -> Parsed<()> {
        self.height = self.height.max(other) + 1;
        if self.height > HEIGHT_MAX {
            let message = format!("expression has more than {HEIGHT_MAX} operations in one another");
            return Err(Fault::new(self.token.span, message));
        }
        Ok(())
    }
}

/// Of an operator.
struct Modifiers {
    return_bool: bool,
    matching: VectorMatching,
}

pub(super) fn precedence(op: BinaryOp) -> Level {
    use BinaryOp::*;
    match op {
        Or => LOWEST,
        And | Unless => LOWEST + 1,
        Equal | NotEqual | Greater | Less | GreaterEqual | LessEqual | TrimUpper | TrimLower => COMPARISON,
        Add | Sub => SUM,
        Mul | Div | Mod | Atan2 => PRODUCT,
        Pow => POWER,
    }
}
