//! What the person at the terminal sees.

use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::testbed::time;

/// Without a terminal a line that replaces itself would be noise: one in so long is enough.
const QUIET: Duration = Duration::from_secs(15);

/// Cards and causes are longer than anybody reads here.
const LONGEST_LINE: usize = 150;

pub(crate) struct Screen {
    terminal: bool,
    colour: bool,
    zero: Cell<Instant>,
    /// Something is on the line that replaces itself.
    open_line: Cell<bool>,
    last_progress: Cell<Option<Instant>>,
    broken: Cell<bool>,
}

impl Screen {
    pub(crate) fn new() -> Screen {
        let terminal = std::io::stdout().is_terminal();
        Screen {
            terminal,
            colour: terminal && std::env::var_os("NO_COLOR").is_none(),
            zero: Cell::new(time::now()),
            open_line: Cell::new(false),
            last_progress: Cell::new(None),
            broken: Cell::new(false),
        }
    }

    /// From now on times count from here.
    pub(crate) fn start_clock(&self) {
        self.zero.set(time::now());
        self.last_progress.set(Some(time::now()));
    }

    /// Nobody reads any more.
    pub(crate) fn broken(&self) -> bool {
        self.broken.get()
    }

    pub(crate) fn say(&self, text: &str) {
        self.end_progress();
        self.write(&format!("{text}\n"));
    }

    pub(crate) fn trouble(&self, text: &str) {
        self.end_progress();
        writeln!(std::io::stderr(), "{text}").ok();
    }

    /// Something happened to a job.
    pub(crate) fn came_in(&self, text: &str) {
        let arrow = self.paint("36", "IN   →");
        self.say(&format!("{}  {arrow} {}", self.clock(), shortened(text)));
    }

    /// Somebody did something.
    pub(crate) fn aside(&self, text: &str) {
        let mark = self.paint("2", "     ·");
        self.say(&format!("{}  {mark} {}", self.clock(), self.paint("2", text)));
    }

    /// Somebody was told something.
    pub(crate) fn went_out(&self, what: &str, lines: &[String]) {
        let arrow = self.paint("1;33", "  → OUT");
        self.say(&format!("{} {arrow} {}", self.clock(), self.paint("1", what)));
        for line in lines {
            self.say(&format!("              │ {}", shortened(line)));
        }
    }

    /// What is going on while nothing happens.
    pub(crate) fn progress(&self, text: &str) {
        let text = format!("{}         {text}", self.clock());
        if self.terminal {
            self.write(&format!("\r\x1b[2K{}", shortened(&text)));
            self.open_line.set(true);
        } else if self.last_progress.get().is_none_or(|at| time::since(at) >= QUIET) {
            self.last_progress.set(Some(time::now()));
            self.write(&format!("{text}\n"));
        }
    }

    /// Ends the line that replaces itself.
    pub(crate) fn end_progress(&self) {
        if self.open_line.take() {
            self.write("\r\x1b[2K");
        }
    }

    fn clock(&self) -> String {
        let seconds = time::since(self.zero.get()).as_secs();
        format!("{:>2}:{:02}", seconds / 60, seconds % 60)
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn write(&self, text: &str) {
        let mut out = std::io::stdout();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            self.broken.set(true);
        }
    }
}

fn shortened(line: &str) -> String {
    if line.chars().count() <= LONGEST_LINE {
        return line.to_owned();
    }
    line.chars().take(LONGEST_LINE - 1).chain(['…']).collect()
}
