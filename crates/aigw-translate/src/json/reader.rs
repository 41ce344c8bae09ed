//! Reads JSON text in order, each byte once. For text that is only looked at: who reads decides what is read.

use super::scan::Scanner;

/// A place in JSON text. What reads gives `None` where the text is not what was asked for; the place is then anywhere.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    text: &'a str,
    scanner: Scanner<'a>,
}

impl<'a> Reader<'a> {
    /// At the start of `text`.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            scanner: Scanner::new(text.as_bytes()),
        }
    }

    /// The first byte of what comes next, 0 at the end.
    pub fn next_byte(&mut self) -> u8 {
        self.scanner.token()
    }

    /// Reads a value; as it is written.
    pub fn value(&mut self) -> Option<&'a str> {
        self.scanner.token();
        let start = self.scanner.at();
        self.scanner.value(1).ok()?;
        self.text.get(start..self.scanner.at())
    }

    /// Reads an object: shows the name of each member, as it is written, to `see`, which reads the value. `None` too when a name
    /// has escapes or `see` says so.
    pub fn object(&mut self, see: impl FnMut(&'a str, &mut Self) -> Option<()>) -> Option<()> {
        if self.scanner.token() != b'{' {
            return None;
        }
        self.scanner.bump();
        if self.scanner.token() == b'}' {
            self.scanner.bump();
            return Some(());
        }
        self.members(see)
    }

    /// The same from the name of any of its members on.
    pub fn members(&mut self, mut see: impl FnMut(&'a str, &mut Self) -> Option<()>) -> Option<()> {
        loop {
            let (from, to, escaped) = self.scanner.name().ok()?;
            if escaped {
                return None;
            }
            see(self.text.get(from..to)?, self)?;
            if self.scanner.next_or(b'}').ok()? {
                return Some(());
            }
        }
    }

    /// True when nothing more comes.
    pub fn is_at_end(&mut self) -> bool {
        self.scanner.token() == 0 && self.scanner.at() == self.text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_shown_as_written_or_refused() {
        let shown = |text: &'static str| {
            let mut all = Vec::new();
            let mut reader = Reader::new(text);
            let read = reader.object(|name, reader| {
                all.push((name, reader.value()?));
                Some(())
            });
            read.filter(|()| reader.is_at_end()).map(|()| all)
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

    #[test]
    fn objects_within_are_read_in_the_same_walk() {
        let mut reader = Reader::new(r#"{"a":{"b":[1]},"c":2}"#);
        let mut all = Vec::new();
        let read = reader.object(|name, reader| {
            all.push(name);
            match reader.next_byte() {
                b'{' => reader.object(|name, reader| {
                    all.push(name);
                    reader.value().map(|_| ())
                }),
                _ => reader.value().map(|_| ()),
            }
        });
        assert_eq!(
            (read, all, reader.is_at_end()),
            (Some(()), vec!["a", "b", "c"], true)
        );
    }
}
