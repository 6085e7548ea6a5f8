//! The camera that a viewer shows a scene from at first, placed by the scene's own cameras.
use nerve_core::run::View;

/// How far it is from what it looks at, as a share of how far the cameras are.
const AWAY: f64 = 1.7;
/// How much of that is upwards.
const RISE: f64 = 0.5;
/// Cameras that lie around what they look at leave their middle nearer to it than this share of their distance.
const AROUND: f64 = 0.4;
/// How much the point that they look at is drawn to where it would be if they looked nowhere in common.
const PULL: f64 = 0.02;

/// A camera in the world frame, which looks from `position` at `target`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StartCamera {
    pub(crate) position: [f64; 3],
    pub(crate) target: [f64; 3],
    /// A signed axis.
    pub(crate) up: [f64; 3],
}

impl StartCamera {
    /// Above and behind the cameras, or to the side if they are all around, so that both they and what they look at
    /// are seen. `None` if that cannot be told.
    pub(crate) fn of(views: &[View]) -> Option<Self> {
        let (axis, sign) = up(views)?;
        let n = views.len() as f64;
        let column = |view: &View, c: usize| [0, 1, 2].map(|r| view.pose[r][c]);
        let mean = |c: usize| [0, 1, 2].map(|r| views.iter().map(|v| v.pose[r][c]).sum::<f64>() / n);
        let (middle, backwards, spread) = (mean(3), mean(2), spread(views));
        let nowhere = [0, 1, 2].map(|a| middle[a] - backwards[a] * spread);
        // The point nearest to the cameras' axes, in least squares.
        let mut matrix = [[0.0; 3]; 3];
        let mut right = [0.0; 3];
        for view in views {
            let (axis, centre) = (unit(column(view, 2))?, column(view, 3));
            for r in 0..3 {
                for c in 0..3 {
                    let same = f64::from(u8::from(r == c));
                    let across = same - axis[r] * axis[c];
                    matrix[r][c] += across + PULL * same;
                    right[r] += across * centre[c] + PULL * same * nowhere[c];
                }
            }
        }
        let target = solve(matrix, right)?;
        let away = views.iter().map(|v| length(minus(column(v, 3), target))).sum::<f64>() / n;
        let mut level = minus(middle, target);
        level[axis] = 0.0;
        if length(level) < AROUND * away {
            level = [1.0, 0.6, 0.3];
            level[axis] = 0.0;
        }
        let mut direction = unit(level)?.map(|v| v * (1.0 - RISE * RISE).sqrt());
        direction[axis] = RISE * sign;
        let mut up = [0.0; 3];
        up[axis] = sign;
        let position = [0, 1, 2].map(|a| target[a] + AWAY * away * direction[a]);
        position.iter().all(|v| v.is_finite()).then_some(Self { position, target, up })
    }
}

/// The axis that is up for the cameras on average, and its sign, if any is.
pub(crate) fn up(views: &[View]) -> Option<(usize, f64)> {
    let mean = [0, 1, 2].map(|r| views.iter().map(|v| v.pose[r][1]).sum::<f64>());
    let axis = (0..3).max_by(|a, b| mean[*a].abs().total_cmp(&mean[*b].abs()))?;
    (mean[axis] != 0.0 && mean[axis].is_finite()).then(|| (axis, mean[axis].signum()))
}

/// The cameras' mean distance from their middle, in world units; of one camera, 1.
pub(crate) fn spread(views: &[View]) -> f64 {
    let n = views.len().max(1) as f64;
    let middle = [0, 1, 2].map(|r| views.iter().map(|v| v.pose[r][3]).sum::<f64>() / n);
    let distance = |v: &View| (0..3).map(|r| (v.pose[r][3] - middle[r]).powi(2)).sum::<f64>().sqrt();
    let mean = views.iter().map(distance).sum::<f64>() / n;
    if mean.is_finite() && mean > 0.0 { mean } else { 1.0 }
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn length(v: [f64; 3]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn unit(v: [f64; 3]) -> Option<[f64; 3]> {
    let length = length(v);
    (length > 0.0 && length.is_finite()).then(|| v.map(|x| x / length))
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// The solution of a symmetric system, by Cramer's rule.
fn solve([a, b, c]: [[f64; 3]; 3], right: [f64; 3]) -> Option<[f64; 3]> {
    let determinant = dot(a, cross(b, c));
    let solution = [dot(right, cross(b, c)), dot(a, cross(right, c)), dot(a, cross(b, right))];
    (determinant != 0.0 && determinant.is_finite()).then(|| solution.map(|v| v / determinant))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A camera that looks at a point, z up.
    fn looking(centre: [f64; 3], at: [f64; 3]) -> View {
        let back = unit(minus(centre, at)).unwrap();
        let right = unit(cross([0.0, 0.0, 1.0], back)).unwrap();
        let up = cross(back, right);
        View {
            name: String::new(),
            held_out: false,
            pose: [0, 1, 2].map(|r| [right[r], up[r], back[r], centre[r]]),
            resolution: [4.0; 2],
            focal: [4.0; 2],
            principal: [2.0; 2],
            photo: None,
        }
    }

    #[test]
    fn what_all_look_at_is_in_the_middle_and_the_start_above_and_beyond_the_cameras() {
        let at = [3.0, -2.0, 1.0];
        let around = |i: i32| {
            let (s, c) = (f64::from(i) * 0.7).sin_cos();
            looking([at[0] + 4.0 * c, at[1] + 4.0 * s, at[2] + 1.0 + 0.2 * s], at)
        };
        let start = StartCamera::of(&(0..9).map(around).collect::<Vec<_>>()).unwrap();
        assert!(length(minus(start.target, at)) < 0.15, "{start:?}");
        let away = minus(start.position, start.target);
        assert!(length(away) > 6.0 && away[2] > 3.0, "{start:?}");
        assert_eq!(start.up, [0.0, 0.0, 1.0]);
    }

    #[test]
    fn the_start_is_behind_cameras_that_look_one_way() {
        let row = |i: i32| looking([f64::from(i), 0.0, 0.0], [f64::from(i), 5.0, 0.0]);
        let start = StartCamera::of(&(0..5).map(row).collect::<Vec<_>>()).unwrap();
        assert!(
            start.target[1] > 0.5 && start.position[1] < 0.0 && (start.target[0] - 2.0).abs() < 1e-6,
            "{start:?}"
        );
    }

    #[test]
    fn of_no_camera_or_a_broken_one_there_is_no_start() {
        assert_eq!(StartCamera::of(&[]), None);
        let mut broken = looking([1.0, 0.0, 0.0], [0.0; 3]);
        broken.pose[0][3] = f64::NAN;
        assert_eq!(StartCamera::of(&[broken]), None);
    }
}
