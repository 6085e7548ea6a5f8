//! Which pixels meet which taps of the kernel, worked out once a call for all rows and columns.
use crate::ops::conv2d::Window;

/// A tap of one axis of the kernel and the row or column that it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tap {
    pub(super) tap: usize,
    pub(super) at: usize,
}

/// Pixels of a row whose sums have the same taps: pixel p is column `first + p * step`, and meets its taps
/// `p * source_step` columns after where they say.
#[derive(Clone, Debug)]
pub(super) struct PixelBlock {
    pub(super) first: usize,
    pub(super) many: usize,
    pub(super) taps: Vec<Tap>,
    /// Both steps are 1 and the taps meet adjacent columns: pixels share what they meet.
    pub(super) run: bool,
}

/// Numbers of pixels of a [`PixelBlock`], as many as its row allows.
pub(super) const PIXELS: [usize; 3] = [8, 4, 1];

/// Taps of every row and column of a map of sums.
#[derive(Debug)]
pub(super) struct TapPlan {
    /// Height and width of the map that is summed.
    pub(super) source: [usize; 2],
    /// Columns of the map of sums.
    pub(super) width: usize,
    /// Columns of the kernel.
    pub(super) kernel: usize,
    /// Taps of every row.
    pub(super) rows: Vec<Vec<Tap>>,
    pub(super) blocks: Vec<PixelBlock>,
    pub(super) step: usize,
    pub(super) source_step: usize,
}

impl TapPlan {
    /// Outputs as sums of inputs.
    pub(super) fn outputs(window: &Window, size: [usize; 2], places: [usize; 2]) -> Self {
        let taps = |axis: usize| met(window, axis, size[axis], places[axis]);
        Self::new(window, size, [taps(0), taps(1)], 1, window.stride[1])
    }

    /// Inputs as sums of outputs: the same, transposed.
    pub(super) fn inputs(window: &Window, size: [usize; 2], places: [usize; 2]) -> Self {
        let taps = |axis: usize| {
            let mut of_input = vec![Vec::new(); size[axis]];
            for (place, taps) in met(window, axis, size[axis], places[axis]).iter().enumerate() {
                taps.iter().for_each(|t| of_input[t.at].push(Tap { tap: t.tap, at: place }));
            }
            of_input
        };
        // Pixels that lie a stride apart have the same taps.
        Self::new(window, places, [taps(0), taps(1)], window.stride[1], 1)
    }

    fn new(
        window: &Window,
        source: [usize; 2],
        [rows, columns]: [Vec<Vec<Tap>>; 2],
        step: usize,
        source_step: usize,
    ) -> Self {
        let mut blocks = Vec::new();
        for phase in 0..step {
            let mut first = phase;
            while first < columns.len() {
                let alike = |p: &usize| {
                    let column = columns.get(first + p * step);
                    column.is_some_and(|taps| {
                        let shifted = |t: &Tap| Tap { at: t.at + p * source_step, ..*t };
                        taps.iter().copied().eq(columns[first].iter().map(shifted))
                    })
                };
                let many = PIXELS.into_iter().find(|n| (1..*n).all(|p| alike(&p))).unwrap_or(1);
                let taps = columns[first].clone();
                let alone = step == 1 && source_step == 1;
                let run = alone && taps.windows(2).all(|pair| pair[1].at == pair[0].at + 1);
                blocks.push(PixelBlock { first, many, taps, run });
                first += many * step;
            }
        }
        Self { source, width: columns.len(), kernel: window.kernel[1], rows, blocks, step, source_step }
    }
}

/// For every place of an axis, the taps that meet the map.
fn met(window: &Window, axis: usize, size: usize, places: usize) -> Vec<Vec<Tap>> {
    let (kernel, stride, padding) = (window.kernel[axis], window.stride[axis], window.padding[axis]);
    let taps = |place: usize| {
        let seen = (0..kernel).map(move |tap| (tap, place * stride + tap));
        seen.filter(|(_, at)| (padding..padding + size).contains(at))
            .map(|(tap, at)| Tap { tap, at: at - padding })
            .collect()
    };
    (0..places).map(taps).collect()
}
