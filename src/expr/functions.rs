//! The catalogue of functions: names, forms and arity. What they do is in `library`.
//!
//! Methods are called on a value, `x.f(a)`; global functions on none, `f(a)`. `[a]` may be left out. A null among the
//! values gives null, except in `default`. Positions count characters (code points) from 0.
//!
//! | function | from | gives |
//! |---|---|---|
//! | `size(x)`, `x.size()` | CEL | characters of a text, elements of a list, entries of a map |
//! | `x.contains(s)` `x.startsWith(s)` `x.endsWith(s)` | CEL | boolean |
//! | `x.matches(p)` `matches(x, p)` | CEL | whether the pattern occurs anywhere; anchor with `^` and `$`. `p` must be a literal |
//! | `bool(x)` `int(x)` `double(x)` `string(x)` | CEL | the value as that type; a text that is none is an error |
//! | `has(x.a)` | CEL macro | whether the field is there, be it null |
//! | `x.exists(v, c)` `x.all(v, c)` `x.exists_one(v, c)` (also `existsOne`) | CEL macro | over list elements or map keys |
//! | `x.filter(v, c)` `x.map(v, e)` `x.map(v, c, e)` | CEL macro | a list |
//! | `x.charAt(i)` `x.indexOf(s, [from])` `x.lastIndexOf(s, [from])` | CEL extension | a character; a position or -1 |
//! | `x.join([sep])` | CEL extension | the texts of a list as one text |
//! | `x.lowerAscii()` `x.upperAscii()` | CEL extension | changes A to Z only |
//! | `x.replace(old, new, [limit])` | CEL extension | every (or the first `limit`) `old` as `new`; no pattern |
//! | `x.reverse()` | CEL extension | the characters from the end |
//! | `x.split(sep, [limit])` | CEL extension | a list of texts |
//! | `x.substring(from, [to])` | CEL extension | a position outside the text is an error |
//! | `x.trim()` | CEL extension | without white space at both ends |
//! | `default(x, y)` | ours | `x`, or `y` if `x` is null |
//! | `x.lower()` `x.upper()` | ours | by the rules of Unicode, whatever the language |
//! | `x.before(sep)` | ours | the text before the first `sep`, or all of it if there is none |
//! | `x.after(sep)` | ours | the text after the first `sep`, or null if there is none |
//! | `x.slug(sep)` | ours | lower case ASCII letters and digits; each run of others is one `sep`, none at the ends |
//! | `x.strip(p)` | ours | without every match of the literal pattern |
//! | `x.replaceRe(p, r)` | ours | every match of the literal pattern as `r`; `$1` or `${name}` in a literal `r` is a group |
//! | `password(n, [classes])` | ours | `n` (8 to 128) random characters, at least one of each of the classes, of which there are `'lower upper digit symbol'` (the default: all). It stands alone, where a new object gets its secrets |
//! | `x.first()` `x.last()` | ours | an end of a list, or null if it is empty |
//! | `x.distinct()` | ours | a list without the elements that equal an earlier one |
//!
//! Of CEL's extensions `format` and `strings.quote` are left out: templates do the former, JSON bodies the latter.

/// A function evaluated from the values of its arguments. Macros, `default` and the methods with a pattern are nodes of
/// their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Function {
    After,
    Before,
    Bool,
    CharAt,
    Contains,
    Distinct,
    Double,
    EndsWith,
    First,
    IndexOf,
    Int,
    Join,
    Last,
    LastIndexOf,
    Lower,
    LowerAscii,
    Replace,
    Reverse,
    Size,
    Slug,
    Split,
    StartsWith,
    String,
    Substring,
    Trim,
    Upper,
    UpperAscii,
}

/// What a name in the position of a function stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Plain(Function),
    Default,
    Password,
    Has,
    Matches,
    Strip,
    ReplaceRe,
    Exists,
    ExistsOne,
    All,
    Filter,
    Map,
}

/// How a function is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Method,
    Global,
    Both,
}

/// One row of the catalogue.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) form: Form,
    /// The fewest and the most arguments, the receiver of a method not counted.
    pub(super) arity: (usize, usize),
}

