use super::*;

fn list(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn problems(argv: &[&str], checkpoint_args: &[&str]) -> Vec<String> {
    let (argv, checkpoint_args) = (list(argv), list(checkpoint_args));
    let words = Words { argv: &argv, checkpoint_args: &checkpoint_args };
    words.problems().into_iter().map(|(what, hint)| format!("{what} ({hint})")).collect()
}

#[test]
fn a_word_is_text_and_places() {
    for (word, expected) in [
        ("", vec![]),
        ("-s", vec![Piece::Text("-s")]),
        ("{{handle}}", vec![Piece::Place("handle")]),
        (
            "-D{{ a }}{{b}}=c",
            vec![Piece::Text("-D"), Piece::Place("a"), Piece::Place("b"), Piece::Text("=c")],
        ),
        ("{{open", vec![Piece::Text("{{open")]),
        ("close}}", vec![Piece::Text("close}}")]),
    ] {
        assert_eq!(pieces(word), expected, "{word}");
    }
}

#[test]
fn mistakes_are_named() {
    assert_eq!(problems(&["flink", "run", "-s", "{{checkpoint}}"], &[]), [""; 0]);
    let args = ["-s", "{{checkpoint}}"];
    assert_eq!(problems(&["flink", "{{checkpoint_args}}", "{{label.team}}"], &args), [""; 0]);
    for (argv, args, word) in [
        (&["flink", "run"][..], &[][..], "nothing names the checkpoint"),
        (&["flink", "{{checkpoint_args}}"], &[], "`checkpoint_args` is empty"),
        (&["flink", "{{checkpoint_args}}"], &["-s"], "nothing names the checkpoint"),
        (&["flink", "{{checkpoint}}"], &["-s", "x"], "go nowhere"),
        (&["flink", "{{checkpoint}}", "{{jobname}}"], &[], "{{jobname}}, which is unknown"),
        (&["flink", "{{checkpoint}}", "{{label.}}"], &[], "{{label.}}, which is unknown"),
        (&["flink", "{{checkpoint}}", "{{}}"], &[], "{{}}, which is unknown"),
        (&["{{job_name}}", "{{checkpoint}}"], &[], "does not name one program"),
        (&["a-{{job_name}}", "{{checkpoint}}"], &[], "does not name one program"),
    ] {
        let found = problems(argv, args);
        assert!(found.iter().any(|what| what.contains(word)), "{argv:?} {args:?}: {found:?}");
    }
    let inside = problems(&["flink", "-s={{checkpoint_args}}"], &["{{checkpoint}}"]);
    assert!(inside.iter().any(|what| what.contains("an argument of its own")), "{inside:?}");
    let nested = problems(&["flink", "{{checkpoint_args}}"], &["{{checkpoint_args}}"]);
    assert!(nested.iter().any(|what| what.contains("it is for `argv`")), "{nested:?}");
}

#[test]
fn a_look_is_for_a_handle() {
    let look = |argv: &[&str]| problems_of_look_up(&list(argv));
    assert_eq!(look(&["find", "{{handle}}"]), []);
    for (argv, word) in [
        (&["find", "{{job_name}}"][..], "what to look for"),
        (&["find", "{{handle}}", "{{checkpoint}}"], "names {{checkpoint}}"),
        (&["find", "{{handle}}", "{{checkpoint_args}}"], "unknown"),
        (&["{{handle}}"], "does not name one program"),
    ] {
        let found = look(argv);
        assert!(found.len() == 1 && found[0].0.contains(word), "{argv:?}: {found:?}");
    }
}

#[test]
fn what_names_the_job_is_not_one_program() {
    let names = |argv: &[&str]| {
        let argv = list(argv);
        Words { argv: &argv, checkpoint_args: &[] }.name_the_job()
    };
    for argv in [["f", "{{job_name}}"], ["f", "x{{flink_job_name}}"], ["f", "{{label.jar}}"]] {
        assert!(names(&argv), "{argv:?}");
    }
    assert!(!names(&["f", "{{cluster}}", "{{handle}}", "{{checkpoint}}", "{{flink_cluster}}"]));
}
