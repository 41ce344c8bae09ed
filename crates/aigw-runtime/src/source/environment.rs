//! A configuration out of environment variables alone: every provider whose key is set.

use aigw_config::{
    Auth, BackendRef, BackendSpec, Credentials, Diagnostics, Document, HeaderMutation, HeaderSet, ModelMatch,
    Origin, RouteSpec, RuleSpec, Secret, SecretSource,
};

use super::expand::Environment;
use super::load::Loaded;

/// One provider and the variables that configure it. Empty names mean that there is no such variable.
#[derive(Clone, Copy, Debug)]
pub struct PresetEnv<'a> {
    /// The preset's id; the backend gets the same name.
    pub preset: &'a str,
    /// Holds the key.
    pub key_var: &'a str,
    /// Holds a base URL in place of the preset's; alone it configures the provider without a key.
    pub url_var: &'a str,
    /// What the vendor's own SDKs put behind that base URL before the path of an operation (`v1`), unless it ends in it
    /// already; empty when they put nothing.
    pub url_suffix: &'a str,
    /// Variables whose values go along as headers: variable and header.
    pub headers: &'a [(&'a str, &'a str)],
    /// Models it is known for, exact or with a `*` at the end, for when several providers are configured.
    pub models: &'a [&'a str],
}

/// Configures the providers of `presets` that the environment has keys for. Models go to the provider that is known for
/// them, all others to the first one. `Err` when there is none.
pub fn load_environment(
    presets: &[PresetEnv<'_>],
    environment: Environment<'_>,
) -> Result<Loaded, Diagnostics> {
    let origin = Origin::new("environment", 0);
    let said = |name: &str| {
        let value = (!name.is_empty()).then(|| environment(name)).flatten();
        value.filter(|value| !value.trim().is_empty())
    };
    let mut credentials = Credentials::default();
    let mut backends = Vec::new();
    let mut configured = Vec::new();
    for row in presets {
        let (key, url) = (said(row.key_var), said(row.url_var));
        if key.is_none() && url.is_none() {
            continue;
        }
        let mut backend = BackendSpec {
            name: row.preset.to_owned(),
            provider: Some(row.preset.to_owned()),
            url: url.map(|url| with_suffix(url.trim(), row.url_suffix)),
            header_mutation: HeaderMutation {
                set: headers(row, &said),
                remove: Vec::new(),
            },
            origin: origin.clone(),
            ..BackendSpec::default()
        };
        match key {
            Some(key) => {
                credentials.insert(backend.credential_id(), Secret::new(key));
                backend.api_key = Some(SecretSource::Env {
                    env: row.key_var.to_owned(),
                });
            }
            None => backend.auth = Some(Auth::None),
        }
        backends.push(backend);
        configured.push(row);
    }
    let Some(first) = configured.first() else {
        return Err(nothing(presets, &origin));
    };
    let document = Document {
        routes: vec![RouteSpec {
            name: "environment".to_owned(),
            rules: rules(&configured, first.preset),
            origin,
            ..RouteSpec::default()
        }],
        backends,
        ..Document::default()
    };
    Ok(Loaded {
        document,
        credentials,
        diagnostics: Diagnostics::default(),
        files_watched: Vec::new(),
        tolerated: Vec::new(),
    })
}

fn with_suffix(url: &str, suffix: &str) -> String {
    let bare = url.trim_end_matches('/');
    let there = suffix.is_empty() || bare.rsplit('/').next() == Some(suffix);
    if there {
        url.to_owned()
    } else {
        format!("{bare}/{suffix}")
    }
}

fn headers(row: &PresetEnv<'_>, said: &dyn Fn(&str) -> Option<String>) -> Vec<HeaderSet> {
    let pairs = row.headers.iter();
    pairs
        .filter_map(|(variable, name)| {
            said(variable).map(|value| HeaderSet {
                name: (*name).to_owned(),
                value: value.trim().to_owned(),
            })
        })
        .collect()
}

/// A rule a provider for the models that it is known for, then one for everything else.
fn rules(configured: &[&PresetEnv<'_>], first: &str) -> Vec<RuleSpec> {
    let to = |preset: &str, models: &[&str]| RuleSpec {
        models: models
            .iter()
            .map(|model| ModelMatch::Text((*model).to_owned()))
            .collect(),
        backends: vec![BackendRef::to(preset)],
        ..RuleSpec::default()
    };
    let mut rules: Vec<RuleSpec> = Vec::new();
    if configured.len() > 1 {
        let known = configured.iter().filter(|row| !row.models.is_empty());
        rules.extend(known.map(|row| to(row.preset, row.models)));
    }
    rules.push(to(first, &[]));
    rules
}

fn nothing(presets: &[PresetEnv<'_>], origin: &Origin) -> Diagnostics {
    let variables: Vec<&str> = presets
        .iter()
        .map(|row| row.key_var)
        .filter(|name| !name.is_empty())
        .collect();
    let mut findings = Diagnostics::default();
    let message = format!(
        "no provider is configured; set a key ({}), name a configuration file, or try `--demo`",
        variables.join(", ")
    );
    findings.error(origin, "providers", "", message);
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [PresetEnv<'_>; 3] = [
        PresetEnv {
            preset: "first",
            key_var: "FIRST_API_KEY",
            url_var: "FIRST_BASE_URL",
            url_suffix: "",
            headers: &[("FIRST_ORG", "X-Org")],
            models: &["one-*"],
        },
        PresetEnv {
            preset: "second",
            key_var: "SECOND_API_KEY",
            url_var: "SECOND_BASE_URL",
            url_suffix: "v1",
            headers: &[],
            models: &["two-*", "deux"],
        },
        PresetEnv {
            preset: "third",
            key_var: "",
            url_var: "THIRD_HOST",
            url_suffix: "",
            headers: &[],
            models: &[],
        },
    ];

    fn loaded(variables: &[(&str, &str)]) -> Result<Loaded, Diagnostics> {
        load_environment(&ROWS, &|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn one_provider_takes_everything() {
        let loaded = loaded(&[
            ("FIRST_API_KEY", "sk-1\n"),
            ("FIRST_ORG", "org"),
            ("SECOND_API_KEY", " "),
        ])
        .unwrap();
        let [backend] = loaded.document.backends.as_slice() else {
            panic!("one backend");
        };
        assert_eq!(
            (backend.provider.as_deref(), backend.url.as_deref()),
            (Some("first"), None)
        );
        assert_eq!(backend.header_mutation.set[0].name, "X-Org");
        assert_eq!(loaded.credentials.find("backend/first").unwrap().reveal(), "sk-1");
        let rules = &loaded.document.routes[0].rules;
        assert_eq!((rules.len(), rules[0].models.len()), (1, 0));
    }

    #[test]
    fn several_take_what_they_are_known_for_and_the_first_takes_the_rest() {
        let loaded = loaded(&[
            ("FIRST_API_KEY", "a"),
            ("SECOND_API_KEY", "b"),
            ("SECOND_BASE_URL", "https://p.example/x/"),
            ("THIRD_HOST", "http://h:1"),
        ])
        .unwrap();
        let names: Vec<_> = loaded.document.backends.iter().map(|b| b.name.as_str()).collect();
        assert_eq!(names, ["first", "second", "third"]);
        assert_eq!(
            loaded.document.backends[1].url.as_deref(),
            Some("https://p.example/x/v1")
        );
        assert_eq!(loaded.document.backends[2].auth, Some(Auth::None));
        let rules: Vec<_> = loaded.document.routes[0]
            .rules
            .iter()
            .map(|rule| (rule.backends[0].name.as_str(), rule.models.len()))
            .collect();
        assert_eq!(rules, [("first", 1), ("second", 2), ("first", 0)]);
    }

    #[test]
    fn the_suffix_is_not_put_twice() {
        assert_eq!(with_suffix("https://h/v1", "v1"), "https://h/v1");
        assert_eq!(with_suffix("https://h", "v1"), "https://h/v1");
        assert_eq!(with_suffix("https://h/", ""), "https://h/");
    }

    #[test]
    fn without_a_provider_the_variables_are_named() {
        let text = loaded(&[]).unwrap_err().to_string();
        assert!(text.contains("FIRST_API_KEY, SECOND_API_KEY"), "{text}");
    }
}
