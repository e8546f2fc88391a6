//! Pieces into a tree.

use std::vec::IntoIter;

use super::Fault;
use super::functions::{self, Function};
use super::lex::{self, Kind, Piece, Token};
use super::value::Value;

/// How deep blocks and parentheses may stand in one another; parsing and expanding recurse that far.
const NESTING_MAX: usize = 100;

/// Names that are there from the start.
pub(super) const GIVEN: [&str; 5] = ["", "labels", "externalLabels", "externalURL", "value"];

#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    /// `{{ pipeline }}`; one that sets a variable shows nothing.
    Output(Pipeline),
    If(Branches),
    With(Branches),
    Range(Branches),
    Break,
    Continue,
}

#[derive(Clone, Debug)]
pub(super) struct Branches {
    pub(super) pipeline: Pipeline,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// `$x := command | command`
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    pub(super) variables: Vec<String>,
    /// `=` instead of `:=`.
    pub(super) assigns: bool,
    pub(super) commands: Vec<Vec<Operand>>,
}

#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub(super) kind: OperandKind,
    /// `.a.b` behind it.
    pub(super) fields: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) enum OperandKind {
    Dot,
    Variable(String),
    Constant(Value),
    Function(&'static Function),
    Paren(Box<Pipeline>),
}

/// The tree of a text.
pub(super) fn parse(source: &str) -> Result<Vec<Node>, Fault> {
    let variables = GIVEN.map(str::to_owned).to_vec();
    let pieces = lex::pieces(source)?.into_iter();
    let mut parser = Parser { pieces, variables, depth: 0, loops: 0, end: source.len() };
    match parser.block()? {
        (nodes, None) => Ok(nodes),
        (_, Some(end)) => Err(Fault::new(end.at, format!("unexpected {{{{{}}}}}", end.word()))),
    }
}

struct Parser {
    pieces: IntoIter<Piece>,
    /// Those that can be seen here.
    variables: Vec<String>,
    depth: usize,
    /// Around this place.
    loops: usize,
    end: usize,
}

/// What ends a block.
struct Ending {
    at: usize,
    kind: EndingKind,
}

enum EndingKind {
    End,
    /// With what follows it: `if …`.
    Else(Tokens),
}

impl Ending {
    fn word(&self) -> &'static str {
        match self.kind {
            EndingKind::End => "end",
            EndingKind::Else(_) => "else",
        }
    }
}

