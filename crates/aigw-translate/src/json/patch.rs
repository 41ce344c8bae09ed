//! Edits top-level members of a JSON object in its bytes; every byte that is not edited stays as it is.

use std::borrow::Cow;
use std::ops::Range;

use super::peek::{Frame, Member, text, walk};
use super::{PeekError, Peeked};

/// One edit. Values are JSON text, and the caller vouches for them (see [`literal`] and [`quote`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit<'a> {
    /// Replaces the member's value, or adds the member after the last one.
    Set {
        /// The member.
        name: &'a str,
        /// JSON text.
        value: &'a str,
    },
    /// The same for a member of a member's value. A value that is no object (or absent) becomes an object.
    SetNested {
        /// The member.
        name: &'a str,
        /// The member of its value.
        member: &'a str,
        /// JSON text.
        value: &'a str,
    },
    /// Removes the member with one comma, where it is present.
    Remove {
        /// The member.
        name: &'a str,
    },
}

impl<'a> Edit<'a> {
    /// The top-level member that is edited.
    pub const fn name(&self) -> &'a str {
        match self {
            Self::Set { name, .. } | Self::SetNested { name, .. } | Self::Remove { name } => name,
        }
    }
}

/// Applies edits as if one after the other. Fails as [`peek`](super::peek()) does, so also when a member to edit occurs twice.
pub fn patch(bytes: &[u8], edits: &[Edit<'_>]) -> Result<Vec<u8>, PeekError> {
    let (now, later) = edits.split_at(distinct(edits));
    let names: Vec<&str> = now.iter().map(Edit::name).collect();
    let mut members = vec![None; names.len()];
    let frame = walk(text(bytes)?, &names, &mut members)?;
    let targets = now.iter().copied().zip(members);
    finish(splice(bytes, frame, targets)?, later)
}

/// The same without looking for the members again: `peeked` is what was found in `bytes`. Edits of members that were not
/// looked for then take a walk of their own.
pub fn patch_peeked<const N: usize>(
    bytes: &[u8],
    peeked: &Peeked<'_, N>,
    edits: &[Edit<'_>],
) -> Result<Vec<u8>, PeekError> {
    if !edits.iter().all(|edit| peeked.names.contains(&edit.name())) {
        return patch(bytes, edits);
    }
    let (now, later) = edits.split_at(distinct(edits));
    let targets = now.iter().map(|edit| (*edit, peeked.member(edit.name())));
    finish(splice(bytes, peeked.frame, targets)?, later)
}

/// What a configured text means as a value: itself where it is JSON, else a JSON string of it.
pub fn literal(text: &str) -> Cow<'_, str> {
    if serde_json::from_str::<serde_json::Value>(text).is_ok() {
        Cow::Borrowed(text.trim_matches([' ', '\n', '\r', '\t']))
    } else {
        Cow::Owned(quote(text))
    }
}

/// A text as a JSON string.
pub fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// How many edits from the front are of different members.
fn distinct(edits: &[Edit<'_>]) -> usize {
    let repeated = |index: usize, edit: &Edit<'_>| edits.iter().take(index).any(|e| e.name() == edit.name());
    edits
        .iter()
        .enumerate()
        .position(|(index, edit)| repeated(index, edit))
        .unwrap_or(edits.len())
}

fn finish(done: Vec<u8>, later: &[Edit<'_>]) -> Result<Vec<u8>, PeekError> {
    if later.is_empty() {
        Ok(done)
    } else {
        patch(&done, later)
    }
}

/// A part of the text and what stands there afterwards.
#[derive(Debug)]
struct Splice<'a> {
    range: Range<usize>,
    text: Cow<'a, str>,
}

fn splice<'a>(
    bytes: &[u8],
    frame: Frame,
    targets: impl Iterator<Item = (Edit<'a>, Option<Member>)>,
) -> Result<Vec<u8>, PeekError> {
    let mut splices = Vec::new();
    let mut removed = Vec::new();
    let mut added = Vec::new();
    for (edit, target) in targets {
        match (edit, target) {
            (Edit::Remove { .. }, None) => {}
            (Edit::Remove { .. }, Some(member)) => removed.push(member),
            (Edit::Set { name, value }, None) => added.push((name, Cow::Borrowed(value))),
            (Edit::Set { value, .. }, Some(member)) => splices.push(Splice {
                range: member.span(),
                text: Cow::Borrowed(value),
            }),
            (Edit::SetNested { name, member, value }, None) => {
                added.push((name, Cow::Owned(object(member, value))));
            }
            (Edit::SetNested { member, value, .. }, Some(outer)) => {
                splices.push(nested(bytes, outer, member, value)?);
            }
        }
    }
    let mut first = frame.count == removed.len();
    remove(bytes, frame, &mut removed, &mut splices);
    for (name, value) in added {
        let comma = if first { "" } else { "," };
        first = false;
        splices.push(Splice {
            range: frame.end..frame.end,
            text: Cow::Owned(format!("{comma}{}:{value}", quote(name))),
        });
    }
    // Stable: what is added keeps its order.
    splices.sort_by_key(|splice| splice.range.start);
    Ok(rewrite(bytes, &splices))
}

fn object(name: &str, value: &str) -> String {
    format!("{{{}:{value}}}", quote(name))
}

fn nested<'a>(bytes: &[u8], outer: Member, name: &str, value: &'a str) -> Result<Splice<'a>, PeekError> {
    let Some(inner) = outer.peek(bytes, [name])? else {
        return Ok(Splice {
            range: outer.span(),
            text: Cow::Owned(object(name, value)),
        });
    };
    Ok(match inner.member(name) {
        Some(member) => Splice {
            range: member.span(),
            text: Cow::Borrowed(value),
        },
        None => {
            let comma = if inner.frame.count == 0 { "" } else { "," };
            Splice {
                range: inner.frame.end..inner.frame.end,
                text: Cow::Owned(format!("{comma}{}:{value}", quote(name))),
            }
        }
    })
}

