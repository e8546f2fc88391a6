use std::collections::{HashMap, HashSet};

/// Why HTML is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the HTML has {bytes} bytes, at most {limit} are read")]
pub struct HtmlError {
    /// How many it has.
    pub bytes: usize,
    /// How many it may have.
    pub limit: usize,
}

/// What of a stranger's HTML is kept. It is parsed as browsers do and written anew; scripts and
/// styles go with what is in them, everything else that is not allowed leaves its text behind.
///
/// ```
/// use fresnel_sdk::security::HtmlSanitizer;
///
/// let html = r#"<p onclick="x()">Hello <script>steal()</script><a href="javascript:x()">you</a></p>"#;
/// let clean = HtmlSanitizer::default().sanitize(html)?;
/// assert_eq!(clean, r#"<p>Hello <a rel="noopener noreferrer">you</a></p>"#);
/// # Ok::<(), fresnel_sdk::security::HtmlError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HtmlSanitizer {
    /// Elements that are kept.
    pub tags: Vec<String>,
    /// Attributes that are kept: element and attribute; `*` is every element.
    pub attributes: Vec<(String, String)>,
    /// Schemes of addresses that are kept.
    pub schemes: Vec<String>,
    /// Longer texts are refused, in bytes.
    pub bytes_max: usize,
}

impl Default for HtmlSanitizer {
    /// What a comment needs: text, lists, quotes, code, links; 256 KiB.
    fn default() -> Self {
        let tags = [
            "a",
            "abbr",
            "b",
            "blockquote",
            "br",
            "code",
            "del",
            "em",
            "h1",
            "h2",
            "h3",
            "h4",
            "hr",
            "i",
            "ins",
            "kbd",
            "li",
            "ol",
            "p",
            "pre",
            "s",
            "strong",
            "sub",
            "sup",
            "table",
            "tbody",
            "td",
            "th",
            "thead",
            "tr",
            "ul",
        ];
        let attributes = [("a", "href"), ("a", "title"), ("abbr", "title")];
        Self {
            tags: tags.map(str::to_owned).to_vec(),
            attributes: attributes.map(|(tag, name)| (tag.to_owned(), name.to_owned())).to_vec(),
            schemes: ["http", "https", "mailto"].map(str::to_owned).to_vec(),
            bytes_max: 256 << 10,
        }
    }
}

impl HtmlSanitizer {
    /// HTML that only has what is allowed.
    ///
    /// # Errors
    /// It is too long.
    pub fn sanitize(&self, html: &str) -> Result<String, HtmlError> {
        if html.len() > self.bytes_max {
            return Err(HtmlError { bytes: html.len(), limit: self.bytes_max });
        }
        // Their text is code: it goes with them, whatever is allowed.
        let active = ["script", "style", "noscript", "template"];
        let kept = self.tags.iter().map(String::as_str).filter(|tag| !active.contains(tag));
        let mut by_tag: HashMap<&str, HashSet<&str>> = HashMap::new();
        let mut everywhere = HashSet::new();
        for (tag, name) in &self.attributes {
            // A handler is code too.
            if name.to_ascii_lowercase().starts_with("on") || name.eq_ignore_ascii_case("style") {
                continue;
            }
            match tag.as_str() {
                "*" => drop(everywhere.insert(name.as_str())),
                tag => drop(by_tag.entry(tag).or_default().insert(name)),
            }
        }
        let clean = ammonia::Builder::empty()
            .tags(kept.collect())
            .clean_content_tags(active.into_iter().collect())
            .tag_attributes(by_tag)
            .generic_attributes(everywhere)
            .url_schemes(self.schemes.iter().map(String::as_str).collect())
            .url_relative(ammonia::UrlRelative::Deny)
            .link_rel(Some("noopener noreferrer"))
            .clean(html);
        Ok(clean.to_string())
    }
}
