//! The operator: watches the objects of a cluster, plans, applies what the plan wants and reports what came of it.

pub mod crds;
