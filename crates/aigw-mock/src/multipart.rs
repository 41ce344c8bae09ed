//! `multipart/form-data` bodies (RFC 7578), read whole.

use bytes::Bytes;
use memchr::memmem;

/// One part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub name: String,
    pub filename: Option<String>,
    pub content_type: Option<String>,
    pub data: Bytes,
}

impl Part {
    /// The part's bytes as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.data).into_owned()
    }
}

/// The boundary of a `multipart/form-data` content type.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameter(parameters, "boundary").filter(|boundary| !boundary.is_empty())
}

/// Reads every part, or says what is wrong.
pub(crate) fn parse(body: &Bytes, boundary: &str) -> Result<Vec<Part>, &'static str> {
    let delimiter = format!("--{boundary}");
    let between = format!("\r\n--{boundary}");
    let mut at =
        memmem::find(body, delimiter.as_bytes()).ok_or("the boundary never occurs")? + delimiter.len();
    let mut parts = Vec::new();
    loop {
        let rest = body.get(at..).unwrap_or_default();
        if rest.starts_with(b"--") {
            return Ok(parts);
        }
        let line = memmem::find(rest, b"\r\n").ok_or("a boundary line does not end")?;
        let start = at + line + 2;
        let part = body.get(start..).unwrap_or_default();
        let length = memmem::find(part, between.as_bytes()).ok_or("the last boundary is missing")?;
        parts.push(one(&body.slice(start..start + length))?);
        at = start + length + between.len();
    }
}

fn one(part: &Bytes) -> Result<Part, &'static str> {
    let end = memmem::find(part, b"\r\n\r\n").ok_or("a part has no end of headers")?;
    let head = String::from_utf8_lossy(part.get(..end).unwrap_or_default()).into_owned();
    let (mut name, mut filename, mut content_type) = (None, None, None);
    for line in head.split("\r\n") {
        let Some((field, value)) = line.split_once(':') else {
            continue;
        };
        if field.trim().eq_ignore_ascii_case("content-disposition") {
            name = parameter(value, "name").map(str::to_owned);
            filename = parameter(value, "filename").map(str::to_owned);
        } else if field.trim().eq_ignore_ascii_case("content-type") {
            content_type = Some(value.trim().to_owned());
        }
    }
    let name = name.ok_or("a part has no name")?;
    Ok(Part {
        name,
        filename,
        content_type,
        data: part.slice(end + 4..),
    })
}

fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_fields_and_files() {
        let body = Bytes::from_static(
            b"--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--B\r\n\
              Content-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n\
              \x00\r\n\xff\r\n--B--\r\n",
        );
        assert_eq!(boundary("multipart/form-data; boundary=\"B\""), Some("B"));
        let parts = parse(&body, "B").unwrap();
        assert_eq!(parts.len(), 2);
        assert_eq!(
            (parts[0].name.as_str(), parts[0].text().as_str()),
            ("model", "whisper-1")
        );
        assert_eq!(parts[1].filename.as_deref(), Some("a.mp3"));
        assert_eq!(parts[1].content_type.as_deref(), Some("audio/mpeg"));
        assert_eq!(&parts[1].data[..], b"\x00\r\n\xff");
    }

    #[test]
    fn refuses_what_does_not_end() {
        for body in [
            "",
            "--B",
            "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx",
            "--B\r\n\r\n\r\nx\r\n--B--",
        ] {
            assert!(
                parse(&Bytes::from_static(body.as_bytes()), "B").is_err(),
                "{body:?}"
            );
        }
    }
}
