//! Headers between Envoy's messages and the engine: duplicates kept, any bytes, and only what differs is said.

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};

use super::wire::{Header, HeaderMutation, Headers, SetHeader};

/// A head as Envoy sends it.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub method: Bytes,
    pub path: Bytes,
    pub authority: Bytes,
    pub status: Bytes,
    pub headers: HeaderMap,
    /// The same headers in Envoy's own form.
    pub listed: Listed,
}

/// Headers in Envoy's own form: values raw, names lower case.
#[derive(Debug, Default)]
pub(super) struct Listed {
    headers: Vec<Header>,
    /// Some name is there more than once.
    repeats: bool,
}

impl Listed {
    /// The first value of a header.
    pub fn get(&self, name: &HeaderName) -> Option<Bytes> {
        let mut headers = self.headers.iter();
        let found = headers.find(|header| header.key == name.as_str());
        found.map(|header| header.raw_value.clone())
    }
}

/// Takes a head apart. Names and values that HTTP does not know are left out.
pub(super) fn head(envoy: Option<Headers>) -> Head {
    let mut head = Head::default();
    let mut listed = envoy.unwrap_or_default().headers;
    head.headers.reserve(listed.len());
    listed.retain_mut(|header| {
        let Header {
            key,
            value,
            raw_value,
        } = header;
        if raw_value.is_empty() {
            *raw_value = std::mem::take(value);
        }
        if key.first() == Some(&b':') {
            let pseudo = match key.as_ref() {
                b":method" => &mut head.method,
                b":path" => &mut head.path,
                b":authority" => &mut head.authority,
                b":status" => &mut head.status,
                _ => return false,
            };
            *pseudo = std::mem::take(raw_value);
            return false;
        }
        let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(key),
            HeaderValue::from_maybe_shared(raw_value.clone()),
        ) else {
            return false;
        };
        if key != name.as_str() {
            *key = Bytes::copy_from_slice(name.as_str().as_bytes());
        }
        head.listed.repeats |= head.headers.append(name, value);
        true
    });
    head.listed.headers = listed;
    head
}

/// Bytes as text; empty where they are none.
pub(super) fn text(bytes: Bytes) -> String {
    String::from_utf8(bytes.into()).unwrap_or_default()
}

/// Takes out the header of this name, which Envoy has put at the end; its text.
pub(super) fn take(envoy: &mut Headers, name: &str) -> Option<String> {
    let at = envoy.headers.iter().rposition(|header| header.key == name)?;
    let Header { value, raw_value, .. } = envoy.headers.remove(at);
    let value = if raw_value.is_empty() { value } else { raw_value };
    String::from_utf8(value.into()).ok()
}

/// Names of the trailers that Envoy announces.
pub(super) fn names(envoy: Option<Headers>) -> Vec<Bytes> {
    let headers = envoy.unwrap_or_default().headers;
    headers.into_iter().map(|header| header.key).collect()
}

/// What turns `from`, as [`head`] lists it, into `to`. `content-length` is not looked at: whoever knows the body says it.
pub(super) fn difference(from: Listed, to: &HeaderMap) -> HeaderMutation {
    let Listed { headers, repeats } = from;
    let mut mutation = HeaderMutation::default();
    let mut stays = vec![false; headers.len()];
    // Most headers stay, in their order: each is looked for behind the one before.
    let mut next = 0;
    // Values of one name follow each other.
    let mut pairs = to.iter().peekable();
    while let Some((name, first)) = pairs.next() {
        let mut wanted = Some(first);
        let mut another = || pairs.next_if(|(next, _)| *next == name).map(|(_, value)| value);
        if name == CONTENT_LENGTH {
            while another().is_some() {}
            continue;
        }
        let mut is_same = true;
        let (before, behind) = headers.split_at(next.min(headers.len()));
        let order = (next..headers.len()).zip(behind).chain(before.iter().enumerate());
        for (at, header) in order {
            if header.key != name.as_str() {
                continue;
            }
            if let Some(stays) = stays.get_mut(at) {
                *stays = true;
            }
            is_same &= wanted.is_some_and(|value| value.as_bytes() == header.raw_value);
            wanted = another();
            next = at + 1;
            if !repeats {
                break;
            }
        }
        if !is_same || wanted.is_some() {
            while another().is_some() {}
            push_all(&mut mutation, to, name);
        }
    }
    for (header, stays) in headers.into_iter().zip(stays) {
        let removed = &mut mutation.remove_headers;
        if !stays && header.key != CONTENT_LENGTH.as_str() && !removed.contains(&header.key) {
            removed.push(header.key);
        }
    }
    mutation
}

/// All of `headers` but `content-length`.
pub(super) fn all(headers: &HeaderMap) -> HeaderMutation {
    difference(Listed::default(), headers)
}

fn push_all(mutation: &mut HeaderMutation, headers: &HeaderMap, name: &HeaderName) {
    let mut action = HeaderAppendAction::OverwriteIfExistsOrAdd;
    let key = Bytes::copy_from_slice(name.as_str().as_bytes());
    for value in headers.get_all(name) {
        let value = Bytes::copy_from_slice(value.as_bytes());
        mutation.set_headers.push(option(key.clone(), value, action));
        action = HeaderAppendAction::AppendIfExistsOrAdd;
    }
}

