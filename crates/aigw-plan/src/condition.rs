//! A condition of an object or of a part of it.

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    True,
    False,
    Unknown,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) kind: &'static str,
    pub(crate) state: State,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

impl Condition {
    pub(crate) fn is(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            state: State::True,
            reason,
            message: message.into(),
        }
    }

    pub(crate) fn is_not(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            state: State::False,
            ..Self::is(kind, reason, message)
        }
    }

    pub(crate) fn unknown(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            state: State::Unknown,
            ..Self::is(kind, reason, message)
        }
    }

    pub(crate) fn holds(&self) -> bool {
        self.state == State::True
    }

    /// The first that does not hold, False before Unknown; else the first.
    pub(crate) fn all(of: &[Self]) -> Option<Self> {
        let rank = |one: &Self| match one.state {
            State::False => 0,
            State::Unknown => 1,
            State::True => 2,
        };
        of.iter().min_by_key(|one| rank(one)).cloned()
    }
}
