//! Members of a JSON object, taken one by one; what nobody takes is what the representation has no word for.
//!
//! A member that is null counts as absent. A member of a wrong type is refused with its path.

use serde_json::{Map, Number, Value};

use crate::ir::{CacheMarker, DialectId, Error, Extra, Place};

/// A request that cannot be understood because of one member.
pub(super) fn invalid(param: String, message: impl Into<String>) -> Error {
    Error {
        status: 400,
        kind: crate::ir::ErrorKind::InvalidRequest,
        message: message.into(),
        code: None,
        param: (!param.is_empty()).then_some(param),
        request_id: None,
        opaque: None,
    }
}

/// How the vendor writes the path of a member: `messages[0].content[1].text`.
pub(super) fn path(place: Place, name: &str) -> String {
    let mut out = String::new();
    for step in place.pointer().split('/').skip(1) {
        if step.bytes().all(|byte| byte.is_ascii_digit()) {
            out.push_str(&format!("[{step}]"));
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(step);
        }
    }
    if !out.is_empty() && !name.is_empty() {
        out.push('.');
    }
    out.push_str(name);
    out
}

/// The members of an object that were not taken yet.
#[derive(Debug)]
pub(super) struct Fields {
    map: Map<String, Value>,
    place: Place,
    /// Name of the object inside the element at `place`, empty for the element itself.
    inside: &'static str,
}

impl Fields {
    /// The members of the object at `place`.
    pub(super) fn new(map: Map<String, Value>, place: Place) -> Self {
        Self {
            map,
            place,
            inside: "",
        }
    }

    /// The same from a value that must be an object.
    pub(super) fn of(value: Value, place: Place) -> Result<Self, Error> {
        match value {
            Value::Object(map) => Ok(Self::new(map, place)),
            _ => {
                let path = path(place, "");
                let message = format!("{path} must be an object.");
                Err(invalid(path, message))
            }
        }
    }

    /// Where the object stands.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// An error about a member.
    pub(super) fn wrong(&self, name: &str, must: &str) -> Error {
        let path = match self.inside {
            "" => path(self.place, name),
            inside => path(self.place, &format!("{inside}.{name}")),
        };
        let message = format!("{path} {must}.");
        invalid(path, message)
    }

    /// True when the member is there and not null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    /// Looks at a member.
    pub(super) fn peek(&self, name: &str) -> Option<&Value> {
        self.map.get(name)
    }

    /// Takes a member.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.map.shift_remove(name).filter(|value| !value.is_null())
    }

    /// Puts a member back.
    pub(super) fn put(&mut self, name: &str, value: Value) {
        self.map.insert(name.to_owned(), value);
    }

    /// Takes a text.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "must be a string")),
        }
    }

    /// Takes a text that is not empty; anything else stays.
    pub(super) fn lenient_text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text),
            other => {
                self.put(name, other);
                None
            }
        }
    }

    /// Takes a text that must be there.
    pub(super) fn required(&mut self, name: &str) -> Result<String, Error> {
        self.text(name)?.ok_or_else(|| self.wrong(name, "is required"))
    }

    /// Takes a truth value.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(name, "must be true or false")),
        }
    }

    /// Takes a number.
    pub(super) fn number(&mut self, name: &str) -> Result<Option<Number>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number)),
            Some(_) => Err(self.wrong(name, "must be a number")),
        }
    }

    /// Takes a whole number.
    pub(super) fn count(&mut self, name: &str) -> Result<Option<u64>, Error> {
        let Some(number) = self.number(name)? else {
            return Ok(None);
        };
        whole(&number)
            .map(Some)
            .ok_or_else(|| self.wrong(name, "must be a whole number that is not negative"))
    }

    /// Takes a list.
    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(self.wrong(name, "must be an array")),
        }
    }

    /// Takes an object.
    pub(super) fn object(&mut self, name: &'static str) -> Result<Option<Self>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Self {
                map,
                place: self.place,
                inside: name,
            })),
            Some(_) => Err(self.wrong(name, "must be an object")),
        }
    }

    /// Puts back what is left of a nested object; the encoder merges it into that object again.
    pub(super) fn put_rest(&mut self, name: &str, rest: Self) {
        let map = rest.into_map();
        if !map.is_empty() {
            self.map.insert(name.to_owned(), Value::Object(map));
        }
    }

    /// Takes `cache_control`; one that is no object stays.
    pub(super) fn cache(&mut self) -> Option<CacheMarker> {
        let mut map = match self.take("cache_control")? {
            Value::Object(map) => map,
            other => {
                self.put("cache_control", other);
                return None;
            }
        };
        if map.get("type").is_some_and(|kind| kind == "ephemeral") {
            map.shift_remove("type");
        }
        let ttl = match map.shift_remove("ttl") {
            Some(Value::String(ttl)) => Some(ttl),
            _ => None,
        };
        let extra = Extra::new(DialectId::OpenAiChat, map);
        Some(CacheMarker { ttl, extra })
    }

    /// What nobody took, without nulls.
    pub(super) fn into_map(mut self) -> Map<String, Value> {
        self.map.retain(|_, value| !value.is_null());
        self.map
    }

    /// What nobody took, for the representation.
    pub(super) fn rest(self) -> Extra {
        Extra::new(DialectId::OpenAiChat, self.into_map())
    }
}

/// A number that is whole and not negative, however it is written.
pub(super) fn whole(number: &Number) -> Option<u64> {
    number.as_u64().or_else(|| {
        let number = number.as_f64()?;
        // 2^53: above it not every whole number is exact.
        let exact = number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number);
        exact.then_some(number as u64)
    })
}
