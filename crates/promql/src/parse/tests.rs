//! Tests of the parser.

mod promqltest;
