//! The references that the binary writes. The black-box tests read this table too.

/// What `fresnel reference <name>` prints, and the file that holds it.
pub(crate) const REFERENCES: &[(&str, &str)] = &[
    ("config", "docs/reference/config.md"),
    ("cli", "docs/reference/cli.md"),
    ("metrics", "docs/reference/metrics.md"),
    ("openapi", "docs/reference/openapi.json"),
    ("schema-json", "docs/reference/config.schema.json"),
    ("example", "docs/reference/fresnel.example.toml"),
];
