//! Colors that stand for nothing: Instant-NGP's `white_transparent` and `black_transparent`.

use super::Image8;

/// Which pure colors are transparent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clear {
    /// (255, 255, 255).
    pub white: bool,
    /// (0, 0, 0).
    pub black: bool,
}

impl Image8 {
    /// With alpha 0 where a pixel has one of the colors; unchanged if there are none.
    #[must_use]
    pub(crate) fn cleared(self, clear: Clear) -> Self {
        if clear == Clear::default() {
            return self;
        }
        let channels = usize::from(self.channels);
        let pixel = |p: &[u8]| {
            let nothing = clear.white && p[..3] == [255; 3] || clear.black && p[..3] == [0; 3];
            let alpha = if nothing { 0 } else { p.get(3).copied().unwrap_or(255) };
            [p[0], p[1], p[2], alpha]
        };
        let data: Vec<u8> = self.data.chunks_exact(channels).flat_map(pixel).collect();
        Self { channels: 4, data: data.into(), ..self }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_pure_color_is_cleared() {
        let data = [255, 255, 255, 254, 255, 255, 0, 0, 0, 7, 8, 9];
        let alpha = |white, black| {
            let image = Image8::new(2, 2, 3, data).unwrap().cleared(Clear { white, black });
            let pixels = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(x, y)| image.pixel(x, y)[3]);
            (image.channels(), pixels)
        };
        assert_eq!(alpha(false, false), (3, [255; 4]));
        assert_eq!(alpha(true, false), (4, [0, 255, 255, 255]));
        assert_eq!(alpha(false, true), (4, [255, 255, 0, 255]));
        let image = Image8::new(1, 1, 4, [9, 9, 9, 40]).unwrap();
        assert_eq!(image.clone().cleared(Clear { white: true, black: true }), image);
    }
}
