//! The formats of snapshots that this build writes and reads.
//!
//! A format is changed only when a reader of the one before would serve something wrong or could not read it. The build that
//! brings format N goes on to write N−1 and to read it, so that operator and data plane may be upgraded in either order; the
//! operator writes the newest format that all pods of a gateway report.

use std::ops::RangeInclusive;

use super::error::ShardError;

/// The newest format that this build writes and reads; pods report it.
pub const FORMAT: u32 = 1;

/// All formats that this build writes and reads. There has been one so far.
pub const FORMATS: RangeInclusive<u32> = 1..=FORMAT;

/// The least format that a reader of `format` must know. Equal to it until a format comes that only adds what older readers
/// may leave out.
const fn min_reader(format: u32) -> u32 {
    format
}

/// Whether this build writes `format`; says which reader it needs.
pub(super) fn writable(format: u32) -> Result<u32, ShardError> {
    match FORMATS.contains(&format) {
        true => Ok(min_reader(format)),
        false => Err(ShardError::Unwritable { format }),
    }
}

/// Whether this build reads what is marked so.
pub(super) fn readable(format: u32, min_reader: u32) -> Result<(), ShardError> {
    if min_reader > *FORMATS.end() {
        return Err(ShardError::TooNew { format, min_reader });
    }
    if format < *FORMATS.start() {
        return Err(ShardError::TooOld { format });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_format_and_the_one_before_are_written_and_read() {
        assert!(*FORMATS.start() == 1 || FORMAT - FORMATS.start() >= 1);
        for format in FORMATS {
            let least = writable(format).unwrap();
            assert!(least <= format);
            readable(format, least).unwrap();
        }
        // A newer format that readers of this one may read.
        readable(FORMAT + 1, FORMAT).unwrap();
    }

    #[test]
    fn what_is_too_new_or_too_old_is_refused_with_what_to_do() {
        let new = readable(FORMAT + 1, FORMAT + 1).unwrap_err().to_string();
        assert!(new.contains("upgrade the data plane"), "{new}");
        let old = readable(FORMATS.start() - 1, 0).unwrap_err().to_string();
        assert!(old.contains("upgrade the operator"), "{old}");
        for format in [FORMATS.start() - 1, FORMAT + 1] {
            assert_eq!(writable(format), Err(ShardError::Unwritable { format }));
        }
    }
}
