//! The scale on which distances along a ray are compared, spread as marching spreads its steps.

/// A monotone map of distances to 0..1: linear up to `knee`, logarithmic beyond.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DistanceScale {
    /// Infinite where there is none, which JSON has no word for: it is left out then.
    #[serde(default = "infinite", skip_serializing_if = "is_infinite")]
    knee: f32,
    factor: f32,
}

fn infinite() -> f32 {
    f32::INFINITY
}

fn is_infinite(knee: &f32) -> bool {
    *knee == f32::INFINITY
}

impl Default for DistanceScale {
    /// Distances as they are.
    fn default() -> Self {
        Self { knee: f32::INFINITY, factor: 1.0 }
    }
}

impl DistanceScale {
    /// For steps that grow from the distance `knee` on (infinite: never) and rays no longer than `longest`.
    pub fn new(knee: f32, longest: f32) -> Self {
        let plain = Self { knee, factor: 1.0 };
        Self { knee, factor: 1.0 / plain.at(longest) }
    }

    /// Where it turns logarithmic, and its factor.
    pub(crate) fn parts(&self) -> (f32, f32) {
        (self.knee, self.factor)
    }

    /// The place of a distance.
    #[inline]
    pub fn at(&self, t: f32) -> f32 {
        self.factor * if t <= self.knee { t } else { self.knee * (1.0 + (t / self.knee).ln()) }
    }

    /// The length of a stretch of length `dt` there.
    #[inline]
    pub fn length(&self, t: f32, dt: f32) -> f32 {
        self.factor * dt * if t <= self.knee { 1.0 } else { self.knee / t }
    }
}
