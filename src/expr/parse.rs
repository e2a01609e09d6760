//! Text to CEL's syntax tree, within bounds.
//!
//! In: the source of one expression. Out: the tree of the `cel` crate with the place of each node, or the first mistake
//! as an [`ExprError`]. It resolves no name. Macros are left as the calls they are written as, so that their places and
//! their arguments stay what the author wrote.

use std::ops::Range;

use cel::common::ast::{Expr, IdedExpr, SourceInfo};
use cel::parser::ParseErrors;

use super::scan::{Kind, Piece, pieces};
use super::{DEPTH_MAX, ExprError, LINKS_MAX, SOURCE_MAX_BYTES};

/// A parsed expression.
pub(super) struct Parsed<'s> {
    pub(super) source: &'s str,
    pub(super) root: IdedExpr,
    places: SourceInfo,
}

impl Parsed<'_> {
    /// The token a node is known by: a literal or name itself, an operator, the dot of a selection, the bracket of a
    /// call or index.
    pub(super) fn token(&self, id: u64) -> Range<usize> {
        match self.places.offset_for(id) {
            Some((start, last)) => start as usize..(last as usize + 1).min(self.source.len()),
            None => 0..self.source.len(),
        }
    }

    /// The name in front of the opening bracket of a call.
    pub(super) fn called_name(&self, id: u64) -> Range<usize> {
        let token = self.token(id);
        let before = self.source.get(..token.start).unwrap_or_default().trim_end();
        let name = before.trim_end_matches(is_word).len()..before.len();
        if name.is_empty() { token } else { name }
    }

    /// All of an expression: from the first token of its parts to the last, with the bracket or name that ends it.
    pub(super) fn extent(&self, tree: &IdedExpr) -> Range<usize> {
        let token = self.token(tree.id);
        let mut extent = self.closed(token.clone());
        let mut cover = |part: Range<usize>| extent = extent.start.min(part.start)..extent.end.max(part.end);
        match &tree.expr {
            Expr::Select(select) => {
                cover(self.extent(&select.operand));
                let field = pieces(self.source, token.end).next();
                cover(field.map_or(token, |field| field.span));
            }
            Expr::Call(call) => {
                call.target.iter().for_each(|target| cover(self.extent(target)));
                call.args.iter().for_each(|arg| cover(self.extent(arg)));
                if self.source.get(token) == Some("(") {
                    cover(self.called_name(tree.id));
                }
            }
            _ => {}
        }
        extent
    }

    /// An opening bracket with everything up to its closing one; any other token as it is.
    fn closed(&self, token: Range<usize>) -> Range<usize> {
        let mut depth = 0_usize;
        for piece in pieces(self.source, token.start) {
            match piece.kind {
                Kind::Mark('(' | '[' | '{') => depth += 1,
                Kind::Mark(')' | ']' | '}') => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return token.start..token.end.max(piece.span.end);
            }
        }
        token
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Parses `source`.
pub(super) fn parse(source: &str) -> Result<Parsed<'_>, ExprError> {
    within_bounds(source)?;
    let parser = cel::Env::default().with_optional_support(false).parser();
    match parser.parse_with_source_info(source) {
        Ok((root, places)) => Ok(Parsed { source, root, places }),
        Err(errors) => Err(first_error(source, &errors)),
    }
}

/// Refuses what would make the parser recurse or backtrack without bound, and names the operators of other languages,
/// for which the parser only has "unexpected".
fn within_bounds(source: &str) -> Result<(), ExprError> {
    if source.len() > SOURCE_MAX_BYTES {
        return Err(error(0..source.len(), format!("the expression is longer than {SOURCE_MAX_BYTES} bytes")));
    }
    let (mut depth, mut links) = (0_usize, 0_usize);
    let mut last: Option<Range<usize>> = None;
    for piece in pieces(source, 0) {
        match piece.kind {
            Kind::Unclosed => return Err(error(piece.span, "the text is not closed".into())),
            Kind::Mark('(' | '[' | '{') => (depth, links) = (depth + 1, links + 1),
            Kind::Mark(')' | ']' | '}') => depth = depth.saturating_sub(1),
            Kind::Literal | Kind::Comment | Kind::Mark(',' | ':') => {}
            // The second half of `==`, `<=`, `&&` and `||` belongs to the first.
            Kind::Mark('=' | '&' | '|') if last.as_ref().is_some_and(|last| last.end == piece.span.start) => {}
            Kind::Mark(_) => links += 1,
            Kind::Word => links += usize::from(source.get(piece.span.clone()) == Some("in")),
        }
        if depth > DEPTH_MAX {
            return Err(error(piece.span, format!("brackets nest deeper than {DEPTH_MAX}")));
        }
        if links > LINKS_MAX {
            return Err(error(
                piece.span,
                format!("the expression has more than {LINKS_MAX} operators, fields and calls"),
            ));
        }
        if let Some(foreign) = foreign_operator(source, last, &piece.span) {
            return Err(foreign);
        }
        last = Some(piece.span);
    }
    Ok(())
}

/// `??` and a lone `=`, `&` or `|`, which no CEL expression holds outside a literal.
fn foreign_operator(source: &str, last: Option<Range<usize>>, this: &Range<usize>) -> Option<ExprError> {
    let mark = source.get(this.clone())?;
    let behind = source.get(this.end..)?;
    let before = last.filter(|last| last.end == this.start).and_then(|last| source.get(last)).unwrap_or_default();
    let hint = match mark {
        "?" if behind.starts_with('?') => "write `default(x, y)`",
        "=" if !behind.starts_with('=') && !matches!(before, "=" | "!" | "<" | ">") => "write `==`",
        "&" if !behind.starts_with('&') && before != "&" => "write `&&`",
        "|" if !behind.starts_with('|') && before != "|" => "write `||`",
        _ => return None,
    };
    let text = if mark == "?" { "??" } else { mark };
    Some(ExprError {
        span: this.start..this.start + text.len(),
        message: format!("`{text}` is not an operator here"),
        suggestion: Some(hint.into()),
    })
}

/// The first mistake. The parser also reports the incomplete nodes that a mistake leaves behind, in the words of its
/// own grammar; those are only used if there is nothing else.
fn first_error(source: &str, errors: &ParseErrors) -> ExprError {
    let follows = |message: &str| message.starts_with("Incomplete ") || message.starts_with("No `");
    let first = errors.errors.iter().find(|error| !follows(&error.msg)).or(errors.errors.first());
    let Some(first) = first else {
        return error(0..source.len(), "this is not an expression".into());
    };
    let start = offset(source, first.pos);
    match pieces(source, start).next() {
        Some(piece) => error(piece.span.clone(), reworded(&first.msg, source, &piece)),
        None => error(source.len()..source.len(), "the expression ends too early".into()),
    }
}

/// The parser's message in terms of what stands there, without the list of its grammar's tokens.
fn reworded(message: &str, source: &str, piece: &Piece) -> String {
    if message.contains("Recursion limit") {
        return "the expression nests too deep".into();
    }
    match message.strip_prefix("Syntax error: ") {
        Some(_) if piece.kind == Kind::Literal => "unexpected text, or an unknown escape in it".into(),
        Some(_) => format!("unexpected `{}`", source.get(piece.span.clone()).unwrap_or_default()),
        None => message.to_owned(),
    }
}

/// The byte offset of a line and a column, both counted from 1, the column in characters.
fn offset(source: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line - 1).unwrap_or(0);
    let column = usize::try_from(column - 1).unwrap_or(0);
    let start: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = source.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
}

fn error(span: Range<usize>, message: String) -> ExprError {
    ExprError { span, message, suggestion: None }
}
