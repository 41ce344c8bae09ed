//! Finds top-level members at both ends of a large object without reading its middle, and walks over those of a small one. For
//! text that is only looked at: what is not read is not checked.

use memchr::memmem::FinderRev;

use super::peek::Member;
use super::scan::Scanner;

/// How far from its end a member is looked for.
const BACK: usize = 4 * 1024;

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

/// Shows name and value, as they are written, of each member of the object that `text` is. `None` when it is none, or has names
/// with escapes; what stood before was shown.
pub fn members<'a>(text: &'a str, mut see: impl FnMut(&'a str, &'a str)) -> Option<()> {
    let mut scanner = Scanner::new(text.as_bytes());
    if scanner.token() != b'{' {
        return None;
    }
    scanner.bump();
    if scanner.token() == b'}' {
        scanner.bump();
    } else {
        loop {
            let (from, to, escaped) = scanner.name().ok()?;
            scanner.token();
            let value = scanner.at();
            scanner.value(1).ok()?;
            if escaped {
                return None;
            }
            see(text.get(from..to)?, text.get(value..scanner.at())?);
            if scanner.next_or(b'}').ok()? {
                break;
            }
        }
    }
    (scanner.token() == 0 && scanner.at() == text.len()).then_some(())
}

/// The value of the last top-level member of a name, for which `name` looks in its quotes, when it stands near the end.
pub fn back<'a>(bytes: &'a [u8], name: &FinderRev<'_>) -> Option<&'a str> {
    let near = bytes.len().saturating_sub(BACK);
    let at = near + name.rfind(bytes.get(near..)?)?;
    // Within a text the quotes would be escaped, so this is a name (or a whole text, which no colon follows).
    let mut scanner = Scanner::new(bytes.get(at..)?);
    let (_, value) = member(bytes.get(at..)?, &mut scanner, 0, 0, "")?;
    let value = value?;
    // Whole members, one closing brace and nothing more: the object that ends here is the outermost.
    while !scanner.next_or(b'}').ok()? {
        scanner.name().ok()?;
        scanner.value(1).ok()?;
    }
    let ended = scanner.token() == 0 && at + scanner.at() == bytes.len();
    let raw = bytes.get(at..)?.get(value.span())?;
    std::str::from_utf8(raw).ok().filter(|_| ended)
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

    #[test]
    fn back_is_outermost_or_nothing() {
        let name = FinderRev::new("\"usage\"");
        let back = |text: &'static str| back(text.as_bytes(), &name);
        assert_eq!(
            back(r#"…,"usage":{"a":[1]},"x":{"y":"}"} }  "#),
            Some(r#"{"a":[1]}"#)
        );
        assert_eq!(back(r#"{"usage":1}"#), Some("1"));
        assert_eq!(back(r#"{"usage":1,"usage":2}"#), Some("2"));
        // Not the outermost, not complete, not a name, not there.
        assert_eq!(back(r#"{"usage":1,"x":{"usage":2}}"#), None);
        assert_eq!(back(r#"{"x":{"usage":2}}"#), None);
        assert_eq!(back(r#"{"usage":1"#), None);
        assert_eq!(back(r#"{"x":"usage"}"#), None);
        assert_eq!(back(r#"{"x":" \"usage\":1}"}"#), None);
        assert_eq!(back("{}"), None);
    }

    #[test]
    fn back_looks_only_near_the_end() {
        let far = format!(r#"{{"usage":1,"x":"{}"}}"#, "a".repeat(BACK));
        assert_eq!(back(far.as_bytes(), &FinderRev::new("\"usage\"")), None);
    }

    #[test]
    fn members_are_shown_as_written_or_refused() {
        let shown = |text: &'static str| {
            let mut all = Vec::new();
            members(text, |name, value| all.push((name, value))).map(|()| all)
        };
        assert_eq!(
            shown(r#" {"a" : [1, 2] ,"b":"\"", "a":{} } "#),
            Some(vec![("a", "[1, 2]"), ("b", r#""\"""#), ("a", "{}")])
        );
        assert_eq!(shown("{}"), Some(vec![]));
        for bad in [
            "",
            "[]",
            "{",
            r#"{"a":1"#,
            r#"{"a":1}}"#,
            r#"{"a":01}"#,
            r#"{"\u0061":1}"#,
        ] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }
}
