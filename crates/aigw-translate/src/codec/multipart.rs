//! Interim: replaced by the real codec.
#![allow(missing_docs, reason = "interim")]
#[derive(Debug, thiserror::Error)]
pub enum MultipartError {
    #[error("bad")]
    Bad,
}
#[derive(Debug)]
pub struct Form;
#[derive(Debug)]
pub struct Part;
impl Part {
    pub fn value<'a>(&self, _b: &'a [u8]) -> &'a [u8] {
        &[]
    }
}
impl Form {
    pub fn field(&self, _n: &str) -> Result<Option<&Part>, MultipartError> {
        Ok(None)
    }
    pub fn replace(&self, b: &[u8], _n: &str, _v: &[u8]) -> Result<Vec<u8>, MultipartError> {
        Ok(b.to_vec())
    }
}
pub fn parse(_c: &str, _b: &[u8]) -> Result<Form, MultipartError> {
    Ok(Form)
}
