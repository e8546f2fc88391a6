//! The committed references are what this binary prints.

use testkit::root;

use crate::fresnel;

#[path = "../../xtask/src/reference_files.rs"]
mod reference_files;

#[test]
fn the_committed_references_are_up_to_date() {
    for (name, path) in reference_files::REFERENCES {
        let printed = fresnel().run(&["reference", name]).expect(0).stdout;
        let committed = std::fs::read_to_string(root().join(path)).unwrap_or_default();
        assert!(printed.trim_end() == committed.trim_end(), "{path} is out of date: run `cargo xtask gen`");
    }
}
