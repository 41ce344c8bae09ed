//! Objects that a Gateway's data plane is made of: Deployment, Service and what belongs to them. None is planned yet.
