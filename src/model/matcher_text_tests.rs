use proptest::prelude::*;

use crate::model::{Labels, Matcher, MatcherError};

/// Name, operator and value of each matcher in a text.
fn parts(text: &str) -> Vec<(String, &'static str, String)> {
    let read = super::read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    read.into_iter().map(|m| (m.name, m.operator.text, m.value)).collect()
}

#[test]
fn every_form_alertmanager_takes_is_read() {
    let ads = ("team", "=", "ads");
    let prod = ("env", "=", "prod");
    for (text, expected) in [
        (r#"team="ads""#, vec![ads]),
        ("team=ads", vec![ads]),
        (r#"{team="ads"}"#, vec![ads]),
        (" { team = ads , } ", vec![ads]),
        (r#"team="ads",env="prod""#, vec![ads, prod]),
        ("team=ads,env=prod", vec![ads, prod]),
        ("{team=ads, env=prod,}", vec![ads, prod]),
        ("团队=广告", vec![("团队", "=", "广告")]),
        (r#"团队!="x""#, vec![("团队", "!=", "x")]),
        (r#""a.b"="x""#, vec![("a.b", "=", "x")]),
        (r#"weir/JobFallingBehind.above="5""#, vec![("weir/JobFallingBehind.above", "=", "5")]),
        (r#""a b, {c}" =~ "x|y""#, vec![("a b, {c}", "=~", "x|y")]),
        (r#"a!~x.*,b="""#, vec![("a", "!~", "x.*"), ("b", "=", "")]),
        (r#"a="b,c=d""#, vec![("a", "=", "b,c=d")]),
        (r#"a="{}!=~,'`""#, vec![("a", "=", "{}!=~,'`")]),
        (r#"a="\"\\\n\t\x41\101\u56e2\U0001f642\/""#, vec![("a", "=", "\"\\\n\tAA团🙂/")]),
        (r#"a="\ud83d\ude42\xf0\x9f\x99\x82""#, vec![("a", "=", "🙂🙂")]),
        (r#"a=~"\d+\.\\w\b""#, vec![("a", "=~", r"\d+\.\w\b")]),
        (r#"a="\b""#, vec![("a", "=", "\u{8}")]),
        (r#"a="\q\x4\u12\ud83dx""#, vec![("a", "=", r"\q\x4\u12\ud83dx")]),
    ] {
        let owned: Vec<_> =
            expected.into_iter().map(|(n, o, v)| (n.to_owned(), o, v.to_owned())).collect();
        assert_eq!(parts(text), owned, "{text}");
    }
}

#[test]
fn what_is_refused_says_the_way_out() {
    for (text, said) in [
        ("", "is not of the form"),
        ("{}", "is not of the form"),
        ("team", "is not of the form"),
        ("=x", "is not of the form"),
        (r#"""="x""#, "is not of the form"),
        ("a b=c", "is not of the form"),
        ("a!b", "is not of the form"),
        (",a=b", "is not of the form"),
        ("team=ads,env", "`env` is no matcher; a value with a comma must be in double quotes"),
        ("team=a,,b=c", "`,b=c` is no matcher"),
        ("team=", "write team=\"\""),
        ("team=,env=prod", "write team=\"\""),
        ("a=b=c", "in double quotes"),
        ("a=b c", "in double quotes"),
        ("a=~x{2}", "in double quotes"),
        (r"a=~\d+", "in double quotes"),
        ("a='b'", "in double quotes"),
        (r#"a=b"c""#, "in double quotes"),
        (r#"a="b"c"#, "in double quotes"),
        (r#"a="b"#, "closing quote"),
        (r#"a="\xff""#, "closing quote"),
        ("{a=b", "braces"),
        ("a=b}", "braces"),
        ("{{a=b}}", "is not of the form"),
        ("a=~\"(\"", "invalid regular expression"),
    ] {
        let error = Matcher::parse_all(text).expect_err(text).to_string();
        assert!(error.contains(said), "{text}: {error}");
        assert!(error.contains(text), "{text}: {error}");
    }
    assert!(matches!(Matcher::parse("a=b,c=d"), Err(MatcherError::Several(_))));
}

#[test]
fn each_of_several_keeps_its_own_text() {
    let read = Matcher::parse_all(r#"{ team = ads, "a.b"=~"x|y" }"#).unwrap();
    let texts: Vec<&str> = read.iter().map(|m| m.text.as_str()).collect();
    assert_eq!(texts, ["team = ads", r#""a.b"=~"x|y""#]);
    let labels = Labels::from([("team", "ads"), ("a.b", "y")]);
    assert!(read.iter().all(|m| m.matches(&labels)));
}

proptest! {
    #[test]
    fn what_is_written_reads_as_itself(name in ".+", value in ".*") {
        let exact = Matcher::exact(&name, &value);
        let read = Matcher::parse_all(&exact.to_string()).unwrap();
        prop_assert_eq!(read.as_slice(), std::slice::from_ref(&exact));
        prop_assert_eq!(read[0].exact_value(), Some(value.as_str()));
        prop_assert_eq!(&read[0].name, &name);
        // So does what was read, in a list too.
        let listed = format!("{{{exact},{exact}}}");
        prop_assert_eq!(Matcher::parse_all(&listed).unwrap(), [exact.clone(), exact.clone()]);
    }

    #[test]
    fn labels_as_they_are_shown_match_themselves(
        pairs in proptest::collection::btree_map(".+", ".+", 1..4)
    ) {
        let labels = Labels(pairs);
        let read = Matcher::parse_all(&labels.display()).unwrap();
        prop_assert_eq!(read.len(), labels.0.len());
        prop_assert!(read.iter().all(|m| m.matches(&labels)));
    }

    #[test]
    fn nothing_written_breaks_the_reader(text in "[a{}=!~,\"\\\\ xu0-9团]{0,24}") {
        for matcher in Matcher::parse_all(&text).unwrap_or_default() {
            let again = Matcher::parse(&matcher.text);
            prop_assert_eq!(again, Ok(matcher));
        }
    }
}
