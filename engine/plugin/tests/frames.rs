//! What must hold for all frames.

mod check;

use check::{read, Outcome, OwnedReply};
use proptest::{collection::vec, prelude::*};
use pummel_plugin::frames::Calls;
use serde_json::{json, Value};

fn arguments() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((any::<String>(), inner), 0..4).prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn replies() -> impl Strategy<Value = Vec<OwnedReply>> {
    vec((any::<u32>(), any::<bool>(), vec(any::<u8>(), 0..40)), 0..8)
}

fn bytes_of(replies: &[OwnedReply]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (id, returned, payload) in replies {
        bytes.extend((payload.len() as u32).to_le_bytes());
        bytes.extend(id.to_le_bytes());
        bytes.push(u8::from(!returned));
        bytes.extend(payload);
    }
    bytes
}

proptest! {
    #[test]
    fn calls_come_out_of_a_parser_as_they_went_in(
        calls in vec((0..u32::MAX, "[A-Za-z_][A-Za-z0-9_]{0,12}", vec(arguments(), 0..4)), 1..8),
        frames in 1..3,
    ) {
        let mut out = Calls::default();
        let mut spare = Vec::new();
        for _ in 0..frames {
            for (id, function, arguments) in &calls {
                out.push(*id, function, &Value::from(arguments.clone()).to_string());
            }
            let frame = out.take(spare);
            let length = u32::from_le_bytes(frame[..4].try_into().unwrap());
            prop_assert_eq!(length as usize, frame.len() - 4);
            let expected: Vec<Value> = calls.iter().map(|(id, function, arguments)| json!([id, function, arguments])).collect();
            prop_assert_eq!(serde_json::from_slice::<Vec<Value>>(&frame[4..]).unwrap(), expected);
            spare = frame;
            spare.clear();
        }
    }

    #[test]
    fn replies_are_the_same_however_their_bytes_come(replies in replies(), cuts in vec(any::<prop::sample::Index>(), 0..8)) {
        let bytes = bytes_of(&replies);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
        prop_assert_eq!(read(pieces), Outcome { replies, rest: Ok(Vec::new()) });
    }

    #[test]
    fn the_begin_of_replies_is_no_error(replies in replies(), cut in any::<prop::sample::Index>()) {
        let bytes = bytes_of(&replies);
        let begin = &bytes[..cut.index(bytes.len() + 1)];
        let outcome = read([begin].into_iter());
        prop_assert_eq!([bytes_of(&outcome.replies), outcome.rest.unwrap()].concat(), begin);
    }

    #[test]
    fn any_bytes_are_read_or_refused(data in vec(any::<u8>(), 0..400)) {
        check::replies(&data);
    }
}
