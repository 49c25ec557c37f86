//! Packed buckets are plain ones, in less room.

use proptest::prelude::*;

use super::*;

/// Bit by bit: what is coded must come back as it was.
fn bits(b: &Bucket) -> (u32, u32, [u32; 6], u16) {
    let values = [b.first, b.min, b.max, b.last, b.sum, b.gain];
    (b.from, b.until, values.map(f32::to_bits), b.count)
}

fn assert_same(packed: &Buckets, plain: &[Bucket]) {
    assert_eq!(packed.len(), plain.len());
    assert!(packed.iter().map(|b| bits(&b)).eq(plain.iter().map(bits)), "{packed:?} {plain:?}");
    assert_eq!(packed.newest().map(bits), plain.last().map(bits));
}

/// What sources report: numbers that stand still, counters that begin anew, anything else.
fn value() -> impl Strategy<Value = f32> {
    prop_oneof![
        Just(0.0_f32),
        Just(-0.0_f32),
        Just(1000.0_f32),
        (0..2000_u32).prop_map(|n| n as f32),
        -1e6..1e6_f32,
        proptest::num::f32::NORMAL,
        Just(f32::MAX),
    ]
}

#[derive(Debug, Clone)]
enum Act {
    /// A sample so many tenths later, `.2`: into a bucket of its own.
    Sample(u32, f32, bool),
    Forget(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let later = prop_oneof![Just(0_u32), 95..105_u32, 0..400_u32, 0..200_000_u32];
    prop_oneof![
        12 => (later, value(), any::<bool>()).prop_map(|(t, v, own)| Act::Sample(t, v, own)),
        1 => (0..5_usize).prop_map(Act::Forget),
    ]
}

proptest! {
    #[test]
    fn packed_buckets_are_plain_ones(acts in proptest::collection::vec(act(), 0..300)) {
        let (mut packed, mut plain) = (Buckets::default(), Vec::<Bucket>::new());
        let mut now = 0_u32;
        for act in acts {
            match act {
                Act::Sample(later, value, own) => {
                    now += later;
                    let before = plain.last().map(|b| b.last);
                    match (plain.last_mut(), packed.newest_mut()) {
                        (Some(one), Some(other)) if !own => {
                            one.add(now, value);
                            other.add(now, value);
                        }
                        _ => {
                            plain.push(Bucket::of(now, value, before));
                            packed.push(Bucket::of(now, value, before));
                        }
                    }
                }
                Act::Forget(oldest) => {
                    let oldest = oldest.min(plain.len().saturating_sub(1));
                    plain.drain(..oldest);
                    packed.forget(oldest);
                }
            }
            assert_same(&packed, &plain);
        }
        let again: Buckets = plain.iter().copied().collect();
        assert_same(&again, &plain);
        prop_assert!(plain.iter().any(|b| b.sum.is_nan()) || again == packed);
    }
}

#[test]
fn any_row_that_was_written_is_kept_as_it_is() {
    // Out of order, or with values no sample makes: nothing of it may be lost or go wrong.
    let rows: [Row; 4] = [
        (70, 90, 1.0, -5.0, 9.0, 1.0, 2.0, 3.0, 7),
        (10, 5, 1.0, 1.0, 1.0, 1.0, 8.0, 0.0, 0),
        (u32::MAX, u32::MAX, 2.0, 2.0, 3.0, 3.0, 5.0, 1.0, 1),
        (0, u32::MAX, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, u16::MAX),
    ];
    let plain: Vec<Bucket> = rows.into_iter().map(Bucket::from).collect();
    assert_same(&plain.iter().copied().collect(), &plain);
}

#[test]
fn a_bucket_of_one_sample_takes_six_bytes_and_the_longest_is_bounded() {
    let mut steady = Buckets::default();
    let mut still = Buckets::default();
    for n in 0..101_u32 {
        steady.push(Bucket::of(n * 100, 0.1 + n as f32, n.checked_sub(1).map(|b| 0.1 + b as f32)));
        still.push(Bucket::of(n * 600, 7.5, Some(7.5)));
        (1..6).for_each(|more| still.newest_mut().unwrap().add(n * 600 + more * 100, 7.5));
    }
    // Nothing is before the first one that tells what it gained.
    assert_eq!(steady.closed.len(), 600 + 4);
    assert_eq!(still.closed.len(), 900 + 4);
    let wild = Bucket {
        from: u32::MAX,
        until: u32::MAX - 1,
        first: 1.0,
        min: -2.0,
        max: 5.0,
        last: 2.0,
        sum: 9.0,
        gain: 1.5,
        count: u16::MAX,
    };
    let mut code = Code::default();
    code.bucket(Before::default(), &wild);
    assert!(code.bytes().len() < LONGEST);
}
