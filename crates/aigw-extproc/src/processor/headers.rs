//! Headers between Envoy's messages and the engine: duplicates kept, any bytes, and only what differs is said.

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{
    HeaderMap as EnvoyHeaders, HeaderValue as EnvoyHeader, HeaderValueOption,
};
use envoy_types::pb::envoy::service::ext_proc::v3::HeaderMutation;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};

/// A head as Envoy sends it.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub method: String,
    pub path: String,
    pub authority: String,
    pub status: String,
    pub headers: HeaderMap,
}

/// Takes a head apart. Names and values that HTTP does not know are left out.
pub(super) fn head(envoy: Option<EnvoyHeaders>) -> Head {
    let envoy = envoy.unwrap_or_default().headers;
    let mut head = Head {
        headers: HeaderMap::with_capacity(envoy.len()),
        ..Head::default()
    };
    for EnvoyHeader {
        key,
        value,
        raw_value,
    } in envoy
    {
        let raw = if raw_value.is_empty() {
            value.into_bytes()
        } else {
            raw_value
        };
        let pseudo = match key.as_str() {
            ":method" => &mut head.method,
            ":path" => &mut head.path,
            ":authority" => &mut head.authority,
            ":status" => &mut head.status,
            _ => {
                if let Ok(name) = HeaderName::from_bytes(key.as_bytes())
                    && let Ok(value) = HeaderValue::from_maybe_shared(bytes::Bytes::from(raw))
                {
                    head.headers.append(name, value);
                }
                continue;
            }
        };
        *pseudo = String::from_utf8(raw).unwrap_or_default();
    }
    head
}

/// Names of the trailers that Envoy announces.
pub(super) fn names(envoy: Option<EnvoyHeaders>) -> Vec<String> {
    envoy
        .unwrap_or_default()
        .headers
        .into_iter()
        .map(|header| header.key)
        .collect()
}

/// What turns `from` into `to`. `content-length` is not looked at: whoever knows the body says it.
pub(super) fn difference(from: &HeaderMap, to: &HeaderMap) -> HeaderMutation {
    let mut mutation = HeaderMutation::default();
    for name in from.keys() {
        if name != CONTENT_LENGTH && !to.contains_key(name) {
            mutation.remove_headers.push(name.as_str().to_owned());
        }
    }
    for name in to.keys() {
        if name == CONTENT_LENGTH || from.get_all(name) == to.get_all(name) {
            continue;
        }
        push_all(&mut mutation, to, name);
    }
    mutation
}

/// All of `headers` but `content-length`.
pub(super) fn all(headers: &HeaderMap) -> HeaderMutation {
    difference(&HeaderMap::new(), headers)
}

fn push_all(mutation: &mut HeaderMutation, headers: &HeaderMap, name: &HeaderName) {
    let mut action = HeaderAppendAction::OverwriteIfExistsOrAdd;
    for value in headers.get_all(name) {
        mutation
            .set_headers
            .push(option(name.as_str(), value.as_bytes(), action));
        action = HeaderAppendAction::AppendIfExistsOrAdd;
    }
}

/// Sets one header, whatever it was.
pub(super) fn set(mutation: &mut HeaderMutation, name: &str, value: &[u8]) {
    let action = HeaderAppendAction::OverwriteIfExistsOrAdd;
    mutation.set_headers.push(option(name, value, action));
}

fn option(name: &str, value: &[u8], action: HeaderAppendAction) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(EnvoyHeader {
            key: name.to_owned(),
            raw_value: value.to_vec(),
            ..EnvoyHeader::default()
        }),
        append_action: action.into(),
        // An empty value is a value.
        keep_empty_value: true,
        ..HeaderValueOption::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envoy(pairs: &[(&str, &[u8])]) -> Option<EnvoyHeaders> {
        let headers = pairs.iter().map(|(name, value)| EnvoyHeader {
            key: (*name).to_owned(),
            raw_value: value.to_vec(),
            ..EnvoyHeader::default()
        });
        Some(EnvoyHeaders {
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

    fn said(mutation: &HeaderMutation) -> Vec<(String, Vec<u8>, i32)> {
        let mut said: Vec<_> = mutation
            .set_headers
            .iter()
            .map(|option| {
                let header = option.header.clone().unwrap();
                (header.key, header.raw_value, option.append_action)
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
        ]);
        sent.as_mut().unwrap().headers.push(EnvoyHeader {
            key: "x-text".to_owned(),
            value: "old form".to_owned(),
            ..EnvoyHeader::default()
        });
        let head = head(sent);
        assert_eq!(
            (head.method.as_str(), head.path.as_str(), head.authority.as_str()),
            ("POST", "/v1/x?y=1", "a:1")
        );
        assert_eq!(head.headers.get_all("x-twice").iter().count(), 2);
        assert_eq!(head.headers["x-bytes"].as_bytes(), b"\xff\xfe");
        assert_eq!(head.headers["x-text"], "old form");
        assert_eq!(head.headers.len(), 4, "{:?}", head.headers);
    }

    #[test]
    fn only_what_differs_is_said() {
        let from = map(&[
            ("authorization", "Bearer client"),
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
        let mutation = difference(&from, &to);
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
    fn order_of_values_counts() {
        let (from, to) = (map(&[("a", "1"), ("a", "2")]), map(&[("a", "2"), ("a", "1")]));
        assert_eq!(difference(&from, &to).set_headers.len(), 2);
    }
}