/// Takes members out with their commas: those at the front with the comma after them, others with the one before.
fn remove<'a>(bytes: &[u8], frame: Frame, removed: &mut [Member], splices: &mut Vec<Splice<'a>>) {
    removed.sort_by_key(|member| member.ordinal);
    let leading = removed
        .iter()
        .enumerate()
        .take_while(|(index, member)| *index == member.ordinal)
        .count();
    for (index, member) in removed.iter().enumerate() {
        let range = if index >= leading {
            comma_before(bytes, member.start)..member.end
        } else if member.ordinal + 1 < frame.count {
            member.start..comma_after(bytes, member.end) + 1
        } else {
            member.start..member.end
        };
        splices.push(Splice {
            range,
            text: Cow::Borrowed(""),
        });
    }
}

fn comma_before(bytes: &[u8], start: usize) -> usize {
    let before = bytes.get(..start).unwrap_or_default();
    before.iter().rposition(|byte| *byte == b',').unwrap_or(start)
}

fn comma_after(bytes: &[u8], end: usize) -> usize {
    let after = bytes.get(end..).unwrap_or_default();
    end + after.iter().position(|byte| *byte == b',').unwrap_or_default()
}

fn rewrite(bytes: &[u8], splices: &[Splice<'_>]) -> Vec<u8> {
    let more: usize = splices.iter().map(|splice| splice.text.len()).sum();
    let mut out = Vec::with_capacity(bytes.len() + more);
    let mut at = 0;
    for splice in splices {
        out.extend_from_slice(bytes.get(at..splice.range.start).unwrap_or_default());
        out.extend_from_slice(splice.text.as_bytes());
        at = splice.range.end;
    }
    out.extend_from_slice(bytes.get(at..).unwrap_or_default());
    out
}
