//! The views that a training draws its rays from, as plain data.

use super::EngineError;
use crate::ops::cast::RayCamera;
use std::sync::Arc;

/// A set of views that an engine holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ViewsId(usize);

/// Sets of views, as an engine keeps them.
#[derive(Debug)]
pub(super) struct HeldViews<V>(Vec<Option<V>>);

impl<V> HeldViews<V> {
    /// None.
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// Keeps a set.
    pub fn add(&mut self, views: V) -> ViewsId {
        let free = self.0.iter().position(Option::is_none).unwrap_or(self.0.len());
        if free == self.0.len() {
            self.0.push(None);
        }
        self.0[free] = Some(views);
        ViewsId(free)
    }

    /// A set that is kept.
    pub fn get(&self, id: ViewsId) -> Option<&V> {
        self.0.get(id.0)?.as_ref()
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, id: ViewsId) -> Option<&mut V> {
        self.0.get_mut(id.0)?.as_mut()
    }

    /// Gives a set back.
    pub fn remove(&mut self, id: ViewsId) -> Option<V> {
        self.0.get_mut(id.0)?.take()
    }
}

/// Refuses views that contradict themselves, for a field with these heads that are compared by channels: names and numbers
/// of channels.
pub(super) fn check_views(views: &[TrainView], heads: &[(&str, usize)]) -> Result<(), EngineError> {
    let problem = |(view, found): (usize, &TrainView)| Some((view, found.problem(heads)?));
    match views.iter().enumerate().find_map(problem) {
        Some((view, reason)) => Err(EngineError::View { view, reason }),
        None => Ok(()),
    }
}

/// One view: its camera, its pixels, and what else is known of them. Cloning shares the pixels.
#[derive(Clone, Debug)]
pub struct TrainView {
    /// Where its rays start, and where they go.
    pub camera: RayCamera,
    /// What they should show.
    pub pixels: PixelImage,
    /// The pixels that rays are drawn through, as indices, ascending; all of them without such a list.
    pub kept: Option<Arc<[u32]>>,
    /// Pixels whose distance is known, along their rays in the marching frame.
    pub points: Arc<[(u32, f32)]>,
    /// Depths of its pixels.
    pub depth: Option<DepthImage>,
    /// Values for the heads that compare channels.
    pub maps: Vec<FeatureMap>,
}

/// Pixels of 8 bits a channel, rows from the top.
#[derive(Clone, Debug)]
pub struct PixelImage {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// 3 (RGB) or 4 (RGBA, straight alpha).
    pub channels: usize,
    /// `[row][column][channel]`.
    pub data: Arc<[u8]>,
}

impl PixelImage {
    /// How many pixels it has.
    pub fn len(&self) -> u32 {
        self.width * self.height
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A pixel as it is stored: its channels.
    #[inline]
    pub(super) fn stored(&self, pixel: u32) -> &[u8] {
        let at = pixel as usize * self.channels;
        &self.data[at..at + self.channels]
    }

    /// A pixel as RGBA; without an alpha channel it is opaque.
    #[inline]
    pub(super) fn rgba(&self, pixel: u32) -> [u8; 4] {
        let p = self.stored(pixel);
        [p[0], p[1], p[2], if self.channels == 4 { p[3] } else { 255 }]
    }
}

/// Depths along the optical axis, one a pixel of the view.
#[derive(Clone, Debug)]
pub struct DepthImage {
    /// Rows from the top; 0 where it is not known.
    pub data: Arc<[f32]>,
    /// From its unit to the marching frame's.
    pub scale: f32,
}

/// Values of a view's pixels, for the head of this name. It may be smaller than the view: a pixel has the values of the
/// place that its center lies in.
#[derive(Clone, Debug)]
pub struct FeatureMap {
    /// The head.
    pub head: String,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `[row][column][channel]`, as many channels as the head has.
    pub data: Arc<[f32]>,
}

impl FeatureMap {
    /// The values at a pixel of a view of this size.
    #[inline]
    pub(super) fn at(&self, [x, y]: [u32; 2], image: &PixelImage, channels: usize) -> &[f32] {
        // Of the center, in whole numbers: (2 x + 1) / 2 of `width`.
        let place = |x: u32, of: u32, places: u32| {
            ((2 * u64::from(x) + 1) * u64::from(places) / (2 * u64::from(of))) as usize
        };
        let (column, row) = (place(x, image.width, self.width), place(y, image.height, self.height));
        let at = (row * self.width as usize + column) * channels;
        &self.data[at..at + channels]
    }
}

impl TrainView {
    /// What of it cannot be, for a field with these heads that are compared by channels: names and numbers of channels.
    fn problem(&self, heads: &[(&str, usize)]) -> Option<String> {
        let PixelImage { width, height, channels, data } = &self.pixels;
        let pixels = u64::from(*width) * u64::from(*height);
        let fits = matches!(channels, 3 | 4) && data.len() as u64 == pixels * *channels as u64;
        if !fits || pixels == 0 || pixels > u64::from(u32::MAX) {
            return Some(format!("{} bytes for {width} x {height} pixels of {channels}", data.len()));
        }
        let inside = |pixel: &u32| u64::from(*pixel) < pixels;
        let kept = self.kept.as_ref().is_none_or(|kept| !kept.is_empty() && kept.iter().all(inside));
        if !kept || !self.points.iter().all(|(pixel, _)| inside(pixel)) {
            return Some("it names pixels that it does not have, or none".into());
        }
        if self.depth.as_ref().is_some_and(|depth| depth.data.len() as u64 != pixels) {
            return Some("its depths are not one a pixel".into());
        }
        heads.iter().find_map(|(head, channels)| {
            let Some(map) = self.maps.iter().find(|map| map.head == **head) else {
                return Some(format!("it has no map for the head `{head}`"));
            };
            let values = u64::from(map.width) * u64::from(map.height) * *channels as u64;
            (values == 0 || map.data.len() as u64 != values)
                .then(|| format!("the map for the head `{head}` does not have {channels} values a place"))
        })
    }
}
