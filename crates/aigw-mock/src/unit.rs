//! Durations and sizes as people write them: `200ms`, `1.5s`, `64KiB`.

use std::time::Duration;

/// Reads `500us`, `200ms`, `1.5s`, `2m`; a bare number is milliseconds.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text);
    let scale = match unit {
        "us" => 1e-6,
        "ms" | "" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    let seconds = number.parse::<f64>().ok()? * scale;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Reads `300`, `64k`, `64KiB`, `8MiB`, `1GiB` as bytes.
pub(crate) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text);
    let scale = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

fn split(text: &str) -> (&str, &str) {
    let at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    text.split_at(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("200ms"), Some(Duration::from_millis(200)));
        assert_eq!(duration("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("7"), Some(Duration::from_millis(7)));
        assert_eq!(duration("7h"), None);
        assert_eq!(duration("ms"), None);
    }

    #[test]
    fn sizes() {
        assert_eq!(size("300"), Some(300));
        assert_eq!(size("1GiB"), Some(1 << 30));
        assert_eq!(size("64k"), Some(65536));
        assert_eq!(size("x"), None);
    }
}