impl Parser {
    /// Nodes up to the end of the text, or to `end` or `else`.
    fn block(&mut self) -> Result<(Vec<Node>, Option<Ending>), Fault> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let (at, tokens) = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action(at, tokens) => (at, tokens),
            };
            let mut tokens = Tokens::new(at, tokens);
            match tokens.keyword() {
                Some("end") => {
                    tokens.finish()?;
                    return Ok((nodes, Some(Ending { at, kind: EndingKind::End })));
                }
                Some("else") => return Ok((nodes, Some(Ending { at, kind: EndingKind::Else(tokens) }))),
                Some(keyword) => nodes.push(self.control(keyword, tokens)?),
                None => {
                    let pipeline = self.pipeline(&mut tokens)?;
                    tokens.finish()?;
                    nodes.push(Node::Output(pipeline));
                }
            }
        }
        Ok((nodes, None))
    }

    fn control(&mut self, keyword: &'static str, mut tokens: Tokens) -> Result<Node, Fault> {
        let at = tokens.at();
        match keyword {
            "if" => self.branches(keyword, tokens).map(Node::If),
            "with" => self.branches(keyword, tokens).map(Node::With),
            "range" => self.branches(keyword, tokens).map(Node::Range),
            "break" | "continue" if self.loops == 0 => {
                Err(Fault::new(at, format!("{{{{{keyword}}}}} outside {{{{range}}}}")))
            }
            "break" => tokens.finish().map(|()| Node::Break),
            "continue" => tokens.finish().map(|()| Node::Continue),
            _ => Err(Fault::new(at, format!("{{{{{keyword}}}}} is not supported in rule files"))),
        }
    }

    /// `if`, `with` or `range` up to its `end`. Variables of it are gone behind it.
    fn branches(&mut self, keyword: &'static str, mut tokens: Tokens) -> Result<Branches, Fault> {
        self.enter(tokens.at())?;
        let seen = self.variables.len();
        let pipeline =
            if keyword == "range" { self.range_pipeline(&mut tokens)? } else { self.pipeline(&mut tokens)? };
        tokens.finish()?;
        self.loops += usize::from(keyword == "range");
        let body = self.block();
        self.loops -= usize::from(keyword == "range");
        let (body, ending) = body?;
        let otherwise = match ending {
            None => return Err(Fault::new(self.end, "unexpected EOF")),
            Some(Ending { kind: EndingKind::End, .. }) => Vec::new(),
            Some(Ending { at, kind: EndingKind::Else(tokens) }) => self.otherwise(keyword, at, tokens)?,
        };
        self.variables.truncate(seen);
        self.depth -= 1;
        Ok(Branches { pipeline, body, otherwise })
    }

    /// `else`, `else if` and `else with`: the latter have no `end` of their own.
    fn otherwise(
        &mut self,
        keyword: &'static str,
        at: usize,
        mut tokens: Tokens,
    ) -> Result<Vec<Node>, Fault> {
        match tokens.keyword() {
            Some("if") if keyword == "if" => Ok(vec![Node::If(self.branches("if", tokens)?)]),
            Some("with") if keyword == "with" => Ok(vec![Node::With(self.branches("with", tokens)?)]),
            _ => {
                tokens.finish()?;
                match self.block()? {
                    (nodes, Some(Ending { kind: EndingKind::End, .. })) => Ok(nodes),
                    (_, Some(ending)) => Err(Fault::new(ending.at, "expected end; found {{else}}")),
                    (_, None) => Err(Fault::new(at, "unexpected EOF")),
                }
            }
        }
    }

    fn enter(&mut self, at: usize) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > NESTING_MAX { Err(Fault::new(at, "nested too deep")) } else { Ok(()) }
    }

    /// `$x := …`, or only commands.
    fn pipeline(&mut self, tokens: &mut Tokens) -> Result<Pipeline, Fault> {
        let declared = tokens.declaration(1)?;
        self.commands(tokens, declared)
    }

    /// `$index, $element := …` too.
    fn range_pipeline(&mut self, tokens: &mut Tokens) -> Result<Pipeline, Fault> {
        let declared = tokens.declaration(2)?;
        self.commands(tokens, declared)
    }

    fn commands(
        &mut self,
        tokens: &mut Tokens,
        (variables, assigns): (Vec<(usize, String)>, bool),
    ) -> Result<Pipeline, Fault> {
        let mut commands = Vec::new();
        loop {
            let at = tokens.at();
            let command = self.command(tokens)?;
            let Some(first) = command.first() else {
                let what =
                    if commands.is_empty() { "missing value for command" } else { "missing value behind |" };
                return Err(Fault::new(at, what));
            };
            let constant = !matches!(first.kind, OperandKind::Function(_)) || !first.fields.is_empty();
            if constant && command.len() > 1 {
                return Err(Fault::new(at, "can't give argument to non-function"));
            }
            if constant && !commands.is_empty() {
                return Err(Fault::new(at, "non executable command in pipeline"));
            }
            commands.push(command);
            if !tokens.eat(&Kind::Pipe) {
                break;
            }
        }
        for (at, name) in &variables {
            if assigns {
                self.check_variable(*at, name)?;
            } else {
                self.variables.push(name.clone());
            }
        }
        let variables = variables.into_iter().map(|(_, name)| name).collect();
        Ok(Pipeline { variables, assigns, commands })
    }

    fn check_variable(&self, at: usize, name: &str) -> Result<(), Fault> {
        if self.variables.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(Fault::new(at, format!("undefined variable \"${name}\"")))
    }

    fn command(&mut self, tokens: &mut Tokens) -> Result<Vec<Operand>, Fault> {
        let mut operands = Vec::new();
        while !matches!(tokens.peek(), None | Some(Kind::Pipe | Kind::Close)) {
            operands.push(self.operand(tokens)?);
        }
        Ok(operands)
    }

    fn operand(&mut self, tokens: &mut Tokens) -> Result<Operand, Fault> {
        let at = tokens.at();
        let Some(token) = tokens.next() else { return Err(Fault::new(at, "missing value")) };
        let mut fields = Vec::new();
        let kind = match token.kind {
            Kind::Dot => OperandKind::Dot,
            Kind::Field(name) => {
                fields.push(name);
                OperandKind::Dot
            }
            Kind::Variable(name) => {
                self.check_variable(at, &name)?;
                OperandKind::Variable(name)
            }
            Kind::Word(word) => word_operand(&word, at)?,
            Kind::Text(text) => OperandKind::Constant(Value::Text(text)),
            Kind::Int(number) => OperandKind::Constant(Value::Int(number)),
            Kind::Float(number) => OperandKind::Constant(Value::Float(number)),
            Kind::Open => {
                self.enter(at)?;
                let inner = self.pipeline(tokens)?;
                if !tokens.eat(&Kind::Close) {
                    return Err(Fault::new(at, "unclosed left paren"));
                }
                self.depth -= 1;
                OperandKind::Paren(Box::new(inner))
            }
            other => return Err(Fault::new(at, format!("unexpected {} in operand", show(&other)))),
        };
        while let Some(name) = tokens.eat_field() {
            fields.push(name);
        }
        if matches!(kind, OperandKind::Constant(_)) && !fields.is_empty() {
            return Err(Fault::new(at, "unexpected . after a constant"));
        }
        Ok(Operand { kind, fields })
    }
}

