//! What may wait for a viewer that is behind.
use std::collections::VecDeque;

use super::{Delivery, Event, Retention};

/// Something that may hold an event.
pub(super) trait Holds {
    /// The event.
    fn event(&self) -> Option<&Event>;
}

/// Drops what must go so that `event` may wait too: pictures of the same thing, then the oldest pictures beyond
/// `limit` bytes, then what was said once; of too many numbers and messages every second one. How many were
/// dropped, and whether `event` itself has room.
pub(super) fn make_room<T: Holds>(waiting: &mut VecDeque<T>, event: &Event, limit: usize) -> (u64, bool) {
    let before = waiting.len();
    let retention = event.retention();
    let fits = if retention == Retention::All {
        if before >= Delivery::KEPT && !is_last(event) {
            thin_out(waiting);
        }
        true
    } else {
        waiting.retain(|m| !shown(m).is_some_and(|old| old.is_superseded_by(event)));
        let mut held: usize = waiting.iter().filter_map(shown).map(Event::bytes).sum();
        for drop in [Retention::Latest, Retention::Once] {
            // A picture does not drive out what is said only once.
            if drop == Retention::Latest || retention == Retention::Once {
                waiting.retain(|m| match shown(m).filter(|old| old.retention() == drop) {
                    Some(old) if held + event.bytes() > limit => {
                        held -= old.bytes();
                        false
                    }
                    _ => true,
                });
            }
        }
        held + event.bytes() <= limit
    };
    ((before - waiting.len()) as u64, fits)
}

/// The event of a message, if it is a picture.
fn shown(message: &impl Holds) -> Option<&Event> {
    message.event().filter(|event| event.retention() != Retention::All)
}

fn is_last(event: &Event) -> bool {
    matches!(event, Event::Done { .. })
}

/// Drops every second number or message: what is left still spans the whole time.
fn thin_out(waiting: &mut VecDeque<impl Holds>) {
    let mut nth = 0usize;
    waiting.retain(|message| {
        let Some(event) = message.event() else { return true };
        let thinned =
            event.retention() == Retention::All && !is_last(event) && !matches!(event, Event::Classes { .. });
        nth += usize::from(thinned);
        !thinned || nth.is_multiple_of(2)
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::run::{ImageRole, Level, queue::Message};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn picture(name: &str, role: ImageRole, step: u64, bytes: usize) -> Event {
        let data = vec![0; bytes].into();
        Event::Image { step, name: name.into(), role, width: bytes, height: 1, channels: 1, data }
    }

    fn text(message: impl Into<String>) -> Event {
        Event::Text { level: Level::Info, message: message.into() }
    }

    fn push(waiting: &mut VecDeque<Message>, event: Event, limit: usize) -> (u64, bool) {
        let (dropped, fits) = make_room(waiting, &event, limit);
        if fits {
            waiting.push_back(Message::Event(Arc::new(event)));
        }
        (dropped, fits)
    }

    fn names(waiting: &VecDeque<Message>) -> Vec<String> {
        let name = |m: &Message| match m {
            Message::Event(event) => match &**event {
                Event::Image { name, step, .. } => format!("{name}{step}"),
                Event::Text { message, .. } => message.clone(),
                _ => "other".into(),
            },
            Message::Flush(_) => "flush".into(),
        };
        waiting.iter().map(name).collect()
    }

    #[test]
    fn a_newer_picture_of_the_same_takes_the_place_of_the_old() {
        let mut waiting = VecDeque::new();
        push(&mut waiting, picture("a", ImageRole::Prediction, 1, 10), 100);
        push(&mut waiting, picture("a", ImageRole::Error, 1, 10), 100);
        push(&mut waiting, picture("b", ImageRole::Prediction, 1, 10), 100);
        push(&mut waiting, text("kept"), 100);
        assert_eq!(push(&mut waiting, picture("a", ImageRole::Prediction, 2, 10), 100), (1, true));
        assert_eq!(names(&waiting), ["a1", "b1", "kept", "a2"]);
    }

    #[test]
    fn old_pictures_go_first_then_what_is_said_once_and_never_a_message() {
        let mut waiting = VecDeque::new();
        push(&mut waiting, picture("truth", ImageRole::GroundTruth, 0, 40), 100);
        push(&mut waiting, text("kept"), 100);
        push(&mut waiting, picture("a", ImageRole::Prediction, 1, 30), 100);
        push(&mut waiting, picture("b", ImageRole::Prediction, 2, 30), 100);
        assert_eq!(push(&mut waiting, picture("c", ImageRole::Prediction, 3, 25), 100), (1, true));
        assert_eq!(names(&waiting), ["truth0", "kept", "b2", "c3"]);
        assert_eq!(push(&mut waiting, picture("d", ImageRole::Prediction, 4, 70), 100), (2, false));
        assert_eq!(names(&waiting), ["truth0", "kept"], "a picture does not drive out a photograph");
        assert_eq!(push(&mut waiting, picture("e", ImageRole::GroundTruth, 0, 70), 100), (1, true));
        assert_eq!(names(&waiting), ["kept", "e0"]);
    }

    #[test]
    fn thinned_numbers_still_span_the_whole_time() {
        let mut waiting = VecDeque::new();
        let dropped: u64 =
            (0..3 * Delivery::KEPT).map(|i| push(&mut waiting, text(i.to_string()), 0).0).sum();
        push(&mut waiting, Event::Done { reason: crate::run::DoneReason::Finished }, 0);
        assert_eq!(waiting.len() as u64 + dropped, 3 * Delivery::KEPT as u64 + 1);
        assert!(waiting.len() <= Delivery::KEPT + 1);
        let left: Vec<usize> = names(&waiting).iter().filter_map(|n| n.parse().ok()).collect();
        let widest: usize = left.windows(2).map(|w| w[1] - w[0]).max().unwrap();
        assert!(left[0] < 32 && widest <= 32, "first {}, widest gap {widest}", left[0]);
        assert_eq!(names(&waiting).last().unwrap(), "other", "the end is not thinned out");
    }

    proptest! {
        /// Whatever comes: pictures never hold more than their bytes, order is kept, nothing is counted wrong.
        #[test]
        fn pictures_stay_within_their_bytes(events in prop::collection::vec((0u8..4, 0usize..60), 0..60)) {
            let mut waiting = VecDeque::new();
            let (mut lost, count) = (0, events.len() as u64);
            for (step, (kind, bytes)) in events.into_iter().enumerate() {
                let step = step as u64;
                let event = match kind {
                    0 => text(format!("t{step}")),
                    1 => picture("truth", ImageRole::GroundTruth, step, bytes),
                    n => picture(&n.to_string(), ImageRole::Prediction, step, bytes),
                };
                let (dropped, fits) = push(&mut waiting, event, 100);
                lost += dropped + u64::from(!fits);
                prop_assert!(waiting.iter().filter_map(shown).map(Event::bytes).sum::<usize>() <= 100);
            }
            prop_assert_eq!(waiting.len() as u64 + lost, count);
        }
    }
}
