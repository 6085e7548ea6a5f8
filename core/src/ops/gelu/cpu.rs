//! Values and derivatives, a register at a time; what is left beyond whole registers goes through a padded one.
use rayon::prelude::*;

use super::Form;
use crate::ops::output::{Room, by_chunks, written};
use crate::simd::{Isa, Kernel, Simd, math};

/// Values that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// `gelu(x)`.
#[must_use]
pub fn forward(isa: Isa, form: Form, x: &[f32]) -> Vec<f32> {
    written(x.len(), |y| {
        by_chunks(y, CHUNK, |chunk, y| isa.run(Forward { form, x: &x[chunk * CHUNK..][..y.len()], y }))
    })
}

/// `dx = dy gelu'(x)`.
///
/// # Panics
/// If lengths differ.
#[must_use]
pub fn backward(isa: Isa, form: Form, x: &[f32], dy: &[f32]) -> Vec<f32> {
    assert_eq!(x.len(), dy.len(), "gelu: extents");
    written(x.len(), |dx| {
        by_chunks(dx, CHUNK, |chunk, dx| {
            let range = chunk * CHUNK..chunk * CHUNK + dx.len();
            let d = dx.write_copy_of_slice(&dy[range.clone()]);
            isa.run(Backward { form, x: &x[range], d });
            d
        })
    })
}

/// `d <- d gelu'(x)`.
pub fn backward_in_place(isa: Isa, form: Form, x: &[f32], d: &mut [f32]) {
    assert_eq!(x.len(), d.len(), "gelu: extents");
    let chunks = x.par_chunks(CHUNK).zip(d.par_chunks_mut(CHUNK));
    chunks.for_each(|(x, d)| isa.run(Backward { form, x, d }));
}

/// `sqrt(2 / pi)`.
const TANH_SCALE: f32 = 0.797_884_6;
const TANH_CUBE: f32 = 0.044_715;
const QUICK: f32 = 1.702;

/// `v(x)` of the sigmoid forms and its derivative.
#[inline(always)]
fn inner<S: Simd>(s: S, form: Form, x: S::F) -> (S::F, S::F) {
    if form == Form::Quick {
        return (s.mul(x, s.splat(QUICK)), s.splat(QUICK));
    }
    let square = s.mul(x, x);
    let two = s.splat(2.0 * TANH_SCALE);
    let v = s.mul(s.mul(x, two), s.fma(square, s.splat(TANH_CUBE), s.splat(1.0)));
    (v, s.mul(two, s.fma(square, s.splat(3.0 * TANH_CUBE), s.splat(1.0))))
}

/// The distribution function of the normal distribution.
#[inline(always)]
fn phi<S: Simd>(s: S, x: S::F) -> S::F {
    let erf = math::erf(s, s.mul(x, s.splat(std::f32::consts::FRAC_1_SQRT_2)));
    s.fma(erf, s.splat(0.5), s.splat(0.5))
}

#[inline(always)]
fn value<S: Simd>(s: S, form: Form, x: S::F) -> S::F {
    match form {
        Form::Exact => s.mul(x, phi(s, x)),
        _ => s.mul(x, math::sigmoid(s, inner(s, form, x).0)),
    }
}

#[inline(always)]
fn derivative<S: Simd>(s: S, form: Form, x: S::F) -> S::F {
    match form {
        Form::Exact => {
            let half = s.mul(s.mul(x, x), s.splat(-0.5));
            let density = s.mul(math::exp(s, half), s.splat(0.398_942_3));
            s.fma(x, density, phi(s, x))
        }
        _ => {
            let (v, slope) = inner(s, form, x);
            let sigmoid = math::sigmoid(s, v);
            let rest = s.mul(s.mul(x, slope), s.sub(s.splat(1.0), sigmoid));
            s.fma(sigmoid, rest, sigmoid)
        }
    }
}

pub(crate) struct Forward<'a, 'o> {
    pub(crate) form: Form,
    pub(crate) x: &'a [f32],
    pub(crate) y: &'o mut Room,
}

impl<'o> Kernel for Forward<'_, 'o> {
    type Output = &'o mut [f32];

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> &'o mut [f32] {
        assert_eq!(self.x.len(), self.y.len(), "gelu: extents");
        let whole = self.x.len() - self.x.len() % S::LANES;
        let y = self.y.as_mut_ptr().cast::<f32>();
        for i in (0..whole).step_by(S::LANES) {
            // SAFETY: i + LANES <= len of both.
            unsafe { s.store(y.add(i), value(s, self.form, s.load(self.x.as_ptr().add(i)))) };
        }
        let mut last = [0.0; 16];
        let rest = self.x.len() - whole;
        last[..rest].copy_from_slice(&self.x[whole..]);
        // SAFETY: a register is at most 16 values.
        unsafe { s.store(last.as_mut_ptr(), value(s, self.form, s.load(last.as_ptr()))) };
        self.y[whole..].write_copy_of_slice(&last[..rest]);
        // SAFETY: whole registers and the rest were written.
        unsafe { self.y.assume_init_mut() }
    }
}

pub(crate) struct Backward<'a> {
    pub(crate) form: Form,
    pub(crate) x: &'a [f32],
    pub(crate) d: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        assert_eq!(self.x.len(), self.d.len(), "gelu: extents");
        let whole = self.x.len() - self.x.len() % S::LANES;
        for i in (0..whole).step_by(S::LANES) {
            // SAFETY: i + LANES <= len of both.
            unsafe {
                let slope = derivative(s, self.form, s.load(self.x.as_ptr().add(i)));
                let d = self.d.as_mut_ptr().add(i);
                s.store(d, s.mul(slope, s.load(d)));
            }
        }
        let mut last = [0.0; 16];
        let rest = self.x.len() - whole;
        last[..rest].copy_from_slice(&self.x[whole..]);
        // SAFETY: a register is at most 16 values.
        unsafe { s.store(last.as_mut_ptr(), derivative(s, self.form, s.load(last.as_ptr()))) };
        self.d[whole..].iter_mut().zip(last).for_each(|(d, slope)| *d *= slope);
    }
}
