//! Takes secrets out of a document: their bytes go beside it, under the ids that the snapshot names.

use std::collections::HashMap;
use std::path::PathBuf;

use aigw_config::{Credentials, Diagnostics, Document, Origin, Secret, SecretSource};

use super::expand::Environment;
use super::file;

/// Takes secrets out. Ones that cannot be found are noted.
pub(super) struct Taker<'a> {
    pub(super) environment: Environment<'a>,
    pub(super) findings: &'a mut Diagnostics,
    pub(super) credentials: &'a mut Credentials,
    /// Files that were read, so that they are watched.
    pub(super) files: &'a mut Vec<PathBuf>,
}

impl Taker<'_> {
    /// Takes every secret out of `document`.
    pub(super) fn take(&mut self, document: &mut Document) {
        for one in &mut document.credentials {
            let object = format!("credential \"{}\"", one.name);
            self.one(one.name.clone(), &mut one.source, &one.origin, &object, "");
        }
        for one in &mut document.backends {
            let id = one.credential_id();
            if let Some(source) = &mut one.api_key {
                self.one(
                    id,
                    source,
                    &one.origin,
                    &format!("backend \"{}\"", one.name),
                    "apiKey",
                );
            }
        }
        let mut owners: HashMap<String, String> = HashMap::new();
        for one in document.client_keys.iter_mut().flatten() {
            let id = one.credential_id();
            let object = format!("client key \"{}\"", one.name);
            self.one(id.clone(), &mut one.key, &one.origin, &object, "key");
            let Some(secret) = self.credentials.find(&id) else {
                continue;
            };
            if let Some(other) = owners.insert(secret.reveal().to_owned(), one.name.clone()) {
                let message =
                    format!("is the key of \"{other}\" too, so the two could not be told apart; change one");
                self.findings.error(&one.origin, object, "key", message);
            }
        }
    }

    fn one(&mut self, id: String, source: &mut SecretSource, origin: &Origin, object: &str, field: &str) {
        let found = match source {
            SecretSource::Text(text) | SecretSource::Value { value: text } => {
                let secret = Secret::new(std::mem::take(text));
                *source = SecretSource::taken();
                match secret.is_empty() {
                    true => Err("is empty; give the text, `{env: VAR}` or `{file: PATH}`".to_owned()),
                    false => Ok(secret),
                }
            }
            SecretSource::Env { env } => self.variable(env),
            SecretSource::File { file } => self.file(file, origin),
        };
        match found {
            Ok(secret) => self.credentials.insert(id, secret),
            Err(message) => self.findings.error(origin, object, field, message),
        }
    }

    fn variable(&self, name: &str) -> Result<Secret, String> {
        match (self.environment)(name).map(Secret::new) {
            None => Err(format!("the environment variable {name} is not set; set it")),
            Some(secret) if secret.is_empty() => {
                Err(format!("the environment variable {name} is empty; set it"))
            }
            Some(secret) => Ok(secret),
        }
    }

    fn file(&mut self, path: &str, origin: &Origin) -> Result<Secret, String> {
        let path = file::resolve(path, &origin.file, self.environment);
        let read = file::read(&path);
        let shown = path.display().to_string();
        self.files.push(path);
        let secret = Secret::new(read.map_err(|message| format!("{shown}: {message}"))?);
        match secret.is_empty() {
            true => Err(format!("{shown}: the file is empty")),
            false => Ok(secret),
        }
    }
}
