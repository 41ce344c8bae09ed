//! Where dialects are served.
