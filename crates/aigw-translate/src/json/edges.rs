//! Finds top-level members at both ends of a large object without reading its middle. For text that is only looked at: what is
//! not read is not checked.

use std::borrow::Cow;

use memchr::memmem::Finder;

use super::peek::{Member, unquote};
use super::reader::Reader;
use super::scan::Scanner;

/// How far from its end a member is looked for: first near it, where most are.
const BACK: [usize; 2] = [1024, 4 * 1024];

/// The members called `names` that stand before the member called `until`, or anywhere when there is none. `None` when what
/// was read is no part of an object. Names with escapes are not recognised.
pub fn front<const N: usize>(bytes: &[u8], names: [&str; N], until: &str) -> Option<[Option<Member>; N]> {
    let mut scanner = Scanner::new(bytes);
    if scanner.token() != b'{' {
        return None;
    }
    scanner.bump();
    let mut found = [None; N];
    for ordinal in 0.. {
        scanner.token();
        let start = scanner.at();
        let (name, member) = member(bytes, &mut scanner, start, ordinal, until)?;
        let Some(member) = member else { return Some(found) };
        let slot = names.iter().position(|wanted| wanted.as_bytes() == name);
        if let Some(slot) = slot.and_then(|index| found.get_mut(index)) {
            *slot = Some(member);
        }
        if scanner.next_or(b'}').ok()? {
            break;
        }
    }
    Some(found)
}

/// One member; only its name when that is `until`.
fn member<'a>(
    bytes: &'a [u8],
    scanner: &mut Scanner<'_>,
    start: usize,
    ordinal: usize,
    until: &str,
) -> Option<(&'a [u8], Option<Member>)> {
    let (from, to, _) = scanner.name().ok()?;
    let name = bytes.get(from..to)?;
    if name == until.as_bytes() {
        return Some((name, None));
    }
    scanner.token();
    let value = scanner.at();
    scanner.value(1).ok()?;
    let end = scanner.at();
    let member = Member {
        start,
        value,
        end,
        ordinal,
    };
    Some((name, Some(member)))
}

/// Shows top-level members at the end of an object to `see`, which reads their values: the last of a name, for which `first` looks
/// in its quotes, and all after it. `None` when that does not stand near the end, or where `see` says so.
pub fn back<'a>(
    bytes: &'a [u8],
    first: &Finder<'_>,
    see: impl FnMut(&'a str, &mut Reader<'a>) -> Option<()>,
) -> Option<()> {
    let at = BACK.iter().find_map(|near| {
        let near = bytes.len().saturating_sub(*near);
        // Only searches from the front use vectors.
        Some(near + first.find_iter(bytes.get(near..)?).last()?)
    })?;
    // Within a text the quotes would be escaped, so this is a name (or a whole text, which no colon follows).
    let mut reader = Reader::new(std::str::from_utf8(bytes.get(at..)?).ok()?);
    reader.members(see)?;
    // Whole members, one closing brace and nothing more: the object that ended here is the outermost.
    reader.is_at_end().then_some(())
}

/// The text that stands at the start of `bytes`, escapes resolved; `None` when something else does.
pub fn text_at(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let mut scanner = Scanner::new(bytes);
    if scanner.token() != b'"' {
        return None;
    }
    let start = scanner.at();
    scanner.string().ok()?;
    unquote(std::str::from_utf8(bytes.get(start..scanner.at())?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(bytes: &str) -> Option<[Option<String>; 2]> {
        let found = front(bytes.as_bytes(), ["id", "model"], "choices")?;
        Some(found.map(|member| member.map(|member| member.raw(bytes.as_bytes()).to_owned())))
    }

    #[test]
    fn front_stops_before_the_middle() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            texts(r#" {"id" : "a","model":{"x":[1]},"choices":broken"#),
            Some([some("\"a\""), some("{\"x\":[1]}")])
        );
        assert_eq!(
            texts(r#"{"x":{"id":"inner"},"choices":[],"model":"m"}"#),
            Some([None, None])
        );
        assert_eq!(texts(r#"{"model":"m","id":1}"#), Some([some("1"), some("\"m\"")]));
        for bad in ["", "[]", "{", r#"{"id":"#, r#"{"id":1 "model":2}"#, "{}"] {
            assert_eq!(texts(bad), None, "{bad}");
        }
    }

    /// The last `usage` and the names after it.
    fn last(text: &str) -> Option<Vec<(&str, &str)>> {
        let mut all = Vec::new();
        back(text.as_bytes(), &Finder::new("\"usage\""), |name, reader| {
            all.push((name, reader.value()?));
            Some(())
        })?;
        Some(all)
    }

    #[test]
    fn back_is_outermost_or_nothing() {
        assert_eq!(
            last(r#"…,"usage":{"a":[1]},"x":{"y":"}"} }  "#),
            Some(vec![("usage", r#"{"a":[1]}"#), ("x", r#"{"y":"}"}"#)])
        );
        assert_eq!(last(r#"{"usage":1}"#), Some(vec![("usage", "1")]));
        assert_eq!(last(r#"{"usage":1,"usage":2}"#), Some(vec![("usage", "2")]));
        // Not the outermost, not complete, not a name, not there.
        assert_eq!(last(r#"{"usage":1,"x":{"usage":2}}"#), None);
        assert_eq!(last(r#"{"x":{"usage":2}}"#), None);
        assert_eq!(last(r#"{"usage":1"#), None);
        assert_eq!(last(r#"{"x":"usage"}"#), None);
        assert_eq!(last(r#"{"x":" \"usage\":1}"}"#), None);
        assert_eq!(last("{}"), None);
    }

    #[test]
    fn back_looks_only_near_the_end() {
        for (apart, found) in [(0, true), (1_020, true), (3_000, true), (4 * 1024, false)] {
            let text = format!(r#"{{"usage":1,"x":"{}"}}"#, "a".repeat(apart));
            assert_eq!(last(&text).is_some(), found, "{apart}");
        }
    }

    #[test]
    fn a_text_is_read_where_it_stands() {
        assert_eq!(text_at(b" \"a\\n\" , 1").as_deref(), Some("a\n"));
        assert_eq!(text_at(b"\"stop\"}").as_deref(), Some("stop"));
        for bad in ["null", "", "\"a", "\"\\ud800\"", "x\"a\""] {
            assert_eq!(text_at(bad.as_bytes()), None, "{bad}");
        }
    }
}
