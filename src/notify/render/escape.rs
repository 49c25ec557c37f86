//! Escaping for where a text lands. Names and exceptions come from strangers' programs: they must
//! come out harmless and still readable.

/// Characters that reorder or hide what stands around them.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{FEFF}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2066}'..='\u{2069}')
}

/// Several lines of plain text: control characters become spaces, direction overrides vanish.
pub fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| !is_deceptive(*c))
        .map(|c| match c {
            '\n' | '\u{2028}' | '\u{2029}' => '\n',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}

/// One line, as a header or a title needs it: line breaks become single spaces too.
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        let c = if c.is_whitespace() { ' ' } else { c };
        if c != ' ' || !(out.is_empty() || out.ends_with(' ')) {
            out.push(c);
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// One line inside card markdown: everything that could format, mention or link becomes an entity.
pub fn md(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in line(text).chars() {
        match c {
            '*' | '_' | '~' | '[' | ']' | '(' | ')' | '<' | '>' | '&' | '`' | '\\' | '#' | '|'
            | '$' => {
                out.push_str("&#");
                out.push_str(&u32::from(c).to_string());
                out.push(';');
            }
            c => out.push(c),
        }
    }
    out
}

/// One line inside the markdown of group bots that know no escape (DingTalk, WeCom): what could
/// format, link, mention or be HTML becomes its full-width twin, which reads the same and means
/// nothing. A single underscore inside a word means nothing there, so that names can be copied.
pub fn mark(text: &str) -> String {
    let chars: Vec<char> = line(text).chars().collect();
    let is_word = |at: Option<usize>| {
        at.and_then(|at| chars.get(at)).is_some_and(|c: &char| c.is_alphanumeric())
    };
    let mut out = String::with_capacity(text.len() + 16);
    for (at, c) in chars.iter().enumerate() {
        let means_something = match c {
            '*' | '`' | '~' | '[' | ']' | '<' | '>' | '&' | '\\' | '|' | '@' => true,
            '_' => !(is_word(at.checked_sub(1)) && is_word(Some(at + 1))),
            // A heading, a list or a rule, where it begins a line.
            '#' | '-' | '+' | '=' => at == 0,
            _ => false,
        };
        let twin = char::from_u32(u32::from(*c) + FULL_WIDTH).filter(|_| means_something);
        out.push(twin.unwrap_or(*c));
    }
    out
}

/// From a printable ASCII character to its full-width twin.
const FULL_WIDTH: u32 = 0xFEE0;

/// Inside HTML text and quoted attributes.
pub fn html(text: &str) -> String {
    handlebars::html_escape(&plain(text))
}

/// An http(s) address that is safe inside a quoted attribute, a markdown link and a JSON button;
/// anything else is no address.
pub fn url(text: &str) -> Option<String> {
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    if !(lower.starts_with("http://") || lower.starts_with("https://")) || text.len() > 2_000 {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || "-._~:/?#@!$&+,;=%".contains(c) {
            out.push(c);
        } else {
            let mut bytes = [0; 4];
            let encoded = c.encode_utf8(&mut bytes).bytes();
            out.extend(encoded.map(|byte| format!("%{byte:02X}")));
        }
    }
    (out.len() <= 2_000).then_some(out)
}

/// At most `max` characters; what is cut is marked by an ellipsis.
pub fn cut(text: &str, max: usize) -> String {
    if text.char_indices().nth(max).is_none() {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(max.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// One line of at most `max` characters. Looks no further than it must: exceptions may be
/// megabytes.
pub fn short(text: &str, max: usize) -> String {
    let looked_at = max.saturating_mul(4);
    match text.char_indices().nth(looked_at) {
        None => cut(&line(text), max),
        Some((end, _)) => {
            let mut start = line(text.get(..end).unwrap_or_default());
            start.push('…');
            cut(&start, max)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_without_tricks() {
        assert_eq!(line(" a\r\nBcc: x\u{202E}\u{2028}\t b\u{0} "), "a Bcc: x b");
        assert_eq!(line("👩‍👧 emoji stays"), "👩‍👧 emoji stays");
    }

    #[test]
    fn markdown_cannot_mention_or_format() {
        let text = md("<at id=all></at> **x** [a](b) `c`\n# d & _e_ ~~f~~");
        for c in "*_~[]()<>`".chars() {
            assert!(!text.contains(c), "{c} in {text}");
        }
        assert!(text.starts_with("&#60;at id=all&#62;"));
    }

    #[test]
    fn text_without_escapes_means_nothing_and_can_be_read() {
        let text = mark("<at id=all></at> **x** [a](b) `c`\n# d &lt; __e__ ~~f~~ @all <@all> \\*");
        for c in "*`~[]<>&\\|@".chars() {
            assert!(!text.contains(c), "{c} in {text}");
        }
        assert!(text.contains("＿＿e＿＿"), "{text}");
        assert_eq!(mark("[CRITICAL] ro_cn_sync · #12"), "［CRITICAL］ ro_cn_sync · #12");
        assert_eq!(mark("a__b _c_ d_"), "a＿＿b ＿c＿ d＿");
        for start in ["# a", "- a", "+ a", "=== a", "--- a"] {
            assert!(mark(start).starts_with(['＃', '－', '＋', '＝']), "{start}");
        }
        assert_eq!(mark(" \n> 告警 a"), "＞ 告警 a");
        assert_eq!(mark(""), "");
    }

    #[test]
    fn only_web_addresses_are_addresses() {
        assert_eq!(url("javascript:alert(1)"), None);
        assert_eq!(url("http"), None);
        assert_eq!(
            url("HTTPS://a/b c)\"<é>?x=1&y=[2]").as_deref(),
            Some("HTTPS://a/b%20c%29%22%3C%C3%A9%3E?x=1&y=%5B2%5D")
        );
    }

    #[test]
    fn cutting_respects_characters() {
        assert_eq!(cut("告警告警", 3), "告警…");
        assert_eq!(cut("告警", 2), "告警");
        assert_eq!(cut("告警", 0), "…");
        assert_eq!(short("a\nb", 3), "a b");
        assert_eq!(short(&"\n".repeat(100), 3), "…");
        assert_eq!(short(&"告".repeat(100), 3), "告告…");
    }
}
