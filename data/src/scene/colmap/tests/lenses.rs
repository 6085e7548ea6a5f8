//! Camera models and their coefficients.
use nalgebra::Point3;

use super::scene;
use crate::camera::Distortion;
use crate::scene::colmap::cameras;
use crate::scene::{LoadOptions, outline};
use crate::testing::{ColmapScene, orbit};

#[test]
fn every_published_model_is_known() {
    // Parameters that a lens of each kind may have.
    for kind in &cameras::CAMERA_MODELS {
        let focal = if kind.name.starts_with("SIMPLE") || kind.name.starts_with("RADIAL") { 1 } else { 2 };
        let mut parameters = vec![9.0; focal];
        parameters.extend([4.0, 3.0]);
        parameters.extend((0..20).map(|i| 0.01 * f64::from(i + 1)));
        parameters.truncate(kind.parameters);
        let model = ColmapScene::new(kind.name, 8, 6, &parameters, &orbit(3, 2.0, Point3::origin()));
        let binary = cameras::from_binary(&model.binary()[0]).unwrap();
        assert_eq!(binary, cameras::from_text(model.text()[0].as_bytes()).unwrap(), "{}", kind.name);
        assert_eq!(binary, model.cameras);
        let folder = scene(&model, "sparse/0", true);
        match outline(folder.path(), &LoadOptions::default()) {
            Ok(scene) => {
                let k = &scene.views[0].camera.intrinsics;
                assert_eq!((k.fx, k.fy, k.cx, k.cy), (9.0, 9.0, 4.0, 3.0), "{}", kind.name);
                assert!(!UNTRAINED.contains(&kind.name));
            }
            Err(error) => {
                let error = error.to_string();
                assert!(UNTRAINED.contains(&kind.name), "{error}");
                assert!(error.contains(kind.name) && error.contains("image_undistorter"), "{error}");
            }
        }
    }
}

const UNTRAINED: [&str; 6] =
    ["FOV", "RAD_TAN_THIN_PRISM_FISHEYE", "SIMPLE_DIVISION", "DIVISION", "EUCM", "EQUIRECTANGULAR"];

#[test]
fn coefficients_go_where_they_belong() {
    let lens = |kind: &str, parameters: &[f64]| {
        ColmapScene::new(kind, 8, 6, parameters, &[]).cameras[0].intrinsics().unwrap().distortion
    };
    let c = [9.0, 9.0, 4.0, 3.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];
    assert_eq!(lens("OPENCV", &c[..8]), Distortion::OpenCv { k1: 0.1, k2: 0.2, k3: 0.0, p1: 0.3, p2: 0.4 });
    assert_eq!(lens("OPENCV_FISHEYE", &c[..8]), Distortion::Fisheye { k1: 0.1, k2: 0.2, k3: 0.3, k4: 0.4 });
    let full =
        Distortion::FullOpenCv { above: [0.1, 0.2, 0.5], below: [0.6, 0.7, 0.8], tangential: [0.3, 0.4] };
    assert_eq!(lens("FULL_OPENCV", &c), full);
    let thin = Distortion::ThinPrismFisheye {
        radial: [0.1, 0.2, 0.5, 0.6],
        tangential: [0.3, 0.4],
        prism: [0.7, 0.8],
    };
    assert_eq!(lens("THIN_PRISM_FISHEYE", &c), thin);
    assert_eq!(lens("RADIAL", &[9.0, 4.0, 3.0, 0.0, 0.0]), Distortion::None);
}
