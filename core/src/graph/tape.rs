//! The backward pass: what ran, in order, and back again.
//!
//! candle's own `backward` adds every gradient, on one thread, to zeros that it has just filled, and holds all
//! activations until it ends. Here each op's gradient is moved to where it is due, sums are made only where a tensor has
//! several uses, by all threads, and what a step of the way needed is freed behind it.
//!
//! The output of a recorded op is a leaf to candle (a variable without a past). So candle's own ops may stand anywhere
//! between ours: candle's `backward` takes a gradient through them, up to the leaves.
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use candle_core::{Result, Tensor, TensorId, bail};

use super::gradients::{Gradients, add_to_variable, collect};
use super::{InputGradients, Keeps, Op};
use crate::ops::add;

/// Where the gradient of an input goes.
enum Edge {
    /// No gradient is asked of it.
    Nowhere,
    /// A variable of the model.
    Variable(TensorId),
    /// The output of an op on the tape.
    Tape(TensorId),
    /// What candle computed of such.
    Candle(Tensor),
}

type Backward = Box<dyn FnOnce(&Tensor) -> Result<Vec<Option<Tensor>>>>;

struct Record {
    output: TensorId,
    edges: Vec<Edge>,
    backward: Backward,
}

#[derive(Default)]
struct Tape {
    records: Vec<Record>,
    /// The outputs of all records there ever were.
    known: HashSet<TensorId>,
}

thread_local! {
    static TAPE: RefCell<Option<Tape>> = const { RefCell::new(None) };
}

/// Stops recording when it goes.
struct Recording;

impl Drop for Recording {
    fn drop(&mut self) {
        // Taken out first: what is dropped may look at the tape.
        let tape = TAPE.with_borrow_mut(Option::take);
        drop(tape);
    }
}

/// Runs `forward` and adds the gradients of the scalar it returns, with respect to all variables it depends on, to what
/// `gradients` holds. Returns the scalar, without its past.
///
/// # Errors
/// If `forward` fails, or an op on the way has no gradient, or this thread is in such a pass already.
pub fn differentiate<E: From<candle_core::Error>>(
    gradients: &mut Gradients,
    forward: impl FnOnce() -> std::result::Result<Tensor, E>,
) -> std::result::Result<Tensor, E> {
    if TAPE.with_borrow(Option::is_some) {
        return Err(candle_core::Error::Msg("gradients of gradients are not computed".into()).into());
    }
    let recording = TAPE.with_borrow_mut(|tape| {
        *tape = Some(Tape::default());
        Recording
    });
    let loss = forward()?;
    let value = loss.detach();
    collect(gradients, || back(loss))?;
    drop(recording);
    Ok(value)
}

/// Whether an op on these inputs is to be recorded.
pub(super) fn records(inputs: &[Tensor]) -> bool {
    TAPE.with_borrow(Option::is_some) && inputs.iter().any(Tensor::track_op)
}

/// Whether a tensor is an op's output rather than a variable of the model.
pub(super) fn knows(id: TensorId) -> bool {
    TAPE.with_borrow(|tape| tape.as_ref().is_some_and(|tape| tape.known.contains(&id)))
}

/// Records that `op` made `y` of `inputs`.
pub(super) fn record_op(y: &Tensor, inputs: Vec<Tensor>, op: impl Op) {
    let edges = inputs.iter().map(edge).collect();
    let keeps = op.keeps();
    let inputs = if keeps == Keeps::Nothing { Vec::new() } else { inputs };
    let kept = (keeps == Keeps::Both).then(|| y.detach());
    let backward = move |dy: &Tensor| op.backward(&inputs, kept.as_ref(), dy).map(InputGradients::into);
    push(Record { output: y.id(), edges, backward: Box::new(backward) });
}

/// Records how the gradient of `y`, which candle computed of `inputs`, reaches them: shorter than candle's way. Nothing
/// is recorded outside of [`differentiate`].
pub(super) fn record(
    y: &Tensor,
    inputs: &[&Tensor],
    backward: impl FnOnce(&Tensor) -> Result<Vec<Option<Tensor>>> + 'static,
) {
    // What candle returns unchanged is no new node.
    if TAPE.with_borrow(Option::is_some) && y.track_op() && inputs.iter().all(|x| x.id() != y.id()) {
        let edges = inputs.iter().map(|x| edge(x)).collect();
        push(Record { output: y.id(), edges, backward: Box::new(backward) });
    }
}

fn push(record: Record) {
    TAPE.with_borrow_mut(|tape| {
        if let Some(tape) = tape {
            tape.known.insert(record.output);
            tape.records.push(record);
        }
    });
}

fn edge(x: &Tensor) -> Edge {
    if !x.track_op() {
        Edge::Nowhere
    } else if knows(x.id()) {
        Edge::Tape(x.id())
    } else if x.is_variable() {
        Edge::Variable(x.id())
    } else {
        Edge::Candle(x.clone())
    }
}

