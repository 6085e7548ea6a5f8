//! Parameter groups: which variables share a learning rate and a decay, as data.
use candle_core::{Result, bail};
use serde::Serialize;

use super::{VariableKind, Variables};

/// Which variables a group takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Matcher {
    /// All.
    All,
    /// Keys that begin so.
    Prefix(String),
    /// Keys that end so.
    Suffix(String),
    /// Variables with fewer extents: 2 takes biases and the weights of norms.
    RankBelow(usize),
    /// What one of these takes.
    Any(Vec<Matcher>),
    /// What all of these take.
    Every(Vec<Matcher>),
    /// What this does not take.
    Not(Box<Matcher>),
}

impl Matcher {
    /// Whether it takes the variable of this key and shape.
    #[must_use]
    pub fn matches(&self, key: &str, shape: &[usize]) -> bool {
        match self {
            Self::All => true,
            Self::Prefix(prefix) => key.starts_with(prefix),
            Self::Suffix(suffix) => key.ends_with(suffix),
            Self::RankBelow(rank) => shape.len() < *rank,
            Self::Any(all) => all.iter().any(|matcher| matcher.matches(key, shape)),
            Self::Every(all) => all.iter().all(|matcher| matcher.matches(key, shape)),
            Self::Not(matcher) => !matcher.matches(key, shape),
        }
    }
}

/// What the optimizer does with some of the variables. Of a list of groups the first that matches takes a variable.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParamGroup {
    /// Named in messages.
    pub name: String,
    /// Which variables it takes.
    pub matcher: Matcher,
    /// Learning rate where the schedule's factor is 1.
    pub lr: f32,
    /// Decoupled weight decay per unit of learning rate.
    pub decay: f32,
    /// Whether its variables stay as they are; see [`Variables::freeze`].
    pub frozen: bool,
}

/// What a group holds of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupSummary {
    /// Its name.
    pub name: String,
    /// Learning rate where the schedule's factor is 1.
    pub lr: f32,
    /// Decoupled weight decay per unit of learning rate.
    pub decay: f32,
    /// Whether its variables stay as they are.
    pub frozen: bool,
    /// Values of its variables.
    pub parameters: usize,
}

impl ParamGroup {
    /// The group of the variable with this key and shape, if one takes it.
    #[must_use]
    pub fn of<'a>(groups: &'a [Self], key: &str, shape: &[usize]) -> Option<&'a Self> {
        groups.iter().find(|group| group.matcher.matches(key, shape))
    }

    /// What each group holds of these variables, buffers left out. A variable that was built frozen counts to its group
    /// whatever the group says.
    #[must_use]
    pub fn summaries(groups: &[Self], variables: &Variables) -> Vec<GroupSummary> {
        let mut all: Vec<GroupSummary> = groups
            .iter()
            .map(|group| GroupSummary {
                name: group.name.clone(),
                lr: group.lr,
                decay: group.decay,
                frozen: group.frozen,
                parameters: 0,
            })
            .collect();
        let weights = variables.all().into_iter().filter(|(_, v)| v.kind != VariableKind::Buffer);
        for (key, variable) in weights {
            let taken = groups.iter().position(|group| group.matcher.matches(&key, variable.var.dims()));
            if let Some(summary) = taken.and_then(|i| all.get_mut(i)) {
                summary.parameters += variable.var.elem_count();
            }
        }
        all
    }

    /// The group of a trainable variable.
    ///
    /// # Errors
    /// If none takes it, or one that is frozen.
    pub(super) fn training<'a>(groups: &'a [Self], key: &str, shape: &[usize]) -> Result<&'a Self> {
        match Self::of(groups, key, shape) {
            Some(group) if group.frozen => {
                bail!("{key} belongs to the frozen group '{}', but its model trains it", group.name)
            }
            Some(group) => Ok(group),
            None => bail!("{key} {shape:?} belongs to no parameter group"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Init, Optimizer};

    fn group(name: &str, matcher: Matcher) -> ParamGroup {
        ParamGroup { name: name.into(), matcher, lr: 0.1, decay: 0.01, frozen: false }
    }

    #[test]
    fn the_first_group_that_matches_takes_a_variable() {
        let head = || Matcher::Prefix("head.".into());
        let small = Matcher::Any(vec![Matcher::RankBelow(2), Matcher::Suffix("table".into())]);
        let groups = [
            group("small", Matcher::Every(vec![head(), small])),
            group("head", head()),
            group("rest", Matcher::Not(Box::new(Matcher::Suffix("lost".into())))),
        ];
        let name = |key: &str, shape: &[usize]| ParamGroup::of(&groups, key, shape).map(|g| g.name.as_str());
        assert_eq!(name("head.bias", &[3]), Some("small"));
        assert_eq!(name("head.table", &[3, 2]), Some("small"));
        assert_eq!(name("head.weight", &[3, 2]), Some("head"));
        assert_eq!(name("backbone.bias", &[3]), Some("rest"));
        assert_eq!(name("lost", &[3]), None);
        assert_eq!(ParamGroup::of(&[group("all", Matcher::All)], "lost", &[3]).map(|g| g.lr), Some(0.1));
    }

    #[test]
    fn every_trainable_variable_needs_a_group_that_trains_it() {
        let variables = Variables::random(1);
        let scope = variables.tracked();
        scope.weight("a", &[3, 2], Init::Normal(1.0)).expect("a");
        scope.buffer("mean", &[7], 0.0).expect("a buffer");
        scope.frozen().weight("b", &[4], Init::Normal(1.0)).expect("b");
        let a = |frozen| ParamGroup { frozen, ..group("first", Matcher::Prefix("a".into())) };
        let refused = |groups: &[ParamGroup]| {
            Optimizer::new(&variables, None, groups).err().expect("refused").to_string()
        };
        assert!(refused(&[]).contains("a [3, 2] belongs to no parameter group"));
        assert!(refused(&[a(true)]).contains("frozen group 'first'"));
        assert!(Optimizer::new(&variables, None, &[a(false)]).is_ok(), "what is frozen needs none");
        let summaries = ParamGroup::summaries(&[a(false), group("rest", Matcher::All)], &variables);
        let found: Vec<_> = summaries.iter().map(|s| (s.name.as_str(), s.parameters)).collect();
        assert_eq!(found, [("first", 6), ("rest", 4)]);
    }
}
