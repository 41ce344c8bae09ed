//! Sizes and durations as people write them: `32MiB`, `1500ms`, `2m30s`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number of bytes. Reads an integer (bytes) or text with `KiB`/`MiB`/`GiB`, `Ki`/`Mi`/`Gi` or `KB`/`MB`/`GB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A duration in milliseconds. Reads an integer (seconds) or Gateway API's form: up to four of `<digits>(h|m|s|ms)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// The same span as the standard library's type.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(split);
        let number: u64 = digits.parse().map_err(|_| size_error(text))?;
        let factor: u64 = match unit.trim() {
            "" | "B" => 1,
            "KiB" | "Ki" => 1 << 10,
            "MiB" | "Mi" => 1 << 20,
            "GiB" | "Gi" => 1 << 30,
            "KB" | "k" => 1_000,
            "MB" | "M" => 1_000_000,
            "GB" | "G" => 1_000_000_000,
            _ => return Err(size_error(text)),
        };
        number
            .checked_mul(factor)
            .map(Size)
            .ok_or_else(|| size_error(text))
    }
}

fn size_error(text: &str) -> String {
    format!("`{text}` is not a size; write bytes or a number with KiB, MiB or GiB, such as 32MiB")
}

impl std::str::FromStr for Millis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a duration; write it like 300ms, 30s, 5m or 1h30m");
        let mut rest = text.trim();
        let mut total: u64 = 0;
        let mut parts = 0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
            let number: u64 = rest.get(..digits).and_then(|d| d.parse().ok()).ok_or_else(bad)?;
            let tail = rest.get(digits..).unwrap_or_default();
            let (unit, factor) = if tail.starts_with("ms") {
                ("ms", 1)
            } else if tail.starts_with('s') {
                ("s", 1_000)
            } else if tail.starts_with('m') {
                ("m", 60_000)
            } else if tail.starts_with('h') {
                ("h", 3_600_000)
            } else {
                return Err(bad());
            };
            total = number
                .checked_mul(factor)
                .and_then(|n| total.checked_add(n))
                .ok_or_else(bad)?;
            rest = tail.strip_prefix(unit).unwrap_or_default();
            parts += 1;
        }
        if parts == 0 || parts > 4 {
            Err(bad())
        } else {
            Ok(Millis(total))
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n >= 1 << 30 && n.is_multiple_of(1 << 30) => write!(f, "{}GiB", n >> 30),
            n if n >= 1 << 20 && n.is_multiple_of(1 << 20) => write!(f, "{}MiB", n >> 20),
            n if n >= 1 << 10 && n.is_multiple_of(1 << 10) => write!(f, "{}KiB", n >> 10),
            n => write!(f, "{n}"),
        }
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1_000) {
            write!(f, "{}s", self.0 / 1_000)
        } else {
            write!(f, "{}ms", self.0)
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

struct QuantityVisitor<T> {
    expecting: &'static str,
    integer: fn(u64) -> T,
    text: fn(&str) -> Result<T, String>,
}

impl<T> de::Visitor<'_> for QuantityVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        Ok((self.integer)(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        u64::try_from(value)
            .map(self.integer)
            .map_err(|_| E::custom("must not be negative"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<T, E> {
        (self.text)(value).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor {
            expecting: "a size such as 32MiB",
            integer: Size,
            text: |text| text.parse(),
        })
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor {
            expecting: "a duration such as 30s",
            integer: |seconds| Millis(seconds.saturating_mul(1_000)),
            text: |text| text.parse(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_read_as_people_write_them() {
        assert_eq!("32MiB".parse(), Ok(Size(32 << 20)));
        assert_eq!("50Mi".parse(), Ok(Size(50 << 20)));
        assert_eq!("17".parse(), Ok(Size(17)));
        assert!("32 parsecs".parse::<Size>().is_err());
        assert!("99999999999GiB".parse::<Size>().is_err());
        assert_eq!("1h30m".parse(), Ok(Millis(5_400_000)));
        assert_eq!("250ms".parse(), Ok(Millis(250)));
        assert_eq!("1m250ms".parse(), Ok(Millis(60_250)));
        for bad in ["", "5", "s", "1d", "1h1h1h1h1h"] {
            assert!(bad.parse::<Millis>().is_err(), "{bad}");
        }
        assert_eq!(Size(32 << 20).to_string(), "32MiB");
        assert_eq!(Millis(1_500).to_string(), "1500ms");
    }
}
