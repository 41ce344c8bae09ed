//! Reads `multipart/form-data` (RFC 7578) in place: where each field's value stands, so that one can be read or replaced.
//!
//! A body that other readers may cut differently is refused: what we authorise must be what the upstream acts on.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

/// Bytes of one part's header lines at most.
const MAX_HEADERS: usize = 16 << 10;
/// Parts at most.
const MAX_PARTS: usize = 1_000;

/// Why a form cannot be read. Offsets count bytes from the start of the body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MultipartError {
    /// The content type is not `multipart/form-data`; the caller must send that.
    #[error("expected content-type multipart/form-data")]
    NotMultipart,
    /// The content type has no boundary that RFC 2046 allows; the caller must name the one in use.
    #[error("content-type multipart/form-data has no valid boundary parameter")]
    NoBoundary,
    /// The closing boundary is missing; the caller must send the whole body, with the boundary of its content type.
    #[error("the multipart body has no closing boundary")]
    Unterminated,
    /// A part has no header that names its field; the caller must add one.
    #[error("the part at byte {offset} has no valid content-disposition")]
    BadPart {
        /// Where the part's headers begin.
        offset: usize,
    },
    /// A line begins like a boundary and is none, which readers take differently; the caller must choose another boundary.
    #[error("the line at byte {offset} may or may not be a boundary")]
    Ambiguous {
        /// Where the line begins.
        offset: usize,
    },
    /// Too much header in one part, or too many parts; the caller must send less.
    #[error("the part at byte {offset} is over a limit")]
    TooLarge {
        /// Where the part's headers begin.
        offset: usize,
    },
    /// A field that decides what happens to the request occurs twice; the caller must send it once.
    #[error("field {name:?} occurs twice, again at byte {offset}")]
    Duplicate {
        /// The field.
        name: String,
        /// Where the second part's headers begin.
        offset: usize,
    },
}

/// One part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The field's name.
    pub name: String,
    /// The file's name.
    pub filename: Option<String>,
    /// The value's media type.
    pub content_type: Option<String>,
    /// The header lines, in the body.
    pub headers: Range<usize>,
    /// The value, in the body.
    pub value: Range<usize>,
}

impl Part {
    /// The value's bytes. `body` is what was parsed.
    pub fn value<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        body.get(self.value.clone()).unwrap_or_default()
    }
}

/// A form: offsets only, so that it may be kept beside its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    parts: Vec<Part>,
}

impl Form {
    /// The parts in their order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The only part of this name; refused when there are two.
    pub fn field(&self, name: &str) -> Result<Option<&Part>, MultipartError> {
        let mut found = self.parts.iter().filter(|part| part.name == name);
        let first = found.next();
        match found.next() {
            Some(second) => Err(MultipartError::Duplicate {
                name: name.to_owned(),
                offset: second.headers.start,
            }),
            None => Ok(first),
        }
    }

    /// The body with another value for a field, where it is present; every other byte stays as it is. `body` is what was
    /// parsed. The caller vouches that the value holds no boundary (a name of a model does not).
    pub fn replace(&self, body: &[u8], name: &str, value: &[u8]) -> Result<Vec<u8>, MultipartError> {
        let Some(part) = self.field(name)? else {
            return Ok(body.to_vec());
        };
        let mut out = Vec::with_capacity(body.len() + value.len());
        out.extend_from_slice(body.get(..part.value.start).unwrap_or_default());
        out.extend_from_slice(value);
        out.extend_from_slice(body.get(part.value.end..).unwrap_or_default());
        Ok(out)
    }
}

/// Reads a whole body that was sent with this content type.
pub fn parse(content_type: &str, body: &[u8]) -> Result<Form, MultipartError> {
    let delimiter = format!("--{}", boundary(content_type)?);
    let finder = memmem::Finder::new(&delimiter);
    let (_, mut next) = find(body, 0, &finder)?;
    let mut parts = Vec::new();
    while let Delimiter::Part(start) = next {
        if parts.len() == MAX_PARTS {
            return Err(MultipartError::TooLarge { offset: start });
        }
        let value = headers_end(body, start)?;
        let (end, after) = find(body, value, &finder)?;
        parts.push(part(body, start, value, end)?);
        next = after;
    }
    Ok(Form { parts })
}

/// The boundary that a content type names.
pub fn boundary(content_type: &str) -> Result<Cow<'_, str>, MultipartError> {
    let (media_type, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !media_type.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Err(MultipartError::NotMultipart);
    }
    let boundary = parameter(parameters, "boundary").ok_or(MultipartError::NoBoundary)?;
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    if boundary.is_empty() || boundary.len() > 70 || boundary.ends_with(' ') || !boundary.bytes().all(valid) {
        return Err(MultipartError::NoBoundary);
    }
    Ok(boundary)
}

/// What follows a delimiter.
#[derive(Clone, Copy, Debug)]
enum Delimiter {
    /// A part, whose headers begin here.
    Part(usize),
    /// Nothing that counts.
    Close,
}

