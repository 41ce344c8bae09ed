//! Credential and request in, header edits out; synchronous and pure.

use aigw_config::{BackendAuth, Credentials};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Why a request could not be signed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SignError {
    /// The credential is not known (not loaded, or its source is empty). Say where it comes from.
    #[error("the credential `{0}` is not available; check its environment variable, file or Secret")]
    Missing(String),
    /// The credential's text cannot stand in a header. Correct its source.
    #[error(
        "the credential `{0}` holds characters that a header cannot carry; check its source for line breaks"
    )]
    Malformed(String),
}

/// Puts the backend's credential into `headers`.
pub fn sign(auth: &BackendAuth, credentials: &Credentials, headers: &mut HeaderMap) -> Result<(), SignError> {
    match auth {
        BackendAuth::None | BackendAuth::Passthrough => Ok(()),
        BackendAuth::Bearer(id) => place(headers, header::AUTHORIZATION, "Bearer ", id, credentials),
        BackendAuth::Header(name, id) => place(headers, name.clone(), "", id, credentials),
    }
}

fn place(
    headers: &mut HeaderMap,
    name: HeaderName,
    before: &str,
    id: &str,
    credentials: &Credentials,
) -> Result<(), SignError> {
    let secret = credentials
        .find(id)
        .filter(|secret| !secret.is_empty())
        .ok_or_else(|| SignError::Missing(id.to_owned()))?;
    let mut value = HeaderValue::try_from([before, secret.reveal()].concat())
        .map_err(|_| SignError::Malformed(id.to_owned()))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use aigw_config::Secret;

    use super::*;

    #[test]
    fn keys_go_where_the_backend_wants_them() {
        let mut credentials = Credentials::default();
        credentials.insert("a", Secret::new("k1\n"));
        credentials.insert("bad", Secret::new("k\n1"));
        let mut headers = HeaderMap::new();
        assert_eq!(
            sign(&BackendAuth::Bearer("a".into()), &credentials, &mut headers),
            Ok(())
        );
        assert_eq!(
            headers.get("authorization").map(HeaderValue::as_bytes),
            Some(b"Bearer k1".as_slice())
        );
        let header = BackendAuth::Header(HeaderName::from_static("x-api-key"), "a".into());
        assert_eq!(sign(&header, &credentials, &mut headers), Ok(()));
        assert!(
            headers
                .get("x-api-key")
                .is_some_and(|value| value.is_sensitive() && value == "k1")
        );
        let missing = sign(&BackendAuth::Bearer("b".into()), &credentials, &mut headers);
        assert_eq!(missing, Err(SignError::Missing("b".into())));
        let bad = sign(&BackendAuth::Bearer("bad".into()), &credentials, &mut headers);
        assert_eq!(bad, Err(SignError::Malformed("bad".into())));
    }
}
