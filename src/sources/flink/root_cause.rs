//! From a stack trace of any size to one line: the innermost useful cause and the first frame in
//! somebody's own code. One pass, bounded memory.

use std::collections::VecDeque;

use crate::http::one_line;

/// Longest message kept, in characters.
const MAX_MESSAGE: usize = 300;
/// Longest frame or class kept, in characters.
const MAX_FRAME: usize = 200;
/// Causes remembered; the innermost ones matter.
const MAX_CAUSES: usize = 32;
/// A message is read up to here.
const MAX_MESSAGE_BYTES: usize = 4096;

/// Classes that only carry another exception.
const WRAPPERS: [&str; 6] = [
    "org.apache.flink.util.SerializedThrowable",
    "org.apache.flink.runtime.taskmanager.AsynchronousException",
    "java.util.concurrent.CompletionException",
    "java.util.concurrent.ExecutionException",
    "java.lang.reflect.InvocationTargetException",
    "java.lang.reflect.UndeclaredThrowableException",
];

/// Wrappers whose message is the text of what they wrap.
const TRANSPARENT: [&str; 4] = [
    "org.apache.flink.util.SerializedThrowable",
    "java.util.concurrent.CompletionException",
    "java.util.concurrent.ExecutionException",
    "org.apache.flink.runtime.io.network.netty.exception.RemoteTransportException",
];

/// Follow-ups of another failure, or of stopping: never what broke if anything else is known.
const AFTERMATH: [&str; 3] = [
    "java.lang.InterruptedException",
    "java.util.concurrent.CancellationException",
    "java.nio.channels.ClosedChannelException",
];

/// Packages that are nobody's own code.
const LIBRARIES: [&str; 9] = [
    "java.",
    "javax.",
    "jdk.",
    "sun.",
    "com.sun.",
    "scala.",
    "org.apache.flink.",
    "akka.",
    "org.apache.pekko.",
];

/// What a stack trace boils down to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::sources) struct Cause {
    pub(in crate::sources) class: String,
    pub(in crate::sources) message: String,
    pub(in crate::sources) frame: Option<String>,
    /// The restart strategy gave up with this.
    pub(in crate::sources) gave_up: bool,
    /// Nothing but wrappers was found.
    pub(in crate::sources) hollow: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Link<'a> {
    class: &'a str,
    message: &'a str,
    framed: Option<&'a str>,
    unsourced: Option<&'a str>,
}

impl<'a> Link<'a> {
    fn frame(&self) -> Option<&'a str> {
        self.framed.or(self.unsourced)
    }

    fn is_wrapper(&self) -> bool {
        WRAPPERS.contains(&self.class) || self.gave_up()
    }

    fn gave_up(&self) -> bool {
        self.message.contains("Recovery is suppressed by")
            || self.message.contains("The failure is not recoverable")
    }

    /// The cluster lost something; what lies beneath (a timeout, a closed channel) says less.
    fn is_platform(&self) -> bool {
        self.class.ends_with(".NoResourceAvailableException")
            || ["Connection unexpectedly closed", "Lost connection to task manager"]
                .iter()
                .any(|t| self.message.contains(t))
            || (self.message.contains("TaskManager with id")
                && (self.message.contains("timed out")
                    || self.message.contains("no longer reachable")))
    }
}

/// Reads a stack trace as Java prints it. `name` is the class Flink gives beside it.
pub(in crate::sources) fn extract(name: Option<&str>, trace: &str) -> Cause {
    let chain = chain(name, trace);
    let gave_up = chain.iter().any(Link::gave_up);
    let useful = |l: &&Link<'_>| !l.is_wrapper() && !AFTERMATH.contains(&l.class);
    let solid = chain.iter().find(|l| l.is_platform()).or_else(|| chain.iter().rev().find(useful));
    let hollow = solid.is_none();
    let chosen = solid
        .or_else(|| chain.iter().rev().find(|l| !l.message.is_empty()))
        .or_else(|| chain.back())
        .copied()
        .unwrap_or(Link { class: name.unwrap_or(""), ..Link::default() });
    // The cause's own frame; else that of whoever called it.
    let frame = chosen.frame().or_else(|| chain.iter().rev().find_map(Link::frame));
    Cause {
        class: one_line(chosen.class, MAX_FRAME),
        message: one_line(chosen.message, MAX_MESSAGE),
        frame: frame.map(|f| one_line(short(f), MAX_FRAME)),
        gave_up,
        hollow,
    }
}

