//! Telephone numbers in the form of E.164: `+` and up to fifteen digits.

use super::CodecError;

/// The international form of a number as people write it: blanks, dots, hyphens and brackets go, `00` is `+`. A number
/// without either is of the country whose calling code is given, and loses its leading `0` (in Italy the `0` belongs
/// to the number).
pub(super) fn to_e164(text: &str, country: Option<&str>) -> Result<String, CodecError> {
    let refused = || {
        let example = country.map_or("such as +47 22 33 44 55", |_| "national, or such as +47 22 33 44 55");
        CodecError::wanted(format!("a telephone number, {example}"))
    };
    let text = text.trim();
    let text = text.strip_prefix("tel:").unwrap_or(text);
    // The national 0 that people put in brackets behind the country: +44 (0)20.
    let text = text.replace("(0)", "");
    let mut digits = String::with_capacity(MAX_DIGITS + 1);
    let mut international = false;
    for (at, c) in text.trim_start().chars().enumerate() {
        match c {
            '+' if at == 0 => international = true,
            '0'..='9' => digits.push(c),
            ' ' | '\u{a0}' | '.' | '-' | '\u{2010}' | '\u{2011}' | '/' | '(' | ')' => {}
            _ => return Err(refused()),
        }
    }
    let number = match (international, digits.strip_prefix("00"), country) {
        (true, _, _) => digits,
        (false, Some(rest), _) => rest.to_owned(),
        (false, None, Some("39")) => format!("39{digits}"),
        (false, None, Some(country)) => format!("{country}{}", digits.strip_prefix('0').unwrap_or(&digits)),
        (false, None, None) => return Err(refused()),
    };
    if (MIN_DIGITS..=MAX_DIGITS).contains(&number.len()) && !number.starts_with('0') {
        Ok(format!("+{number}"))
    } else {
        Err(refused())
    }
}

const MIN_DIGITS: usize = 7;
const MAX_DIGITS: usize = 15;
