//! Operations: what a client may ask for.
