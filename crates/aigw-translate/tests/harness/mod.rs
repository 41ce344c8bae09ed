//! What a golden vector is and how it is checked.

mod case;
mod checks;
mod compare;
mod frames;

pub use case::Case;
pub use checks::{check_error, check_request, check_response, check_stream};
