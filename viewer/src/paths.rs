//! Where things are in a recording: entity paths and timelines.
use std::borrow::Cow;

use rerun::{EntityPath, EntityPathPart};

/// The timelines that the recorder sets; Rerun adds the wall clock.
pub(crate) const STEP: &str = "step";
pub(crate) const TRAINING_TIME: &str = "training_time";

/// `parent/child` where the child is one part, whatever characters it has.
pub(crate) fn entity(parent: &str, child: &str) -> EntityPath {
    EntityPath::parse_forgiving(parent).join(&EntityPath::from(vec![EntityPathPart::new(child)]))
}

/// A path below `parent`, from a `/`-separated name.
pub(crate) fn below(parent: &str, name: &str) -> EntityPath {
    let parts = name.split('/').filter(|part| !part.is_empty()).map(EntityPathPart::new).collect::<Vec<_>>();
    EntityPath::parse_forgiving(parent).join(&EntityPath::from(parts))
}

/// A name as one part of a path.
pub(crate) fn flat(name: &str) -> Cow<'_, str> {
    if name.contains('/') { name.replace('/', " ").into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_one_part_of_a_path_and_any_text_a_path_of_parts() {
        assert_eq!(entity("views", "a b/ü.png").len(), 2);
        assert_eq!(below("numbers", "eval/psnr").to_string(), "/numbers/eval/psnr");
        assert_eq!(below("numbers", "/odd//name").len(), 3);
    }
}