/// The chain of causes, outermost first.
fn chain<'a>(name: Option<&'a str>, trace: &'a str) -> VecDeque<Link<'a>> {
    let mut chain: VecDeque<Link<'a>> = VecDeque::new();
    // Where the message of the last link starts, while its end has not been seen.
    let mut message_from = None;
    let mut at = 0;
    for line in trace.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let header = if chain.is_empty() {
            if line.trim().is_empty() {
                continue;
            }
            Some(start + (line.len() - line.trim_start().len()))
        } else {
            let rest = line.strip_prefix("Caused by: ").filter(|rest| is_header(rest));
            rest.map(|rest| at - rest.len())
        };
        if let Some(header) = header {
            close(&mut chain, trace, &mut message_from, start);
            if chain.len() == MAX_CAUSES {
                chain.pop_front();
            }
            let (link, from) = open(name, trace, header, at, chain.is_empty());
            chain.push_back(link);
            message_from = Some(from);
        } else if let Some(call) = frame_of(line) {
            close(&mut chain, trace, &mut message_from, start);
            if let Some(link) = chain.back_mut()
                && !LIBRARIES.iter().any(|p| call.starts_with(p))
            {
                let slot = if call.ends_with("(Unknown Source)")
                    || call.ends_with("(Native Method)")
                    || call.ends_with("(<generated>)")
                {
                    &mut link.unsourced
                } else {
                    &mut link.framed
                };
                slot.get_or_insert(call);
            }
        } else if is_annotation(line) {
            close(&mut chain, trace, &mut message_from, start);
        }
    }
    close(&mut chain, trace, &mut message_from, trace.len());
    chain
}

/// Starts a link at `header`; the line ends at `end`. Also tells where its message starts.
fn open<'a>(
    name: Option<&'a str>,
    trace: &'a str,
    header: usize,
    end: usize,
    first: bool,
) -> (Link<'a>, usize) {
    let mut from = header;
    let mut class = "";
    // `Wrapper: real.Class: message` of transparent wrappers is unwrapped.
    for _ in 0..4 {
        let rest = trace.get(from..end).unwrap_or("");
        let token = rest.split([':', '\r', '\n', ' ']).next().unwrap_or("");
        let after = rest.get(token.len()..).unwrap_or("");
        let is_end = after.trim_end().is_empty();
        let colon = after.starts_with(": ") || after.trim_end() == ":";
        if !(is_class(token) && (is_end || colon)) {
            break;
        }
        class = token;
        from += token.len() + if is_end { after.len() } else { 2.min(after.len()) };
        if is_end || !TRANSPARENT.contains(&class) {
            break;
        }
    }
    if class.is_empty() && first {
        class = name.unwrap_or("");
    }
    (Link { class, ..Link::default() }, from)
}

/// Ends the message of the last link before `end`.
fn close<'a>(
    chain: &mut VecDeque<Link<'a>>,
    trace: &'a str,
    message_from: &mut Option<usize>,
    end: usize,
) {
    let (Some(from), Some(link)) = (message_from.take(), chain.back_mut()) else { return };
    let mut end = end.min(from.saturating_add(MAX_MESSAGE_BYTES)).max(from);
    while !trace.is_char_boundary(end) {
        end -= 1;
    }
    link.message = trace.get(from..end).unwrap_or("").trim();
}

/// `Caused by:` may stand in a message too; a real one is followed by a class.
fn is_header(rest: &str) -> bool {
    let token = rest.split([':', '\r', '\n']).next().unwrap_or("");
    is_class(token)
}

fn is_class(token: &str) -> bool {
    let known = token.contains('.')
        || ["Exception", "Error", "Throwable"].iter().any(|suffix| token.ends_with(suffix));
    known
        && token.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && !token.ends_with('.')
        && token.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '$' | '_'))
}

/// The call of a frame line without module and jar: `com.example.A.b(A.java:1)`.
fn frame_of(line: &str) -> Option<&str> {
    let call = line.trim_start_matches([' ', '\t']).strip_prefix("at ")?;
    if line.starts_with("at ") {
        // A message may have a line that starts so; frames are indented.
        return None;
    }
    let end = call.find(')')?;
    let call = call.get(..=end)?;
    let open = call.find('(')?;
    let from = call.get(..open)?.rfind('/').map_or(0, |slash| slash + 1);
    let call = call.get(from..)?;
    let qualified = call.split('(').next().unwrap_or("");
    (qualified.contains('.') && !qualified.contains(' ')).then_some(call)
}

/// `\t... 12 more`, `\tSuppressed: …`: the message is over.
fn is_annotation(line: &str) -> bool {
    line.starts_with(['\t', ' '])
        && (line.trim_start().starts_with("... ") || line.trim_start().starts_with("Suppressed: "))
}

/// `com.example.A.b(A.java:1)` without the package.
fn short(call: &str) -> &str {
    let open = call.find('(').unwrap_or(call.len());
    let qualified = call.get(..open).unwrap_or(call);
    let Some(method) = qualified.rfind('.') else { return call };
    let package = qualified.get(..method).and_then(|c| c.rfind('.'));
    package.and_then(|dot| call.get(dot + 1..)).unwrap_or(call)
}

#[cfg(test)]
#[path = "root_cause_tests.rs"]
mod tests;
