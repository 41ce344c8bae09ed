//! Where configurations come from: files, directories and the environment, each loaded into one document.

mod expand;
mod node;
mod reader;

pub use expand::Environment;