/// The next delimiter from `from` on: where what stands before it ends, and what follows it.
fn find(body: &[u8], from: usize, finder: &memmem::Finder<'_>) -> Result<(usize, Delimiter), MultipartError> {
    let rest = body.get(from..).unwrap_or_default();
    for at in finder.find_iter(rest) {
        let before = rest.get(..at).unwrap_or_default();
        let begins_line = matches!(before.last(), None | Some(b'\r' | b'\n'));
        if !begins_line {
            continue;
        }
        // The line end in front belongs to the delimiter; only at the start of the body there is none.
        let end = match before.strip_suffix(b"\r\n") {
            Some(value) => Some(from + value.len()),
            None => (from + at == 0).then_some(0),
        };
        let next = after_delimiter(body, from + at + finder.needle().len());
        return end
            .zip(next)
            .ok_or(MultipartError::Ambiguous { offset: from + at });
    }
    Err(MultipartError::Unterminated)
}

/// Reads what stands behind a boundary; `None` when the line goes on.
fn after_delimiter(body: &[u8], end: usize) -> Option<Delimiter> {
    let rest = body.get(end..)?;
    let (close, rest) = match rest.strip_prefix(b"--") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let padding = rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    match (rest.get(padding..)?, close) {
        ([] | [b'\r' | b'\n', ..], true) => Some(Delimiter::Close),
        ([b'\r', b'\n', ..], false) => Some(Delimiter::Part(end + padding + 2)),
        _ => None,
    }
}

/// Where a part's value begins: behind the blank line after its headers.
fn headers_end(body: &[u8], start: usize) -> Result<usize, MultipartError> {
    let rest = body.get(start..).unwrap_or_default();
    if rest.starts_with(b"\r\n") {
        return Ok(start + 2);
    }
    let limited = rest.get(..MAX_HEADERS).unwrap_or(rest);
    match memmem::find(limited, b"\r\n\r\n") {
        Some(at) => Ok(start + at + 4),
        None if limited.len() < rest.len() => Err(MultipartError::TooLarge { offset: start }),
        None => Err(MultipartError::Unterminated),
    }
}

fn part(body: &[u8], start: usize, value: usize, end: usize) -> Result<Part, MultipartError> {
    let bad = || MultipartError::BadPart { offset: start };
    // File names come in any charset; what is no UTF-8 is not looked for.
    let headers = String::from_utf8_lossy(body.get(start..value).unwrap_or_default());
    let disposition = header(&headers, "content-disposition").ok_or_else(bad)?;
    let (kind, parameters) = disposition.split_once(';').unwrap_or((disposition, ""));
    if !kind.trim().eq_ignore_ascii_case("form-data") || parameter(parameters, "name*").is_some() {
        return Err(bad());
    }
    Ok(Part {
        name: parameter(parameters, "name").ok_or_else(bad)?.into_owned(),
        filename: parameter(parameters, "filename").map(Cow::into_owned),
        content_type: header(&headers, "content-type").map(str::to_owned),
        headers: start..value,
        value: value..end,
    })
}

/// The value of the only header line of this name. Lines that are folded or ended otherwise than by CRLF spoil all.
fn header<'a>(headers: &'a str, name: &str) -> Option<&'a str> {
    let mut found = None;
    for line in headers.split("\r\n") {
        if line.contains(['\r', '\n']) || line.starts_with([' ', '\t']) {
            return None;
        }
        let Some((known, value)) = line.split_once(':') else {
            continue;
        };
        if known.trim().eq_ignore_ascii_case(name) && found.replace(value.trim()).is_some() {
            return None;
        }
    }
    found
}

/// The value of the only parameter of this name in `; name=value; name="value"`.
fn parameter<'a>(mut parameters: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut found = None;
    loop {
        parameters = parameters.trim_start_matches([' ', '\t', ';']);
        let Some((known, rest)) = parameters.split_once('=') else {
            return found;
        };
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_string(quoted)?,
            None => {
                let (value, rest) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
                (Cow::Borrowed(value.trim_end()), rest)
            }
        };
        parameters = rest.trim_start();
        if !parameters.is_empty() && !parameters.starts_with(';') {
            return None;
        }
        if known.trim().eq_ignore_ascii_case(name) && found.replace(value).is_some() {
            return None;
        }
    }
}

/// A quoted string behind its opening quote, and what follows the closing one. A backslash quotes only a quote or a
/// backslash: some browsers send Windows paths as they are.
fn quoted_string(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut escaped = false;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'"', _) => break,
            (b'\\', Some(b'"' | b'\\')) => {
                escaped = true;
                at += 2;
            }
            _ => at += 1,
        }
    }
    let (inner, rest) = (text.get(..at)?, text.get(at + 1..)?);
    if !escaped {
        return Some((Cow::Borrowed(inner), rest));
    }
    let mut value = String::with_capacity(inner.len());
    let mut characters = inner.chars().peekable();
    while let Some(character) = characters.next() {
        let quoted = characters.next_if(|next| character == '\\' && matches!(next, '"' | '\\'));
        value.push(quoted.unwrap_or(character));
    }
    Some((Cow::Owned(value), rest))
}
