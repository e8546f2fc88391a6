//! A tree into a text.

use std::sync::Arc;

use super::parse::{Branches, Node, Operand, OperandKind, Pipeline};
use super::value::Value;
use super::{OUTPUT_MAX, Surroundings};

/// Steps that a template may take: loops over a query's result that stand in one another.
const STEPS_MAX: usize = 500_000;

/// Expands a template.
pub(super) fn run(nodes: &[Node], surroundings: &Surroundings<'_>) -> Result<String, String> {
    let labels = Value::Texts(surroundings.labels.clone());
    let external = Value::Texts(surroundings.external_labels.clone());
    let url = Value::Text(surroundings.external_url.to_owned());
    let value = Value::point(surroundings.value);
    let dot = Value::Struct(Arc::from([
        ("Labels", labels.clone()),
        ("ExternalLabels", external.clone()),
        ("ExternalURL", url.clone()),
        ("Value", value.clone()),
    ]));
    let given = [
        ("", dot.clone()),
        ("labels", labels),
        ("externalLabels", external),
        ("externalURL", url),
        ("value", value),
    ];
    let variables = given.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let mut executor = Executor { surroundings, variables, out: String::new(), steps: 0 };
    executor.nodes(nodes, &dot)?;
    Ok(executor.out)
}

struct Executor<'a> {
    surroundings: &'a Surroundings<'a>,
    /// The innermost last.
    variables: Vec<(String, Value)>,
    out: String,
    steps: usize,
}

/// How a list of nodes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

impl Executor<'_> {
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow, String> {
        for node in nodes {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return Err(format!("more than {STEPS_MAX} steps"));
            }
            let flow = self.node(node, dot)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<Flow, String> {
        match node {
            Node::Text(text) => self.show(text)?,
            Node::Output(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                if pipeline.variables.is_empty() {
                    self.show(&value.to_string())?;
                }
            }
            Node::If(branches) => return self.choice(branches, dot, false),
            Node::With(branches) => return self.choice(branches, dot, true),
            Node::Range(branches) => return self.range(branches, dot),
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn show(&mut self, text: &str) -> Result<(), String> {
        if self.out.len() + text.len() > OUTPUT_MAX {
            return Err(format!("the text is longer than {OUTPUT_MAX} bytes"));
        }
        self.out.push_str(text);
        Ok(())
    }

    /// `if`, and `with`, which makes the value the dot.
    fn choice(&mut self, branches: &Branches, dot: &Value, with: bool) -> Result<Flow, String> {
        let seen = self.variables.len();
        let value = self.pipeline(&branches.pipeline, dot)?;
        let flow = match value.is_true() {
            true => self.nodes(&branches.body, if with { &value } else { dot }),
            false => self.nodes(&branches.otherwise, dot),
        };
        self.variables.truncate(seen);
        flow
    }

    fn range(&mut self, branches: &Branches, dot: &Value) -> Result<Flow, String> {
        let seen = self.variables.len();
        let pipeline = &branches.pipeline;
        let value = self.commands(pipeline, dot)?;
        let elements = elements(&value)?;
        if elements.is_empty() {
            let flow = self.nodes(&branches.otherwise, dot);
            self.variables.truncate(seen);
            return flow;
        }
        for (key, element) in elements {
            let set = match pipeline.variables.as_slice() {
                [] => Vec::new(),
                [name] => vec![(name, element.clone())],
                [index, name, ..] => vec![(index, key), (name, element.clone())],
            };
            for (name, value) in set {
                self.set(name, value, pipeline.assigns);
            }
            let flow = self.nodes(&branches.body, &element)?;
            self.variables.truncate(seen);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, String> {
        let value = self.commands(pipeline, dot)?;
        for name in &pipeline.variables {
            self.set(name, value.clone(), pipeline.assigns);
        }
        Ok(value)
    }

    fn set(&mut self, name: &str, value: Value, assign: bool) {
        let known = self.variables.iter_mut().rev().find(|(known, _)| known == name);
        match known {
            Some(known) if assign => known.1 = value,
            _ => self.variables.push((name.to_owned(), value)),
        }
    }

    fn commands(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, String> {
        let mut last = None;
        for command in &pipeline.commands {
            last = Some(self.command(command, last, dot)?);
        }
        Ok(last.unwrap_or(Value::Nil))
    }

    /// One command; what the one before gave is its last argument.
    fn command(&mut self, command: &[Operand], last: Option<Value>, dot: &Value) -> Result<Value, String> {
        let Some((first, rest)) = command.split_first() else { return Ok(Value::Nil) };
        let OperandKind::Function(function) = &first.kind else { return self.operand(first, dot) };
        // These two look at no more arguments than they need.
        let ends_with = match function.name {
            "and" => Some(false),
            "or" => Some(true),
            _ => None,
        };
        let mut arguments = Vec::with_capacity(rest.len() + 1);
        for operand in rest {
            let value = self.operand(operand, dot)?;
            if ends_with == Some(value.is_true()) {
                return Ok(value);
            }
            arguments.push(value);
        }
        arguments.extend(last);
        if ends_with.is_some() {
            return arguments.pop().ok_or_else(|| format!("wrong number of args for {}", function.name));
        }
        function.call(self.surroundings, &arguments)
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, String> {
        let value = match &operand.kind {
            OperandKind::Dot => dot.clone(),
            OperandKind::Variable(name) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                known.map(|(_, value)| value.clone()).ok_or_else(|| format!("undefined variable: ${name}"))?
            }
            OperandKind::Constant(value) => value.clone(),
            OperandKind::Function(function) => function.call(self.surroundings, &[])?,
            OperandKind::Paren(pipeline) => self.pipeline(pipeline, dot)?,
        };
        operand.fields.iter().try_fold(value, |value, name| value.field(name))
    }
}

/// Keys and elements of what `range` goes through, maps by their sorted keys.
fn elements(value: &Value) -> Result<Vec<(Value, Value)>, String> {
    let text = |text: &str| Value::Text(text.to_owned());
    match value {
        Value::List(list) => {
            let numbered = (0..).zip(list.iter());
            Ok(numbered.map(|(number, value)| (Value::Int(number), value.clone())).collect())
        }
        Value::Texts(labels) => Ok(labels.iter().map(|(name, value)| (text(name), text(value))).collect()),
        Value::Map(map) => Ok(map.iter().map(|(name, value)| (text(name), value.clone())).collect()),
        Value::Nil => Ok(Vec::new()),
        other => Err(format!("range can't iterate over {other}")),
    }
}