impl Entry {
    /// The number of arguments in words.
    pub(super) fn arity_text(&self) -> String {
        match self.arity {
            (0, 0) => "no argument".into(),
            (1, 1) => "1 argument".into(),
            (least, most) if least == most => format!("{least} arguments"),
            (least, most) => format!("{least} or {most} arguments"),
        }
    }
}

/// The row of `name`.
pub(super) fn find(name: &str) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.name == name)
}

/// The function somebody coming from another language means.
pub(super) fn known_elsewhere_as(name: &str) -> Option<&'static str> {
    Some(match name {
        "any" | "some" => "exists",
        "coalesce" | "ifnull" | "nvl" => "default",
        "every" => "all",
        "includes" => "contains",
        "length" | "len" | "count" => "size",
        "regexReplace" | "gsub" | "sub" => "replaceRe",
        "str" | "toString" => "string",
        "strip_prefix" | "removePrefix" => "after",
        "substr" | "slice" => "substring",
        "toLower" | "toLowerCase" | "downcase" => "lower",
        "toUpper" | "toUpperCase" | "upcase" => "upper",
        "unique" | "uniq" => "distinct",
        _ => return None,
    })
}

/// Every function name.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    CATALOGUE.iter().map(|entry| entry.name)
}

const fn method(name: &'static str, function: Function, least: usize, most: usize) -> Entry {
    Entry { name, kind: Kind::Plain(function), form: Form::Method, arity: (least, most) }
}

const fn conversion(name: &'static str, function: Function) -> Entry {
    Entry { name, kind: Kind::Plain(function), form: Form::Global, arity: (1, 1) }
}

const fn special(name: &'static str, kind: Kind, form: Form, least: usize, most: usize) -> Entry {
    Entry { name, kind, form, arity: (least, most) }
}

const CATALOGUE: &[Entry] = &[
    method("after", Function::After, 1, 1),
    special("all", Kind::All, Form::Method, 2, 2),
    method("before", Function::Before, 1, 1),
    conversion("bool", Function::Bool),
    method("charAt", Function::CharAt, 1, 1),
    method("contains", Function::Contains, 1, 1),
    special("default", Kind::Default, Form::Global, 2, 2),
    method("distinct", Function::Distinct, 0, 0),
    conversion("double", Function::Double),
    method("endsWith", Function::EndsWith, 1, 1),
    special("exists", Kind::Exists, Form::Method, 2, 2),
    special("existsOne", Kind::ExistsOne, Form::Method, 2, 2),
    special("exists_one", Kind::ExistsOne, Form::Method, 2, 2),
    special("filter", Kind::Filter, Form::Method, 2, 2),
    method("first", Function::First, 0, 0),
    special("has", Kind::Has, Form::Global, 1, 1),
    method("indexOf", Function::IndexOf, 1, 2),
    conversion("int", Function::Int),
    method("join", Function::Join, 0, 1),
    method("last", Function::Last, 0, 0),
    method("lastIndexOf", Function::LastIndexOf, 1, 2),
    method("lower", Function::Lower, 0, 0),
    method("lowerAscii", Function::LowerAscii, 0, 0),
    special("map", Kind::Map, Form::Method, 2, 3),
    special("matches", Kind::Matches, Form::Both, 1, 1),
    special("password", Kind::Password, Form::Global, 1, 2),
    method("replace", Function::Replace, 2, 3),
    special("replaceRe", Kind::ReplaceRe, Form::Method, 2, 2),
    method("reverse", Function::Reverse, 0, 0),
    special("size", Kind::Plain(Function::Size), Form::Both, 0, 0),
    method("slug", Function::Slug, 1, 1),
    method("split", Function::Split, 1, 2),
    method("startsWith", Function::StartsWith, 1, 1),
    conversion("string", Function::String),
    special("strip", Kind::Strip, Form::Method, 1, 1),
    method("substring", Function::Substring, 1, 2),
    method("trim", Function::Trim, 0, 0),
    method("upper", Function::Upper, 0, 0),
    method("upperAscii", Function::UpperAscii, 0, 0),
];
