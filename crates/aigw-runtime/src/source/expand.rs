//! `${VAR}` and `${VAR:-default}` in configuration values.
//!
//! The rule: `${NAME}` is replaced by the variable, which must be set; `${NAME:-text}` by the variable, or by `text` when it is
//! unset or empty; `$$` is one `$`. Every other `$` stays as it is. Only values that are read are looked at: keys, comments
//! and unknown fields are not, and what a variable holds is not looked at again.

use std::borrow::Cow;

/// The environment: a variable's value by its name.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// `text` with its variables replaced, or why that cannot be done.
pub(super) fn expand<'t>(text: &'t str, environment: Environment<'_>) -> Result<Cow<'t, str>, String> {
    let Some(first) = text.find('$') else {
        return Ok(Cow::Borrowed(text));
    };
    let (start, mut rest) = text.split_at(first);
    let mut out = start.to_owned();
    while let Some(at) = rest.find('$') {
        out.push_str(rest.get(..at).unwrap_or_default());
        let behind = rest.get(at + 1..).unwrap_or_default();
        if let Some(after) = behind.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(body) = behind.strip_prefix('{') {
            let (inside, after) = body
                .split_once('}')
                .ok_or_else(|| format!("`${{{body}` has no closing brace; write $$ for a dollar sign"))?;
            out.push_str(&variable(inside, environment)?);
            rest = after;
        } else {
            out.push('$');
            rest = behind;
        }
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

fn variable(inside: &str, environment: Environment<'_>) -> Result<String, String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !is_name(name) {
        return Err(format!(
            "`${{{inside}}}` is not understood; write ${{NAME}}, ${{NAME:-default}}, or $$ for a dollar sign"
        ));
    }
    match (environment(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(format!(
            "the environment variable {name} is not set; set it, or give a default with ${{{name}:-…}}"
        )),
    }
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "KEY" => Some("sk-1".to_owned()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${KEY} $$".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_replaced_and_nothing_else() {
        let rows = [
            ("plain", "plain"),
            ("${KEY}", "sk-1"),
            ("a${KEY}b${KEY}", "ask-1bsk-1"),
            ("${NONE:-x y}", "x y"),
            ("${NONE:-}", ""),
            ("${EMPTY:-d}", "d"),
            ("${EMPTY}", ""),
            ("${KEY:-d}", "sk-1"),
            ("$$", "$"),
            ("$${KEY}", "${KEY}"),
            ("gpt-.*$", "gpt-.*$"),
            ("$1 $KEY 5$", "$1 $KEY 5$"),
            ("${NESTED}", "${KEY} $$"),
            ("ü${KEY}ü", "üsk-1ü"),
            ("${NONE:-a:-b}", "a:-b"),
        ];
        for (text, expected) in rows {
            assert_eq!(expand(text, &environment).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_replaced_says_why() {
        let rows = [
            (
                "${NONE}",
                "the environment variable NONE is not set; set it, or give a default with ${NONE:-…}",
            ),
            (
                "${KEY",
                "`${KEY` has no closing brace; write $$ for a dollar sign",
            ),
            (
                "${}",
                "`${}` is not understood; write ${NAME}, ${NAME:-default}, or $$ for a dollar sign",
            ),
            (
                "${1A}",
                "`${1A}` is not understood; write ${NAME}, ${NAME:-default}, or $$ for a dollar sign",
            ),
            (
                "${A B}",
                "`${A B}` is not understood; write ${NAME}, ${NAME:-default}, or $$ for a dollar sign",
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(expand(text, &environment).unwrap_err(), expected, "{text}");
        }
    }
}
