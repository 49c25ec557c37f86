//! Stack traces as Java prints them, and some as nobody should.

use super::*;

/// (trace, class, message, frame, gave up)
type Case = (&'static str, &'static str, &'static str, Option<&'static str>, bool);

const CASES: &[Case] = &[
    (
        "java.lang.RuntimeException: outer\n\tat org.apache.flink.Task.run(Task.java:1)\n\
         Caused by: com.acme.PoisonRecordException: bad price\n\
         \tat java.base/java.util.List.get(List.java:3)\n\
         \tat app//com.acme.orders.OrderParser.parse(OrderParser.java:42) ~[orders.jar:?]\n\
         \tat com.acme.orders.Main.main(Main.java:7)\n\t... 12 more\n",
        "com.acme.PoisonRecordException",
        "bad price",
        Some("OrderParser.parse(OrderParser.java:42)"),
        false,
    ),
    (
        "java.lang.NullPointerException\n\tat a.B$C.d(B.java:1)",
        "java.lang.NullPointerException",
        "",
        Some("B$C.d(B.java:1)"),
        false,
    ),
    // No message, CRLF, a cause without frames.
    (
        "a.XException\r\n\tat a.B.c(B.java:1)\r\nCaused by: a.YError: déjà vu 告警\r\n",
        "a.YError",
        "déjà vu 告警",
        Some("B.c(B.java:1)"),
        false,
    ),
    // A message with line breaks, `Caused by:` and something like a frame inside.
    (
        "a.XException: first\n\nCaused by: the moon, says ops\nat noon (or so)\n\tat a.B.c(B.java:1)\n",
        "a.XException",
        "first Caused by: the moon, says ops at noon (or so)",
        Some("B.c(B.java:1)"),
        false,
    ),
    (
        "org.apache.flink.runtime.JobException: Recovery is suppressed by \
      NoRestartBackoffTimeStrategy\n\tat x.Y.z(Y.java:1)\nCaused by: java.io.IOException: disk full\n",
        "java.io.IOException",
        "disk full",
        Some("Y.z(Y.java:1)"),
        true,
    ),
    (
        "org.apache.flink.util.SerializedThrowable: java.util.concurrent.CompletionException: \
      com.acme.BadThing: no luck\n\tat java.lang.Thread.run(Thread.java:1)\n",
        "com.acme.BadThing",
        "no luck",
        None,
        false,
    ),
    (
        "java.util.concurrent.CompletionException: org.apache.flink.runtime.jobmanager.scheduler.\
      NoResourceAvailableException: Could not acquire the minimum required resources.\n\
      Caused by: java.util.concurrent.TimeoutException: Timeout has occurred: 300000 ms\n",
        "org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException",
        "Could not acquire the minimum required resources.",
        None,
        false,
    ),
    (
        "org.apache.flink.runtime.io.network.netty.exception.RemoteTransportException: Connection \
      unexpectedly closed by remote task manager 'h/10.0.0.1:41 [ x ] '. This might indicate that \
      the remote task manager was lost.\n\tat org.apache.flink.A.b(A.java:1)\n",
        "org.apache.flink.runtime.io.network.netty.exception.RemoteTransportException",
        "Connection unexpectedly closed by remote task manager 'h/10.0.0.1:41 [ x ] '. This might \
      indicate that the remote task manager was lost.",
        None,
        false,
    ),
    (
        "org.apache.flink.runtime.jobmaster.JobMasterException: TaskManager with id c_1(h:1) is no \
      longer reachable.\n\tat org.apache.flink.A.b(A.java:1)\n",
        "org.apache.flink.runtime.jobmaster.JobMasterException",
        "TaskManager with id c_1(h:1) is no longer reachable.",
        None,
        false,
    ),
    (
        "java.util.concurrent.TimeoutException: Heartbeat of TaskManager with id c_1 timed out.\n",
        "java.util.concurrent.TimeoutException",
        "Heartbeat of TaskManager with id c_1 timed out.",
        None,
        false,
    ),
    // Cleaning up is not what broke.
    (
        "com.acme.Boom: x\n\tat com.acme.A.b(A.java:1)\nCaused by: java.lang.InterruptedException\n",
        "com.acme.Boom",
        "x",
        Some("A.b(A.java:1)"),
        false,
    ),
    // What Flink SQL generates has no source; better than nothing.
    (
        "java.lang.RuntimeException: x\n\tat StreamExecCalc$12.processElement(Unknown Source)\n",
        "java.lang.RuntimeException",
        "x",
        Some("StreamExecCalc$12.processElement(Unknown Source)"),
        false,
    ),
    // A suppressed exception is not a cause.
    (
        "a.XException: x\n\tat a.B.c(B.java:1)\n\tSuppressed: a.Other: y\n\t\tat a.O.p(O.java:2)\n\
      \tCaused by: a.Third: z\n",
        "a.XException",
        "x",
        Some("B.c(B.java:1)"),
        false,
    ),
    ("", "named.Class", "", None, false),
    (" \n\n", "named.Class", "", None, false),
    ("something went wrong", "named.Class", "something went wrong", None, false),
    ("MyException: mine\n", "MyException", "mine", None, false),
    ("a.XException: ends with colon:\n", "a.XException", "ends with colon:", None, false),
];

#[test]
fn the_cause_is_found() {
    for (trace, class, message, frame, gave_up) in CASES {
        let cause = extract(Some("named.Class"), trace);
        assert_eq!(
            (cause.class.as_str(), cause.message.as_str(), cause.frame.as_deref(), cause.gave_up),
            (*class, *message, *frame, *gave_up),
            "{trace}"
        );
    }
}

#[test]
fn giving_up_alone_is_hollow() {
    let alone = "org.apache.flink.runtime.JobException: Recovery is suppressed by X(1)\n";
    assert!(extract(None, alone).hollow);
    assert!(!extract(None, "a.XException: x\n").hollow);
}

#[test]
fn megabytes_are_read_once() {
    let mut trace = "a.XException: ".to_owned();
    trace.push_str(&"告".repeat(2_000_000));
    let cause = extract(None, &trace);
    assert_eq!(cause.message.chars().count(), 301);

    let cause = |i| format!("Caused by: a.N{i}Exception: n\n\tat a.B.c(B.java:{i})\n");
    let causes: Vec<String> = (0..100_000).map(cause).collect();
    let trace = format!("a.XException: top\n{}", causes.concat());
    let cause = extract(None, &trace);
    assert_eq!(cause.class, "a.N99999Exception");
    assert_eq!(cause.frame.as_deref(), Some("B.c(B.java:99999)"));
}

proptest::proptest! {
    #[test]
    fn any_text_has_a_bounded_cause(text in "(?s)(Caused by: |a\\.B|\\tat |:|\n|\r|\\(|\\)|/|\\.|告|.){0,200}") {
        let cause = extract(None, &text);
        assert!(cause.message.chars().count() <= 301);
        assert!(!cause.message.contains('\n'));
        assert!(cause.class.chars().count() <= 201);
    }
}
