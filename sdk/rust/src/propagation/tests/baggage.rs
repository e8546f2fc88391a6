//! The examples of <https://www.w3.org/TR/baggage/>.

use super::{headers, passed};
use crate::propagation::{Baggage, Format, Propagation};

fn pairs(baggage: &Baggage) -> Vec<(&str, &str)> {
    baggage.entries().iter().map(|entry| (&*entry.name, &*entry.value)).collect()
}

#[test]
fn published_examples_go_through() {
    let text = "key1=value1;property1;property2,key2=value2,key3=value3;propertyKey=propertyValue";
    let baggage = Baggage::parse(text);
    assert_eq!(pairs(&baggage), [("key1", "value1"), ("key2", "value2"), ("key3", "value3")]);
    assert_eq!(baggage.entries()[0].metadata, "property1;property2");
    assert_eq!(baggage.to_string(), text);
    let user = "userId=alice,serverNode=DF%2028,isProduction=false";
    assert_eq!(Baggage::parse(user).get("serverNode"), Some("DF 28"));
    assert_eq!(passed(&[Format::Baggage], &[("baggage", user)])["baggage"], user);
    let amelie = "userId=Am%C3%A9lie,serverNode=DF%2028,isProduction=false";
    assert_eq!(Baggage::parse(amelie).get("userId"), Some("Amélie"));
    assert_eq!(Baggage::parse(amelie).to_string(), amelie);
}

#[test]
fn several_headers_are_one_list_and_white_space_is_nothing() {
    let sent = headers(&[("Baggage", "a = 1 ; p , b=2"), ("baggage", "\tc=3")]);
    let baggage = Propagation::default().extract(&sent).baggage;
    assert_eq!(pairs(&baggage), [("a", "1"), ("b", "2"), ("c", "3")]);
}

#[test]
fn what_is_not_well_formed_is_left_out_and_the_rest_stays() {
    let baggage = Baggage::parse("a=1,b,=c,d e=1,f=\"x\",g=%,h=%4,i=%zz,j=a=b,k=%FF,é=1,a=2,l=");
    let expected =
        [("g", "%"), ("h", "%4"), ("i", "%zz"), ("j", "a=b"), ("k", "\u{fffd}"), ("a", "2"), ("l", "")];
    assert_eq!(pairs(&baggage), expected);
    assert!(Baggage::parse("").is_empty() && Baggage::parse(",,;,").is_empty());
}

#[test]
fn entries_are_changed_and_bounded() {
    let baggage = Baggage::default().with("tenant", "ac,me; \"ü\" 100%").with("bad name", "x");
    assert_eq!(baggage.entries().len(), 1);
    assert_eq!(Baggage::parse(&baggage.to_string()), baggage);
    assert_eq!(baggage.with("tenant", "x").get("tenant"), Some("x"));
    assert!(baggage.without("tenant").is_empty());
    let many = (0..100).fold(Baggage::default(), |all, n| all.with(&format!("k{n}"), "v"));
    assert_eq!(many.entries().len(), 64);
    let large = Baggage::default().with("a", &"x".repeat(8000)).with("b", &"y".repeat(300)).with("c", "z");
    assert_eq!(large.entries().iter().map(|it| &*it.name).collect::<Vec<_>>(), ["a", "c"]);
    assert!(large.to_string().len() <= 8192);
}
