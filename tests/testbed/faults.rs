//! What goes wrong on a receiving side, planned by a test at run time.

use std::sync::Mutex;
use std::time::Duration;

/// One way to answer badly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An HTTP status of a gateway or a broken receiver; not accepted.
    Status {
        /// The HTTP status.
        status: u16,
        /// The value of `Retry-After`, if any.
        retry_after: Option<String>,
    },
    /// HTTP 200 with an error code in the body (chat vendors); not accepted.
    Code {
        /// The vendor's code.
        code: i64,
        /// The vendor's text.
        msg: String,
    },
    /// Nothing for a while, then the normal verdict. A sender that gave up meanwhile was not heard.
    Hang(Duration),
    /// Accepted at once, but the answer comes late: the sender's timeout is a repeat waiting to
    /// happen.
    AcceptThenHang(Duration),
    /// The connection closes without an answer; not accepted.
    Drop,
    /// Accepted, then the connection closes without an answer.
    AcceptThenDrop,
    /// Accepted, and the answer's body trickles in over this time.
    SlowBody(Duration),
}

impl Fault {
    /// An HTTP status without further headers.
    pub fn status(status: u16) -> Self {
        Self::Status { status, retry_after: None }
    }

    /// 429 with `Retry-After` in seconds.
    pub fn too_many(retry_after_s: u64) -> Self {
        Self::Status { status: 429, retry_after: Some(retry_after_s.to_string()) }
    }

    /// The vendor's own "slow down" in an HTTP 200.
    pub fn code(code: i64, msg: &str) -> Self {
        Self::Code { code, msg: msg.to_owned() }
    }
}

/// The plan: exact next faults first, then seeded shares of all requests.
#[derive(Default)]
pub struct FaultPlan(Mutex<Plan>);

#[derive(Default)]
struct Plan {
    next: std::collections::VecDeque<Fault>,
    shares: Shares,
}

/// Each fault with its share of a thousand; the rest passes.
#[derive(Default)]
struct Shares {
    state: u64,
    of: Vec<(u64, Fault)>,
}

impl FaultPlan {
    /// The next `n` requests meet `fault`.
    pub fn next(&self, n: usize, fault: &Fault) {
        self.0
            .lock()
            .expect("no panic while locked")
            .next
            .extend(std::iter::repeat_n(fault.clone(), n));
    }

    /// `per_mille` of the requests meet `fault`, the same ones for the same seed.
    pub fn share(&self, per_mille: u64, seed: u64, fault: Fault) {
        self.shares(seed, &[(per_mille, fault)]);
    }

    /// Each fault has its share of a thousand requests, the same ones for the same seed.
    pub fn shares(&self, seed: u64, of: &[(u64, Fault)]) {
        self.0.lock().expect("no panic while locked").shares =
            Shares { state: seed, of: of.to_vec() };
    }

    /// Everything works again.
    pub fn clear(&self) {
        *self.0.lock().expect("no panic while locked") = Plan::default();
    }

    /// What this request meets.
    pub fn take(&self) -> Option<Fault> {
        let mut plan = self.0.lock().expect("no panic while locked");
        if let Some(fault) = plan.next.pop_front() {
            return Some(fault);
        }
        if plan.shares.of.is_empty() {
            return None;
        }
        let mut drawn = split_mix(&mut plan.shares.state) % 1000;
        for (per_mille, fault) in &plan.shares.of {
            if drawn < *per_mille {
                return Some(fault.clone());
            }
            drawn -= per_mille;
        }
        None
    }
}

/// `SplitMix64`: small, seeded, good enough to scatter faults.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
