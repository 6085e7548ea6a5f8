//! What kernels are given: the structs of `device/*.cuh` and `ops/*/kernel.cu`, field by field.
//!
//! Padding is named, so that a struct is nothing but its bytes.

use super::{Address, kernels};
use bytemuck::{Pod, Zeroable};

/// Layers of a network, at most.
pub(crate) const MOST_LAYERS: usize = 6;
/// Tiles of 16 x 8 of the weights' gradients, at most.
pub(crate) const MOST_GRADIENT_TILES: u32 = 96;
/// Distance between rows in shared memory, beyond their values.
pub(crate) const PAD: u32 = 8;
/// Samples that a warp takes through the networks at a time.
pub(crate) const ROWS: u32 = 16;

macro_rules! structs {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
        #[repr(C)]
        pub(crate) struct $name { $($(#[$field_doc])* pub $field: $type,)* })*
    };
}

structs! {
    Network {
        layers: u32,
        inputs: [u32; MOST_LAYERS],
        outputs: [u32; MOST_LAYERS],
        weight: [u32; MOST_LAYERS],
    }
    Shape {
        density: Network,
        color: Network,
        levels: u32,
        level_features: u32,
        density_column: u32,
        color_inputs: u32,
        harmonics: u32,
        has_saliency: u32,
        has_gate: u32,
        weights: u32,
    }
    Range { begin: u32, end: u32, }
    StepState {
        seed: u64,
        step: u64,
        rays: u32,
        random_background: u32,
        background: [f32; 3],
        point_share: f32,
        gate_alpha: f32,
        min_transmittance: f32,
        pruning: f32,
        prunes: u32,
    }
    Counters {
        loss: f64,
        distortion: f64,
        deviation: f64,
        saliency: f64,
        samples: u32,
        kept: u32,
        hits: u32,
        crowded_out: u32,
        broken: u32,
        reserved: u32,
    }
    LossScale { scale: f32, steps: u32, }
    RayState { from: f32, transmittance: f32, kept: u32, start: u32, crowded: u32, }
    Ray { origin: [f32; 3], direction: [f32; 3], near: f32, far: f32, camera: u32, }
    Samples {
        t: Address,
        dt: Address,
        positions: Address,
        ray: Address,
        capacity: u64,
        starts: Address,
        counts: Address,
        most_rays: u32,
        pad: u32,
    }
    GridLevel { offset: u64, scale: f32, vertices: u32, entries: u32, dense: u32, }
    Camera {
        axes: [f64; 9],
        focal: [f64; 2],
        principal: [f64; 2],
        terms: [f64; 11],
        limit: f64,
        origin: [f32; 3],
        lens: u32,
        forward: [f32; 3],
        reserved: u32,
    }
    View {
        camera: Camera,
        pixels: Address,
        kept: Address,
        point_pixels: Address,
        point_distances: Address,
        depth: Address,
        width: u32,
        height: u32,
        channels: u32,
        kept_count: u32,
        point_count: u32,
        depth_scale: f32,
    }
    AdamState { rate: f32, eps: f32, keep: f32, beta1: f32, beta2: f32, frozen: u32, }
    NetworkParams {
        shape: Shape,
        weights: Address,
        features: Address,
        capacity: u64,
        logits: Address,
        step: Address,
        range: Address,
        source: Address,
        sample_ray: Address,
        rays: Address,
    }
    ProbeParams { net: NetworkParams, sigma: Address, }
    ShadeParams { net: NetworkParams, out: Address, }
    BackwardParams {
        net: NetworkParams,
        d_out: Address,
        d_features: Address,
        d_logits: Address,
        d_directions: Address,
        grads: Address,
        counters: Address,
    }
    EncodeParams {
        levels: Address,
        level_count: u32,
        features: u32,
        blocks: u32,
        pad: u32,
        tables: Address,
        positions: Address,
        capacity: u64,
        range: Address,
        out: Address,
    }
    EncodeBackwardParams {
        levels: Address,
        level_count: u32,
        features: u32,
        blocks: u32,
        pad: u32,
        positions: Address,
        capacity: u64,
        range: Address,
        source: Address,
        d_features: Address,
        grads: Address,
    }
    TracePointsParams {
        levels: Address,
        level_count: u32,
        features: u32,
        tables: Address,
        positions: Address,
        capacity: u64,
        range: Address,
        source: Address,
        d_features: Address,
        out: Address,
    }
    PlaceCamerasParams { rows: Address, corrections: Address, count: u32, pad: u32, }
    TraceRaysParams {
        rays: Address,
        states: Address,
        step: Address,
        samples: Samples,
        source: Address,
        d_positions: Address,
        d_directions: Address,
        shrink: f32,
        pad: u32,
        sums: Address,
    }
    TurnPosesParams { rows: Address, sums: Address, grads: Address, count: u32, pad: u32, }
    MarchParams {
        rays: Address,
        states: Address,
        step: Address,
        words: Address,
        blocks: Address,
        cascades: u32,
        cone: f32,
        shortest: f32,
        longest: f32,
        shrink: f32,
        pad: u32,
        samples: Samples,
        round: u32,
        limit: u32,
        range: Address,
        counters: Address,
    }
    CellSet { words: Address, ranks: Address, }
    VisitParams {
        seed: u64,
        step: u64,
        first: u32,
        cells: u32,
        groups: u32,
        in_order: u32,
        mixed: u32,
        side: f32,
        occupied: CellSet,
        open: CellSet,
        range: Address,
        picked: Address,
        positions: Address,
        capacity: u64,
    }
    AdvanceParams {
        states: Address,
        step: Address,
        samples: Samples,
        sigma: Address,
        round: u32,
        pad: u32,
        range: Address,
    }
    GatherParams {
        states: Address,
        step: Address,
        samples: Samples,
        rounds: u32,
        pad: u32,
        kept: Address,
        source: Address,
        counters: Address,
    }
    PlaceParams {
        rays: Address,
        states: Address,
        step: Address,
        shrink: f32,
        pad: u32,
        samples: Samples,
        ends: Address,
        t: Address,
        dt: Address,
        range: Address,
        counters: Address,
    }
    DrawParams {
        views: Address,
        view_count: u32,
        moved: u32,
        corrections: Address,
        step: Address,
        side: f32,
        cone: f32,
        shortest: f32,
        longest: f32,
        near: f32,
        pad2: u32,
        rays: Address,
        states: Address,
        targets: Address,
        target_columns: u32,
        has_distance: u32,
    }
    StartParams { rays: Address, states: Address, step: Address, }
    CompositeParams {
        rays: Address,
        states: Address,
        step: Address,
        samples: Samples,
        source: Address,
        shaded: Address,
        targets: Address,
        target_columns: u32,
        has_distance: u32,
        penalty: u32,
        weight: f32,
        distortion: f32,
        deviation: f32,
        knee: f32,
        factor: f32,
        codes: Address,
        d_codes: Address,
        scale: Address,
        d_shaded: Address,
        counters: Address,
    }
    PictureParams {
        states: Address,
        step: Address,
        samples: Samples,
        shaded: Address,
        out: Address,
        alive: Address,
        range: Address,
    }
    AdamParams {
        weights: Address,
        copies: Address,
        grads: Address,
        half_grads: u32,
        scaled: u32,
        packed: Address,
        m: Address,
        v: Address,
        count: u64,
        sparse: u32,
        pad: u32,
        state: Address,
        average: Address,
        average_decay: f32,
        pad2: u32,
        step: Address,
        scale: Address,
        counters: Address,
    }
    RoundParams { weights: Address, copies: Address, count: u64, }
    FinishParams { scale: Address, counters: Address, }
    LookUpParams {
        grid: Address,
        side: u32,
        pad: u32,
        positions: Address,
        capacity: u64,
        range: Address,
        logits: Address,
    }
    LookUpBackwardParams {
        side: u32,
        pad: u32,
        positions: Address,
        capacity: u64,
        range: Address,
        source: Address,
        d_logits: Address,
        grads: Address,
    }
    PenalizeParams {
        grid: Address,
        grads: Address,
        count: u64,
        step: Address,
        scale: Address,
        counters: Address,
    }
    ClampParams { grid: Address, count: u64, limit: f32, pad: u32, step: Address, counters: Address, }
}

kernels! {
    ADAM = "adam", 256, AdamParams;
    ADVANCE = "advance", 128, AdvanceParams;
    BACKWARD_F16 = "backward_f16", 128, BackwardParams;
    BACKWARD_F32 = "backward_f32", 64, BackwardParams;
    CLAMP_SALIENCY = "clamp_saliency", 256, ClampParams;
    COMPOSITE = "composite", 128, CompositeParams;
    DRAW_RAYS = "draw_rays", 128, DrawParams;
    ENCODE_BACKWARD_F16 = "encode_backward_f16", 256, EncodeBackwardParams;
    ENCODE_BACKWARD_F16_TO_F32 = "encode_backward_f16_to_f32", 256, EncodeBackwardParams;
    ENCODE_BACKWARD_F32 = "encode_backward_f32", 256, EncodeBackwardParams;
    ENCODE_F16 = "encode_f16", 256, EncodeParams;
    ENCODE_F32 = "encode_f32", 256, EncodeParams;
    FINISH = "finish", 32, FinishParams;
    GATHER = "gather", 128, GatherParams;
    LOOK_UP_SALIENCY = "look_up_saliency", 256, LookUpParams;
    MARCH = "march", 128, MarchParams;
    PENALIZE_SALIENCY = "penalize_saliency", 256, PenalizeParams;
    PICTURE = "picture", 128, PictureParams;
    PLACE_CAMERAS = "place_cameras", 64, PlaceCamerasParams;
    PLACE_SAMPLES = "place_samples", 128, PlaceParams;
    PROBE_F16 = "probe_f16", 128, ProbeParams;
    PROBE_F32 = "probe_f32", 64, ProbeParams;
    ROUND_VALUES = "round_values", 256, RoundParams;
    SALIENCY_BACKWARD = "saliency_backward", 256, LookUpBackwardParams;
    SHADE_F16 = "shade_f16", 128, ShadeParams;
    SHADE_F32 = "shade_f32", 64, ShadeParams;
    START_RAYS = "start_rays", 128, StartParams;
    TRACE_POINTS_F16 = "trace_points_f16", 256, TracePointsParams;
    TRACE_POINTS_F32 = "trace_points_f32", 256, TracePointsParams;
    TRACE_RAYS = "trace_rays", 128, TraceRaysParams;
    TURN_POSES = "turn_poses", 64, TurnPosesParams;
    VISIT_CELLS = "visit_cells", 256, VisitParams;
}
