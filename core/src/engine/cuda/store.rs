//! The field's parameters in the device's memory: in few pieces, so that each is updated in one go.

use super::plan::{Plan, padded};
use crate::engine::Purpose;
use crate::field::{FieldLayout, FieldSpec};
use crate::gpu::params::{self, RoundParams};
use crate::gpu::{Address, Gpu, GpuError, launch};
use crate::params::{Average, BlockId, GroupId, Params};

/// A piece: values that lie one behind the other and are updated alike.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub count: usize,
    pub group: GroupId,
    pub weights: Address,
    /// In half precision, where kernels read that.
    pub copies: Address,
    pub grads: Address,
    pub half_grads: bool,
    /// Both moments in a word, or `m` and `v`.
    pub packed: Address,
    pub m: Address,
    pub v: Address,
    pub average: Address,
    pub sparse: bool,
    /// Whether the gradients' sums are times the loss scale.
    pub scaled: bool,
}

/// Where a block lies: piece, first value, and rows `(values, distance)` if they are padded.
#[derive(Clone, Copy, Debug)]
struct Place {
    piece: usize,
    start: usize,
    values: usize,
    rows: Option<(usize, usize)>,
}

impl Place {
    /// Values from the first to the last one, padding included.
    fn span(&self) -> usize {
        match self.rows {
            None => self.values,
            Some((row, step)) => (self.values / row - 1) * step + row,
        }
    }

    /// Takes the block's values out of the piece's, or puts them in.
    fn for_each(&self, mut each: impl FnMut(usize, usize)) {
        match self.rows {
            None => (0..self.values).for_each(|i| each(i, i)),
            Some((row, step)) => (0..self.values).for_each(|i| each(i, i / row * step + i % row)),
        }
    }
}

/// All parameters.
#[derive(Debug)]
pub(super) struct Store {
    pub tables: Piece,
    pub networks: Piece,
    pub saliency: Option<Piece>,
    pub colors: Option<Piece>,
    pub poses: Option<Piece>,
    places: Vec<Place>,
    pub decay: Option<f32>,
    /// Gradients and moments are kept.
    trains: bool,
    swapped: bool,
}

/// Takes a piece's memory.
struct Taker<'a> {
    gpu: &'a mut dyn Gpu,
    average: bool,
    /// Gradients and moments are kept.
    trains: bool,
}

impl Taker<'_> {
    fn piece(
        &mut self,
        count: usize,
        group: GroupId,
        half: bool,
        half_grads: bool,
        packed: bool,
    ) -> Result<Piece, GpuError> {
        let trains = self.trains;
        let mut take = |wanted: bool, bytes: usize| match wanted {
            true => self.gpu.alloc(count * bytes),
            false => Ok(Address::default()),
        };
        Ok(Piece {
            count,
            group,
            weights: take(true, 4)?,
            copies: take(half, 2)?,
            grads: take(trains, if half_grads { 2 } else { 4 })?,
            half_grads,
            packed: take(trains && packed, 4)?,
            m: take(trains && !packed, 4)?,
            v: take(trains && !packed, 4)?,
            average: take(self.average, 4)?,
            sparse: false,
            scaled: true,
        })
    }
}