/// Sets one header, whatever it was.
pub(super) fn set(mutation: &mut HeaderMutation, name: &'static str, value: impl Into<Bytes>) {
    let action = HeaderAppendAction::OverwriteIfExistsOrAdd;
    let key = Bytes::from_static(name.as_bytes());
    mutation.set_headers.push(option(key, value.into(), action));
}

fn option(key: Bytes, value: Bytes, action: HeaderAppendAction) -> SetHeader {
    SetHeader {
        header: Some(Header {
            key,
            value: Bytes::new(),
            raw_value: value,
        }),
        append_action: action.into(),
        // An empty value is a value.
        keep_empty_value: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envoy(pairs: &[(&str, &[u8])]) -> Option<Headers> {
        let headers = pairs.iter().map(|(name, value)| Header {
            key: Bytes::copy_from_slice(name.as_bytes()),
            value: Bytes::new(),
            raw_value: Bytes::copy_from_slice(value),
        });
        Some(Headers {
            headers: headers.collect(),
        })
    }

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    fn list(pairs: &[(&str, &str)]) -> Listed {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        head(envoy(&pairs)).listed
    }

    fn said(mutation: &HeaderMutation) -> Vec<(String, Vec<u8>, i32)> {
        let mut said: Vec<_> = mutation
            .set_headers
            .iter()
            .map(|option| {
                let header = option.header.clone().unwrap();
                (
                    super::text(header.key),
                    header.raw_value.to_vec(),
                    option.append_action,
                )
            })
            .collect();
        said.sort_by(|a, b| a.0.cmp(&b.0));
        said
    }

    #[test]
    fn heads_keep_duplicates_and_bytes() {
        let mut sent = envoy(&[
            (":method", b"POST"),
            (":path", b"/v1/x?y=1"),
            (":authority", b"a:1"),
            (":scheme", b"http"),
            ("x-twice", b"1"),
            ("x-twice", b"2"),
            ("x-bytes", b"\xff\xfe"),
            ("bad name", b"1"),
            ("x-bad", b"a\nb"),
            ("X-Upper", b""),
        ]);
        sent.as_mut().unwrap().headers.push(Header {
            key: Bytes::from_static(b"x-text"),
            value: Bytes::from_static(b"old form"),
            raw_value: Bytes::new(),
        });
        let head = head(sent);
        assert_eq!(
            [head.method, head.path, head.authority].map(super::text),
            ["POST", "/v1/x?y=1", "a:1"]
        );
        assert_eq!(head.headers.get_all("x-twice").iter().count(), 2);
        assert_eq!(head.headers["x-bytes"].as_bytes(), b"\xff\xfe");
        assert_eq!(head.headers["x-text"], "old form");
        assert_eq!(head.headers["x-upper"], "");
        assert_eq!(head.headers.len(), 5, "{:?}", head.headers);
        let keys = head.listed.headers.iter().map(|header| header.key.clone());
        let listed: Vec<_> = keys.map(super::text).collect();
        assert_eq!(listed, ["x-twice", "x-twice", "x-bytes", "x-upper", "x-text"]);
        assert_eq!(difference(head.listed, &head.headers), HeaderMutation::default());
    }

    #[test]
    fn only_what_differs_is_said() {
        let from = list(&[
            ("authorization", "Bearer client"),
            ("authorization", "another"),
            ("accept", "*/*"),
            ("x-twice", "1"),
            ("x-twice", "2"),
            ("x-other", "1"),
            ("content-length", "7"),
        ]);
        let to = map(&[
            ("accept", "*/*"),
            ("x-twice", "1"),
            ("x-twice", "2"),
            ("x-other", "1"),
            ("x-other", "2"),
            ("x-new", ""),
        ]);
        let mutation = difference(from, &to);
        assert_eq!(mutation.remove_headers, ["authorization"]);
        let (overwrite, append) = (
            HeaderAppendAction::OverwriteIfExistsOrAdd as i32,
            HeaderAppendAction::AppendIfExistsOrAdd as i32,
        );
        assert_eq!(
            said(&mutation),
            [
                ("x-new".to_owned(), vec![], overwrite),
                ("x-other".to_owned(), b"1".to_vec(), overwrite),
                ("x-other".to_owned(), b"2".to_vec(), append),
            ]
        );
    }

    #[test]
    fn fewer_values_are_said_anew() {
        let mutation = difference(list(&[("a", "1"), ("a", "2")]), &map(&[("a", "1")]));
        assert_eq!(
            (mutation.set_headers.len(), mutation.remove_headers.len()),
            (1, 0)
        );
    }

    #[test]
    fn order_of_values_counts() {
        let (from, to) = (list(&[("a", "1"), ("a", "2")]), map(&[("a", "2"), ("a", "1")]));
        assert_eq!(difference(from, &to).set_headers.len(), 2);
    }
}
