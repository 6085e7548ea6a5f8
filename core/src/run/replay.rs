//! What a listener that comes late is told of the past.
use std::collections::VecDeque;

use super::{
    Event,
    backlog::{Holds, make_room},
};

/// The events that a listener hears first which comes late or comes back: all numbers and messages, thinned out beyond
/// [`Delivery::KEPT`](super::Delivery::KEPT), and the newest of each picture, within a limit of bytes.
#[derive(Clone, Debug)]
pub struct ReplayBuffer {
    events: VecDeque<Event>,
    bytes: usize,
}

impl ReplayBuffer {
    /// An empty buffer that holds at most so many bytes of pictures.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self { events: VecDeque::new(), bytes }
    }

    /// Adds an event, and drops those that it supersedes.
    pub fn push(&mut self, event: &Event) {
        if make_room(&mut self.events, event, self.bytes).1 {
            self.events.push_back(event.clone());
        }
    }

    /// The events that are left, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Event> {
        self.events.iter()
    }
}

impl Holds for Event {
    fn event(&self) -> Option<&Event> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{ImageRole, Level};

    fn picture(name: &str, role: ImageRole, step: u64) -> Event {
        let data = vec![0; 40].into();
        Event::Image { step, name: name.into(), role, width: 40, height: 1, channels: 1, data }
    }

    fn text(message: impl Into<String>) -> Event {
        Event::Text { level: Level::Info, message: message.into() }
    }

    #[test]
    fn one_that_comes_late_hears_all_numbers_and_the_newest_of_each_picture() {
        let mut past = ReplayBuffer::new(100);
        for step in 0..5 {
            past.push(&picture("truth", ImageRole::GroundTruth, step));
            past.push(&picture("a", ImageRole::Prediction, step));
            past.push(&text(step.to_string()));
        }
        let told: Vec<Event> = past.iter().cloned().collect();
        assert_eq!(told.len(), 7);
        assert_eq!(
            told[4..],
            [picture("truth", ImageRole::GroundTruth, 4), picture("a", ImageRole::Prediction, 4), text("4")]
        );
    }
}
