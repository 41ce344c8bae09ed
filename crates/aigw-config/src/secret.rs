//! Secret material: readable by the code that signs with it, never printed and never serialised.

use std::collections::HashMap;
use std::fmt;

use zeroize::Zeroizing;

/// A credential's bytes as text. `Debug` shows only its length; there is no `Display` and no `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of the text, without its surrounding white space (a trailing newline in a mounted file is not
    /// part of a key).
    pub fn new(text: impl Into<String>) -> Self {
        let text: String = Zeroizing::new(text.into()).trim().to_owned();
        Self(Zeroizing::new(text))
    }

    /// The secret itself. Call it where the bytes are used, and nowhere else.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// True when there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// Current credentials by id. The snapshot names ids; the bytes travel beside it.
#[derive(Clone, Debug, Default)]
pub struct Credentials(HashMap<String, Secret, foldhash::quality::RandomState>);

impl Credentials {
    /// The secret stored under `id`.
    pub fn find(&self, id: &str) -> Option<&Secret> {
        self.0.get(id)
    }

    /// Stores or replaces the secret under `id`.
    pub fn insert(&mut self, id: impl Into<String>, secret: Secret) {
        self.0.insert(id.into(), secret);
    }

    /// The ids that are known, in no order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Takes all of `other` in; its entries win.
    pub fn extend(&mut self, other: Credentials) {
        self.0.extend(other.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_text() {
        let secret = Secret::new("sk-very-secret\n");
        assert_eq!(secret.reveal(), "sk-very-secret");
        assert_eq!(format!("{secret:?}"), "Secret(14 bytes)");
        let mut table = Credentials::default();
        table.insert("a", secret);
        assert!(!format!("{table:?}").contains("very"));
    }
}