impl Store {
    /// Room for a field's parameters.
    pub fn new(
        gpu: &mut dyn Gpu,
        spec: &FieldSpec,
        layout: &FieldLayout,
        plan: &Plan,
        purpose: Purpose,
    ) -> Result<Self, GpuError> {
        let params = &layout.params;
        let group = |block: BlockId| params.group_of(block);
        let handles = &layout.handles;
        let trains = purpose == Purpose::Train;
        let average = trains && spec.average.is_some();
        let mut taker = Taker { gpu, average, trains };
        let (first_table, first_layer) = (handles.tables[0], handles.networks[0][0]);
        // A pair of halves is added to at once; a single one is not.
        let half_grads = plan.half && plan.shape.level_features > 1;
        let packed = spec.optimizer.packed_tables;
        let mut tables = taker.piece(plan.table_values, group(first_table), plan.half, half_grads, packed)?;
        tables.sparse = spec.optimizer.sparse_tables;
        let weights = plan.shape.weights as usize;
        let mut networks = taker.piece(weights, group(first_layer), plan.half, false, false)?;
        if plan.traces_rays && !trains {
            // Tracing rays goes the way back, too.
            networks.grads = taker.gpu.alloc(4 * weights)?;
        }
        let values = |block: BlockId| params.blocks()[block.index()].values();
        let mut alone = |block: Option<BlockId>| {
            block.map(|block| taker.piece(values(block), group(block), false, false, false)).transpose()
        };
        let (saliency, poses) = (alone(handles.saliency)?, alone(handles.poses)?);
        let mut colors = alone(handles.colors)?;
        if let Some(colors) = &mut colors {
            colors.scaled = false;
        }
        let unset = Place { piece: 0, start: 0, values: 0, rows: None };
        let mut places = vec![unset; params.blocks().len()];
        for (table, level) in handles.tables.iter().zip(&plan.levels) {
            let (start, values) = (level.offset as usize, values(*table));
            places[table.index()] = Place { piece: 0, start, values, rows: None };
        }
        for (blocks, network) in handles.networks.iter().zip([&plan.shape.density, &plan.shape.color]) {
            for (l, block) in blocks.iter().enumerate() {
                let inputs = params.blocks()[block.index()].shape[1];
                let (start, values) = (network.weight[l] as usize, values(*block));
                places[block.index()] =
                    Place { piece: 1, start, values, rows: Some((inputs, padded(inputs))) };
            }
        }
        for (piece, block) in [(2, handles.saliency), (3, handles.colors), (4, handles.poses)] {
            if let Some(block) = block {
                places[block.index()] = Place { piece, start: 0, values: values(block), rows: None };
            }
        }
        Ok(Self {
            tables,
            networks,
            saliency,
            colors,
            poses,
            places,
            decay: spec.average.filter(|_| trains),
            trains,
            swapped: false,
        })
    }

    /// The pieces that there are.
    pub fn pieces(&self) -> impl Iterator<Item = &Piece> {
        let optional = [&self.saliency, &self.colors, &self.poses];
        [&self.tables, &self.networks].into_iter().chain(optional.into_iter().flatten())
    }

    fn piece(&self, index: usize) -> &Piece {
        let optional = match index {
            0 => return &self.tables,
            1 => return &self.networks,
            2 => &self.saliency,
            3 => &self.colors,
            _ => &self.poses,
        };
        // A place is only made beside its piece.
        optional.as_ref().unwrap_or(&self.tables)
    }

    /// A block's words from a piece's array of 32-bit values.
    fn fetch(
        &self,
        gpu: &dyn Gpu,
        block: usize,
        array: impl Fn(&Piece) -> Address,
        out: &mut [u32],
    ) -> Result<(), GpuError> {
        let place = self.places[block];
        let mut room = vec![0u32; place.span()];
        let from = array(self.piece(place.piece)).offset(4 * place.start);
        gpu.download(from, bytemuck::cast_slice_mut(&mut room))?;
        place.for_each(|i, at| out[i] = room[at]);
        Ok(())
    }

    fn put(
        &self,
        gpu: &mut dyn Gpu,
        block: usize,
        array: impl Fn(&Piece) -> Address,
        values: &[u32],
    ) -> Result<(), GpuError> {
        let place = self.places[block];
        let mut room = vec![0u32; place.span()];
        place.for_each(|i, at| room[at] = values[i]);
        let to = array(self.piece(place.piece)).offset(4 * place.start);
        gpu.upload(to, bytemuck::cast_slice(&room))
    }

    /// A block's values.
    pub fn read(&self, gpu: &dyn Gpu, block: BlockId) -> Result<Vec<f32>, GpuError> {
        let mut out = vec![0.0f32; self.places[block.index()].values];
        self.fetch(gpu, block.index(), |p| p.weights, bytemuck::cast_slice_mut(&mut out))?;
        Ok(out)
    }

