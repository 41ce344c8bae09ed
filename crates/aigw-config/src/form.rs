//! How values that may be written in several ways are read and shown.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::diagnostic::Origin;
use crate::document::{Auth, CredentialSpec, ModelMatch, SecretSource};

/// What stands in place of inline secrets wherever a document is shown.
const REDACTED: &str = "[redacted]";

/// `auth` as it is written: an object, or its `type` alone (`auth: passthrough`).
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub(crate) struct AuthForm {
    #[serde(rename = "type")]
    kind: AuthType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum AuthType {
    None,
    Passthrough,
    ApiKey,
    Bearer,
    Header,
}

impl Serialize for AuthForm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for AuthForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = AuthForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`none`, `passthrough` or an object with `type`")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<AuthForm, E> {
                let kind = AuthType::deserialize(de::value::StrDeserializer::new(word))?;
                Ok(AuthForm {
                    kind,
                    name: None,
                    credential: None,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AuthForm, A::Error> {
                AuthForm::deserialize(de::value::MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl TryFrom<AuthForm> for Auth {
    type Error = &'static str;

    fn try_from(form: AuthForm) -> Result<Self, Self::Error> {
        let AuthForm {
            kind,
            name,
            credential,
        } = form;
        match (kind, name) {
            (AuthType::Header, Some(name)) => Ok(Self::Header { name, credential }),
            (AuthType::Header, None) => {
                Err("`type: header` needs `name`, the header that takes the credential")
            }
            (_, Some(_)) => Err("`name` belongs to `type: header` alone; remove it"),
            (AuthType::None | AuthType::Passthrough, _) if credential.is_some() => {
                Err("this `type` takes no `credential`; remove it, or use apiKey, bearer or header")
            }
            (AuthType::None, None) => Ok(Self::None),
            (AuthType::Passthrough, None) => Ok(Self::Passthrough),
            (AuthType::ApiKey, None) => Ok(Self::ApiKey { credential }),
            (AuthType::Bearer, None) => Ok(Self::Bearer { credential }),
        }
    }
}

impl From<Auth> for AuthForm {
    fn from(auth: Auth) -> Self {
        let (kind, name, credential) = match auth {
            Auth::None => (AuthType::None, None, None),
            Auth::Passthrough => (AuthType::Passthrough, None, None),
            Auth::ApiKey { credential } => (AuthType::ApiKey, None, credential),
            Auth::Bearer { credential } => (AuthType::Bearer, None, credential),
            Auth::Header { name, credential } => (AuthType::Header, Some(name), credential),
        };
        Self {
            kind,
            name,
            credential,
        }
    }
}

/// A credential as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CredentialForm {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    env: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

impl TryFrom<CredentialForm> for CredentialSpec {
    type Error = &'static str;

    fn try_from(form: CredentialForm) -> Result<Self, Self::Error> {
        Ok(Self {
            source: one_source(form.value, form.env, form.file)?,
            name: form.name,
            origin: Origin::default(),
        })
    }
}

impl From<CredentialSpec> for CredentialForm {
    fn from(spec: CredentialSpec) -> Self {
        let mut form = Self {
            name: spec.name,
            value: None,
            env: None,
            file: None,
        };
        match spec.source {
            SecretSource::Text(_) | SecretSource::Value { .. } => form.value = Some(REDACTED.to_owned()),
            SecretSource::Env { env } => form.env = Some(env),
            SecretSource::File { file } => form.file = Some(file),
        }
        form
    }
}

fn one_source(
    value: Option<String>,
    env: Option<String>,
    file: Option<String>,
) -> Result<SecretSource, &'static str> {
    match (value, env, file) {
        (Some(value), None, None) => Ok(SecretSource::Value { value }),
        (None, Some(env), None) => Ok(SecretSource::Env { env }),
        (None, None, Some(file)) => Ok(SecretSource::File { file }),
        _ => Err("needs exactly one of `value`, `env` and `file`"),
    }
}

impl Serialize for SecretSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pair = match self {
            Self::Text(_) => return serializer.serialize_str(REDACTED),
            Self::Value { .. } => ("value", REDACTED),
            Self::Env { env } => ("env", env.as_str()),
            Self::File { file } => ("file", file.as_str()),
        };
        serializer.collect_map([pair])
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SourceVisitor;

        impl<'de> Visitor<'de> for SourceVisitor {
            type Value = SecretSource;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, `{env: VAR}` or `{file: PATH}`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(SecretSource::Text(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                Ok(SecretSource::Text(number.to_string()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut value, mut env, mut file) = (None, None, None);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "value" => value = Some(map.next_value()?),
                        "env" => env = Some(map.next_value()?),
                        "file" => file = Some(map.next_value()?),
                        _ => drop(map.next_value::<de::IgnoredAny>()?),
                    }
                }
                one_source(value, env, file).map_err(de::Error::custom)
            }
        }

        deserializer.deserialize_any(SourceVisitor)
    }
}

impl<'de> Deserialize<'de> for ModelMatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MatchVisitor;

        impl<'de> Visitor<'de> for MatchVisitor {
            type Value = ModelMatch;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a model name, `{prefix: …}` or `{regex: …}`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(ModelMatch::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut prefix, mut regex) = (None, None);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "prefix" => prefix = Some(map.next_value()?),
                        "regex" => regex = Some(map.next_value()?),
                        _ => drop(map.next_value::<de::IgnoredAny>()?),
                    }
                }
                match (prefix, regex) {
                    (Some(prefix), None) => Ok(ModelMatch::Prefix { prefix }),
                    (None, Some(regex)) => Ok(ModelMatch::Regex { regex }),
                    _ => Err(de::Error::custom("needs exactly one of `prefix` and `regex`")),
                }
            }
        }

        deserializer.deserialize_any(MatchVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: for<'de> Deserialize<'de>>(json: &str) -> Result<T, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn secrets_are_read_in_every_form_and_never_shown() {
        for (json, shown) in [
            (r#""sk-secret""#, r#""[redacted]""#),
            (r#"{"value":"sk-secret"}"#, r#"{"value":"[redacted]"}"#),
            (r#"{"env":"KEY"}"#, r#"{"env":"KEY"}"#),
            (r#"{"file":"/run/key"}"#, r#"{"file":"/run/key"}"#),
        ] {
            let source: SecretSource = read(json).unwrap();
            assert_eq!(serde_json::to_string(&source).unwrap(), shown);
            assert!(!format!("{source:?}").contains("sk-secret"));
        }
        assert!(read::<SecretSource>(r#"{"env":"A","file":"b"}"#).is_err());
        let named: CredentialSpec = read(r#"{"name":"k","value":"sk-secret"}"#).unwrap();
        assert_eq!(
            serde_json::to_string(&named).unwrap(),
            r#"{"name":"k","value":"[redacted]"}"#
        );
    }

    #[test]
    fn auth_members_that_do_not_fit_the_type_are_refused() {
        assert_eq!(read(r#"{"type":"none"}"#), Ok(Auth::None));
        assert_eq!(
            read(r#"{"type":"bearer"}"#),
            Ok(Auth::Bearer { credential: None })
        );
        for bad in [
            r#"{"type":"header"}"#,
            r#"{"type":"bearer","name":"x"}"#,
            r#"{"type":"none","credential":"x"}"#,
            r#"{"type":"basic"}"#,
        ] {
            assert!(read::<Auth>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn model_conditions_take_one_form() {
        let prefix = ModelMatch::Prefix { prefix: "a".into() };
        assert_eq!(read(r#"{"prefix":"a"}"#), Ok(prefix));
        assert_eq!(read(r#""a*""#), Ok(ModelMatch::Text("a*".into())));
        assert!(read::<ModelMatch>(r#"{"prefix":"a","regex":"b"}"#).is_err());
    }

    #[test]
    fn auth_is_a_word_or_an_object() {
        let read = read::<Auth>;
        assert_eq!(read("\"passthrough\""), Ok(Auth::Passthrough));
        assert_eq!(read("\"none\""), Ok(Auth::None));
        assert_eq!(read("{\"type\":\"passthrough\"}"), Ok(Auth::Passthrough));
        let named = Auth::Bearer {
            credential: Some("a".to_owned()),
        };
        assert_eq!(read("{\"type\":\"bearer\",\"credential\":\"a\"}"), Ok(named));
        assert!(read("\"sometimes\"").is_err_and(|error| error.contains("passthrough")));
        assert_eq!(
            serde_json::to_string(&Auth::Passthrough).unwrap(),
            "{\"type\":\"passthrough\"}"
        );
    }
}