/// From the last record to the first.
fn back(loss: Tensor) -> Result<()> {
    if loss.elem_count() != 1 {
        bail!("the gradient of a tensor of the shape {:?} was asked for; it must be a scalar", loss.dims());
    }
    let mut waiting = HashMap::new();
    send(edge(&loss), loss.ones_like()?, &mut waiting)?;
    drop(loss);
    while let Some(record) = TAPE.with_borrow_mut(|tape| tape.as_mut().and_then(|tape| tape.records.pop())) {
        // Nothing that the loss depends on used it.
        let Some(dy) = waiting.remove(&record.output) else { continue };
        let given = (record.backward)(&dy.contiguous()?)?;
        drop(dy);
        for (edge, gradient) in record.edges.into_iter().zip(given) {
            if let Some(gradient) = gradient {
                send(edge, gradient, &mut waiting)?;
            }
        }
    }
    Ok(())
}

/// Takes a gradient where it is due; `waiting` are sums for records to come.
fn send(edge: Edge, gradient: Tensor, waiting: &mut HashMap<TensorId, Tensor>) -> Result<()> {
    match edge {
        Edge::Nowhere => Ok(()),
        Edge::Variable(id) => add_to_variable(id, &gradient),
        Edge::Tape(id) => {
            let sum = match waiting.remove(&id) {
                None => gradient,
                Some(sum) => add::sum(&sum.contiguous()?, &gradient.contiguous()?)?,
            };
            waiting.insert(id, sum);
            Ok(())
        }
        Edge::Candle(of) => {
            // d/dx sum(of(x) gradient), by candle, for all leaves x that `of` depends on.
            let product = (of * gradient.detach())?.sum_all()?;
            let leaves = product.sorted_nodes().into_iter().filter(|x| x.is_variable());
            let mut found = product.backward()?;
            for leaf in leaves {
                if let Some(gradient) = found.remove(leaf) {
                    send(self::edge(leaf), gradient, waiting)?;
                }
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::super::{Input, apply};
    use super::*;

    fn var(values: &[f32]) -> Var {
        Var::from_slice(values, values.len(), &Device::Cpu).expect("a variable")
    }

    #[test]
    fn ops_of_both_kinds_may_alternate() {
        let x = var(&[1.0, -2.0, 3.0]);
        let mut gradients = Gradients::default();
        // 2 (x + x) (x + x) = 8 x^2, ours, candle's, ours again, each used twice.
        let loss = differentiate(&mut gradients, || {
            let sum = add::add(&x, &x)?;
            let square = (&sum * &sum)?;
            add::add(&square, &square)?.sum_all()
        });
        assert_eq!(loss.and_then(|loss| loss.to_scalar::<f32>()).expect("a loss"), 8.0 * 14.0);
        assert_eq!(gradients.get(&x).expect("a gradient"), [16.0, -32.0, 48.0]);
    }

    #[test]
    fn what_the_loss_does_not_depend_on_has_no_gradient() {
        let (x, y) = (var(&[1.0]), var(&[1.0]));
        let mut gradients = Gradients::default();
        let loss = || {
            add::add(&y, &y)?;
            add::add(&x, &x)?.sum_all()
        };
        differentiate(&mut gradients, loss).expect("a loss");
        assert!(gradients.get(&x).is_some() && gradients.get(&y).is_none());
    }

    #[test]
    fn errors_end_the_recording() {
        let x = var(&[1.0, 2.0]);
        let mut gradients = Gradients::default();
        let failed = differentiate(&mut gradients, || {
            add::add(&x, &x)?;
            bail!("on purpose")
        });
        assert!(failed.is_err() && TAPE.with_borrow(Option::is_none));
        let vector = differentiate(&mut gradients, || add::add(&x, &x));
        assert!(
            vector.expect_err("no scalar").to_string().contains("[2]") && TAPE.with_borrow(Option::is_none)
        );
        let nested = differentiate(&mut gradients, || {
            differentiate(&mut Gradients::default(), || x.sum_all())?;
            x.sum_all()
        });
        assert!(nested.is_err() && TAPE.with_borrow(Option::is_none));
        assert!(gradients.get(&x).is_none());
        differentiate(&mut gradients, || x.sum_all()).expect("all is as before");
        assert_eq!(gradients.get(&x).expect("a gradient"), [1.0, 1.0]);
    }

    #[test]
    fn activations_go_as_the_pass_goes_back() {
        use std::sync::Arc;
        struct Held(Arc<()>);
        impl Op for Held {
            fn name(&self) -> &'static str {
                "held"
            }

            fn forward(&self, inputs: &[Input<'_>]) -> Result<(Vec<f32>, candle_core::Shape)> {
                Ok((inputs[0].to_vec(), inputs[0].dims.into()))
            }

            fn backward(&self, _: &[Tensor], _: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
                // Two ops hold it, and the test: the later op's record is gone when the earlier one's runs.
                let later = Arc::strong_count(&self.0);
                Ok([Some((dy * later as f64)?), None, None])
            }
        }
        let (x, held) = (var(&[1.0]), Arc::new(()));
        let mut gradients = Gradients::default();
        let loss = || {
            let y = apply(Held(held.clone()), &[&x])?;
            apply(Held(held.clone()), &[&y])?.sum_all()
        };
        differentiate(&mut gradients, loss).expect("a loss");
        assert_eq!(gradients.get(&x).expect("a gradient"), [6.0], "three holders, then two");
    }
}
