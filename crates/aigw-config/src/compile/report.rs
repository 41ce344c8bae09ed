//! Findings about one object at a time, with the wording that all of them share.

use std::collections::HashMap;

use crate::diagnostic::{Diagnostics, Origin};

/// The object that findings are about, and where they are collected.
pub(super) struct Report<'a> {
    findings: &'a mut Diagnostics,
    origin: Origin,
    object: String,
}

impl<'a> Report<'a> {
    /// Findings about `kind "name"`, or about `place` (such as `backends[1]`) when it has no name.
    pub(super) fn new(
        findings: &'a mut Diagnostics,
        origin: &Origin,
        kind: &str,
        name: &str,
        place: String,
    ) -> Self {
        Self {
            findings,
            origin: origin.clone(),
            object: if name.is_empty() {
                place
            } else {
                format!("{kind} \"{name}\"")
            },
        }
    }

    pub(super) fn error(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.findings
            .error(&self.origin, self.object.as_str(), field, message);
    }

    pub(super) fn warn(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.findings
            .warn(&self.origin, self.object.as_str(), field, message);
    }

    /// The value, or `None` after its error was noted at `field`.
    pub(super) fn check<T>(&mut self, field: &str, result: Result<T, String>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(message) => {
                self.error(field, message);
                None
            }
        }
    }

    /// Notes a missing, ill-formed or repeated name. `seen` is the collection that the object belongs to.
    pub(super) fn check_name(&mut self, name: &str, seen: &mut HashMap<String, Origin>) -> bool {
        if let Err(message) = name_rule(name) {
            self.error("name", message);
            return false;
        }
        if let Some(first) = seen.get(name) {
            let message = format!("the name is used twice, first at {first}; rename one");
            self.error("name", message);
            return false;
        }
        seen.insert(name.to_owned(), self.origin.clone());
        true
    }
}

/// Room for a namespace, a name and an entry of Kubernetes, each as long as may be.
const MAX_NAME: usize = 640;

/// Names appear in logs, metric labels and headers.
fn name_rule(name: &str) -> Result<(), String> {
    if name.is_empty() {
        Err("a name is needed".to_owned())
    } else if name.len() > MAX_NAME {
        Err(format!("the name is longer than {MAX_NAME} characters"))
    } else if !name.bytes().all(|b| b.is_ascii_graphic()) {
        Err("use letters, digits and punctuation of ASCII, without spaces".to_owned())
    } else {
        Ok(())
    }
}

/// `no backend is named "opnai"; did you mean "openai"?`
pub(crate) fn unknown<'k>(kind: &str, name: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    if let Some(best) = nearest(name, known.iter().copied()) {
        return format!("no {kind} is named \"{name}\"; did you mean \"{best}\"?");
    }
    let shown: Vec<String> = known.iter().take(10).map(|one| format!("\"{one}\"")).collect();
    let rest = if known.len() > shown.len() {
        " and more"
    } else {
        ""
    };
    if shown.is_empty() {
        format!("no {kind} is named \"{name}\"; none is defined")
    } else {
        format!(
            "no {kind} is named \"{name}\"; there is {}{rest}",
            shown.join(", ")
        )
    }
}

/// The known name that is most like `name`, when one is like it enough to be a slip of the finger.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let wanted = name.to_lowercase();
    let limit = (wanted.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|one| (distance(&wanted, &one.to_lowercase()), one))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, one)| one)
}

/// Edits (insert, delete, replace, swap of neighbours) from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX / 2);
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replace = at(&last, j) + usize::from(x != y);
            let mut best = replace.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let known = ["openai", "anthropic", "groq"];
        assert_eq!(nearest("opnai", known), Some("openai"));
        assert_eq!(nearest("OpenAI", known), Some("openai"));
        assert_eq!(nearest("gorq", known), Some("groq"));
        assert_eq!(nearest("mistral", known), None);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "acb"), 1);
    }

    #[test]
    fn an_unknown_name_lists_what_there_is() {
        assert_eq!(
            unknown("backend", "x", ["b-one", "a-one"]),
            "no backend is named \"x\"; there is \"a-one\", \"b-one\""
        );
        assert_eq!(
            unknown("backend", "x", []),
            "no backend is named \"x\"; none is defined"
        );
    }
}
