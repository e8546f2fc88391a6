//! What must hold whatever the query.
