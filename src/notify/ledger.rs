//! Who was told what: the only owner of "was this channel already told of this incident".

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{ChannelId, Notice, NoticeReason, Outcome, Ts};

const DAY: Duration = Duration::from_hours(24);

/// What one channel knows of one incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// Steady time of the last news.
    pub(super) last: Ts,
    /// Repetitions since.
    pub(super) repeats: u32,
    /// Told that it is open and not told that it is over.
    pub(super) open: bool,
    /// First repetition after this.
    pub(super) every: Duration,
    /// News since it was last told to be over, less those the vendor refused.
    pub(super) standing: u32,
    /// Highest rank among these.
    pub(super) rank: u8,
    /// All of these were only recorded: nobody has heard of it.
    pub(super) silent: bool,
    /// The message that told the first of these.
    began: Option<u64>,
    /// News so far: the number of the last one in the thread.
    pub(super) sequence: u32,
    /// The message that told it open, where it did so together with others.
    pub(super) fold: Option<u64>,
    /// Told that somebody has it, or all that it was told together with.
    pub(super) marked: bool,
}

/// The ledger.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    told: BTreeMap<(u64, ChannelId), Told>,
}

impl Ledger {
    /// Rebuilds it from notices, in the order of the messages they went into: what was news first may
    /// have been told last.
    pub(super) fn restore(
        notices: &[Notice],
        at_steady: &dyn Fn(&Notice) -> Ts,
        every: &dyn Fn(&Notice) -> Duration,
        fold: &dyn Fn(&Notice) -> Option<u64>,
    ) -> Ledger {
        let mut ledger = Ledger::default();
        let mut told: Vec<&Notice> = notices.iter().filter(|n| n.message.is_some()).collect();
        told.sort_by_key(|n| (n.message, n.id));
        for notice in told {
            if notice.outcome != Outcome::Failed {
                let shadow = notice.outcome == Outcome::Shadow;
                ledger.tell(notice, at_steady(notice), every(notice), fold(notice), shadow);
            }
        }
        ledger
    }

    /// A notice went into a message; into one about many incidents if there is a `fold`, into one
    /// that is only recorded if `shadow`.
    pub(super) fn tell(
        &mut self,
        notice: &Notice,
        now: Ts,
        every: Duration,
        fold: Option<u64>,
        shadow: bool,
    ) {
        let entry = self.told.entry((notice.incident, notice.to.clone())).or_insert(Told {
            last: now,
            repeats: 0,
            open: true,
            standing: 0,
            rank: 0,
            silent: shadow,
            began: None,
            every,
            sequence: 0,
            fold: None,
            marked: false,
        });
        if entry.standing == 0 {
            entry.began = notice.message;
            (entry.rank, entry.silent) = (0, shadow);
            entry.fold = fold;
            entry.marked = false;
        }
        if !notice.reason.is_mark() {
            entry.rank = entry.rank.max(notice.rank);
        }
        entry.silent &= shadow;
        entry.last = now;
        entry.every = every;
        entry.sequence += 1;
        entry.open = notice.reason != NoticeReason::Resolved;
        entry.standing = if entry.open { entry.standing + 1 } else { 0 };
        entry.repeats = if notice.reason == NoticeReason::Repeat { entry.repeats + 1 } else { 0 };
        if notice.reason.is_mark() {
            let (fold, taken) = (entry.fold, notice.reason == NoticeReason::Acknowledged);
            entry.marked = taken;
            let together = self
                .told
                .iter_mut()
                .filter(|((_, to), told)| fold.is_some() && *to == notice.to && told.fold == fold);
            together.for_each(|(_, told)| told.marked = taken);
        }
    }

    /// The vendor refused the message that told it: if that was all it was told, it knows nothing.
    /// News from before it was told to be over no longer count, refused or not.
    pub(super) fn untell(&mut self, notice: &Notice) {
        if let Some(told) = self.told.get_mut(&(notice.incident, notice.to.clone()))
            && notice.reason != NoticeReason::Resolved
            && notice.message >= told.began
        {
            told.standing = told.standing.saturating_sub(1);
            told.open = told.standing > 0;
        }
    }

    /// What a channel knows of an incident.
    pub(super) fn get(&self, incident: u64, to: &ChannelId) -> Option<Told> {
        self.told.get(&(incident, to.clone())).copied()
    }

    /// How many of the incidents that a message told a channel of together it still believes to be
    /// open, by message; only those that `last`.
    pub(super) fn open_by_fold(
        &self,
        to: &ChannelId,
        last: &dyn Fn(u64) -> bool,
    ) -> BTreeMap<u64, usize> {
        let mut open = BTreeMap::new();
        for (id, channel, told) in self.open() {
            if let Some(message) = told.fold.filter(|_| channel == to && last(id)) {
                *open.entry(message).or_default() += 1;
            }
        }
        open
    }

    /// Channels that believe it is open.
    pub(super) fn believers(&self, incident: u64) -> Vec<ChannelId> {
        self.of(incident).filter(|(_, t)| t.open).map(|(to, _)| to.clone()).collect()
    }

    fn of(&self, incident: u64) -> impl Iterator<Item = (&ChannelId, &Told)> {
        let none = ChannelId { receiver: String::new(), channel: String::new() };
        self.told
            .range((incident, none)..)
            .take_while(move |((id, _), _)| *id == incident)
            .map(|((_, to), told)| (to, told))
    }

    /// Open entries, for repetitions.
    pub(super) fn open(&self) -> impl Iterator<Item = (u64, &ChannelId, &Told)> {
        self.told.iter().filter(|(_, t)| t.open).map(|((id, to), told)| (*id, to, told))
    }

    /// Forgets incidents that are no longer kept.
    pub(super) fn retain(&mut self, keep: &dyn Fn(u64) -> bool) {
        self.told.retain(|(id, _), _| keep(*id));
    }
}

impl Told {
    /// When it is worth saying again: after the interval, then twice that, then daily.
    pub(super) fn repeat_at(&self) -> Ts {
        let interval = self.every;
        let wait = match self.repeats {
            0 => interval,
            1 => (interval * 2).min(DAY.max(interval)),
            _ => DAY.max(interval),
        };
        self.last + wait
    }
}