    /// Replaces a block's values.
    pub fn write(&self, gpu: &mut dyn Gpu, block: BlockId, values: &[f32]) -> Result<(), GpuError> {
        self.put(gpu, block.index(), |p| p.weights, bytemuck::cast_slice(values))?;
        round_values(gpu, self.piece(self.places[block.index()].piece))
    }

    /// Exchanges weights with their averages.
    pub fn swap_average(&mut self, gpu: &mut dyn Gpu) -> Result<(), GpuError> {
        if self.decay.is_none() {
            return Ok(());
        }
        self.swapped = !self.swapped;
        let optional = [&mut self.saliency, &mut self.colors, &mut self.poses];
        let pieces = [&mut self.tables, &mut self.networks];
        for piece in pieces.into_iter().chain(optional.into_iter().flatten()) {
            std::mem::swap(&mut piece.weights, &mut piece.average);
            round_values(gpu, piece)?;
        }
        Ok(())
    }

    /// All of it, as the processor keeps it: what checkpoints are made of.
    pub fn save(&self, gpu: &dyn Gpu, layout: &FieldLayout, step: u64) -> Result<Params, GpuError> {
        let mut params = Params::zeroed(&layout.params);
        params.step = step;
        if let Some(decay) = self.decay {
            params.average(decay);
        }
        // While they are swapped, the weights lie where the averages do.
        let weights = |p: &Piece| if self.swapped { p.average } else { p.weights };
        let averages = |p: &Piece| if self.swapped { p.weights } else { p.average };
        for (index, block) in params.split().0.iter_mut().enumerate() {
            self.fetch(gpu, index, weights, bytemuck::cast_slice_mut(&mut block.weight))?;
            if block.packed.is_empty() {
                self.fetch(gpu, index, |p| p.m, bytemuck::cast_slice_mut(&mut block.m))?;
                self.fetch(gpu, index, |p| p.v, bytemuck::cast_slice_mut(&mut block.v))?;
            } else {
                self.fetch(gpu, index, |p| p.packed, &mut block.packed)?;
            }
            if let Some(average) = &mut block.average {
                self.fetch(gpu, index, averages, bytemuck::cast_slice_mut(average.hold(step)))?;
            }
        }
        Ok(params)
    }

    /// Takes over what the processor has kept.
    pub fn load(&mut self, gpu: &mut dyn Gpu, params: &Params) -> Result<(), GpuError> {
        if self.swapped {
            self.swap_average(gpu)?;
        }
        for (index, block) in params.blocks().iter().enumerate() {
            self.put(gpu, index, |p| p.weights, bytemuck::cast_slice(&block.weight))?;
            if !self.trains {
                continue;
            }
            if block.packed.is_empty() {
                self.put(gpu, index, |p| p.m, bytemuck::cast_slice(&block.m))?;
                self.put(gpu, index, |p| p.v, bytemuck::cast_slice(&block.v))?;
            } else {
                self.put(gpu, index, |p| p.packed, &block.packed)?;
            }
            if self.decay.is_some() {
                let average = |a: &Average| a.current(&block.weight, params.step);
                let values = block.average.as_ref().map_or_else(|| block.weight.clone(), average);
                self.put(gpu, index, |p| p.average, bytemuck::cast_slice(&values))?;
            }
        }
        for piece in self.pieces().cloned().collect::<Vec<_>>() {
            round_values(gpu, &piece)?;
        }
        Ok(())
    }
}

/// Makes a piece's copies in half precision anew.
fn round_values(gpu: &mut dyn Gpu, piece: &Piece) -> Result<(), GpuError> {
    if piece.copies == Address::default() {
        return Ok(());
    }
    let given = RoundParams { weights: piece.weights, copies: piece.copies, count: piece.count as u64 };
    let blocks = super::blocks(piece.count, params::ROUND_VALUES.threads, gpu.processors());
    launch(gpu, params::ROUND_VALUES, blocks, 0, &given)
}