fn word_operand(word: &str, at: usize) -> Result<OperandKind, Fault> {
    Ok(match word {
        "true" => OperandKind::Constant(Value::Bool(true)),
        "false" => OperandKind::Constant(Value::Bool(false)),
        "nil" => OperandKind::Constant(Value::Nil),
        word => {
            let function = functions::find(word);
            let unknown = || Fault::new(at, format!("function \"{word}\" not defined"));
            OperandKind::Function(function.ok_or_else(unknown)?)
        }
    })
}

fn show(kind: &Kind) -> &'static str {
    match kind {
        Kind::Open => "\"(\"",
        Kind::Close => "\")\"",
        Kind::Pipe => "\"|\"",
        Kind::Comma => "\",\"",
        Kind::Declare => "\":=\"",
        Kind::Assign => "\"=\"",
        _ => "text",
    }
}

/// The tokens of one action.
struct Tokens {
    start: usize,
    tokens: std::iter::Peekable<IntoIter<Token>>,
}

impl Tokens {
    fn new(start: usize, tokens: Vec<Token>) -> Self {
        Self { start, tokens: tokens.into_iter().peekable() }
    }

    fn at(&mut self) -> usize {
        let start = self.start;
        self.tokens.peek().map_or(start, |token| token.at)
    }

    fn peek(&mut self) -> Option<&Kind> {
        self.tokens.peek().map(|token| &token.kind)
    }

    fn next(&mut self) -> Option<Token> {
        self.tokens.next()
    }

    fn eat(&mut self, kind: &Kind) -> bool {
        self.tokens.next_if(|token| token.kind == *kind).is_some()
    }

    /// A field right behind what was read.
    fn eat_field(&mut self) -> Option<String> {
        let token = self.tokens.next_if(|token| matches!(token.kind, Kind::Field(_)) && !token.spaced)?;
        match token.kind {
            Kind::Field(name) => Some(name),
            _ => None,
        }
    }

    /// The keyword that stands first, taken away.
    fn keyword(&mut self) -> Option<&'static str> {
        const KEYWORDS: [&str; 10] =
            ["if", "else", "end", "range", "with", "break", "continue", "define", "template", "block"];
        let word = match self.peek() {
            Some(Kind::Word(word)) => KEYWORDS.into_iter().find(|keyword| keyword == word)?,
            _ => return None,
        };
        self.tokens.next();
        Some(word)
    }

    /// Variables before `:=` or `=`, at most so many, taken away with it.
    fn declaration(&mut self, most: usize) -> Result<(Vec<(usize, String)>, bool), Fault> {
        let mut ahead = self.tokens.clone();
        let mut names = Vec::new();
        while let Some(Token { kind: Kind::Variable(name), at, .. }) = ahead.next() {
            names.push((at, name));
            match ahead.next().map(|token| token.kind) {
                Some(Kind::Declare | Kind::Assign) if names.len() > most => {
                    return Err(Fault::new(self.start, "too many declarations"));
                }
                Some(kind @ (Kind::Declare | Kind::Assign)) => {
                    self.tokens = ahead;
                    return Ok((names, kind == Kind::Assign));
                }
                Some(Kind::Comma) => {}
                _ => break,
            }
        }
        Ok((Vec::new(), false))
    }

    /// Nothing may be left.
    fn finish(&mut self) -> Result<(), Fault> {
        match self.next() {
            None => Ok(()),
            Some(token) => Err(Fault::new(token.at, format!("unexpected {} in command", show(&token.kind)))),
        }
    }
}
