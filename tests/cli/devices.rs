//! Runs of other devices and of earlier versions: what is said of them, and that they go on.

use crate::program::{Place, events, rewrite_meta, stderr};
use nerve::core::checkpoint::Checkpoint;
use nerve::core::device::DeviceKind;

fn recorded(place: &Place) -> (Option<String>, DeviceKind) {
    let config = std::fs::read_to_string(place.path("run/config.toml")).unwrap();
    let line = config.lines().find_map(|line| line.strip_prefix("device = ").map(str::to_owned));
    (line, Checkpoint::load(place.path("run/checkpoint.safetensors")).unwrap().device().unwrap())
}

/// Trained on a GPU as far as its files say, it goes on on the processor, and says so once.
#[test]
fn a_run_that_goes_on_on_another_kind_of_device_says_so() {
    for seg in [false, true] {
        let place = Place::with_scene(1);
        let (data, kind) = if seg { ("labels", "segmentation") } else { ("scene", "nerf") };
        if seg {
            place.run(&["demo", "labels", "--labels"]).success();
        }
        let train = |more: &[&str]| match seg {
            true => {
                let small = ["--crop", "64x64", "--batch", "1", "--head-width", "16", "--max-images", "2"];
                place.run(&[&["seg", "train", data], &small[..], more].concat())
            }
            false => place.train(more),
        };
        let trained = train(&["--steps", "2", "--out", "run", "--no-eval", "--json"]).success();
        let start = events(&trained).into_iter().find(|e| e["event"] == "start").unwrap();
        assert!(start["device"] == "cpu" && start["kind"] == kind, "{start}");
        let cpu = (Some("\"cpu\"".to_owned()), DeviceKind::Cpu);
        assert_eq!(recorded(&place), cpu);
        let resume =
            |steps: &str| stderr(&place.run(&["resume", "run", "--steps", steps, "--no-eval"]).success());
        let moved = "run was trained on cuda and continues on cpu";
        assert!(!resume("3").contains("continues on"));

        let config = std::fs::read_to_string(place.path("run/config.toml")).unwrap();
        place.write("run/config.toml", &config.replace("device = \"cpu\"", "device = \"cuda\""));
        rewrite_meta(&place.path("run/checkpoint.safetensors"), |meta| {
            assert_eq!(meta.insert("device".into(), "cuda".into()).as_deref(), Some("cpu"));
        });
        assert_eq!(recorded(&place), (Some("\"cuda\"".to_owned()), DeviceKind::Cuda));
        assert_eq!(resume("4").matches(moved).count(), 1);
        assert_eq!(recorded(&place), cpu);

        // Of an earlier version, neither says anything: there was only the processor.
        let config = std::fs::read_to_string(place.path("run/config.toml")).unwrap();
        place.write("run/config.toml", &config.replace("device = \"cpu\"\n", ""));
        rewrite_meta(&place.path("run/checkpoint.safetensors"), |meta| drop(meta.remove("device")));
        assert_eq!(recorded(&place), (None, DeviceKind::Cpu));
        assert!(!resume("5").contains("continues on"));
        assert_eq!(recorded(&place), cpu);
    }
}

/// HollowNeRF's method stood in [hollow] once, in the configuration and in the checkpoint.
#[test]
fn a_hollow_run_of_an_earlier_version_goes_on() {
    let place = Place::with_scene(1);
    let hollow =
        ["--method", "hollow", "--saliency-side", "16", "--steps", "40", "--out", "run", "--no-eval"];
    place.train(&hollow).success();
    let old = |config: &str| {
        let config = config.replace("method = \"hollow\"\n", "");
        config.replace("[hollow]\n", "[hollow]\nmethod = \"hollow\"\n")
    };
    let now = std::fs::read_to_string(place.path("run/config.toml")).unwrap();
    place.write("run/config.toml", &old(&now));
    assert_ne!(now, old(&now));
    rewrite_meta(&place.path("run/checkpoint.safetensors"), |meta| {
        for key in ["field", "config"] {
            let mut value: serde_json::Value = serde_json::from_str(&meta[key]).unwrap();
            let method = value["field"].as_object_mut().unwrap().remove("method").unwrap();
            value["hollow"]["method"] = method;
            meta.insert(key.to_owned(), value.to_string());
        }
    });
    place.run(&["eval", "run"]).success();
    place.run(&["export", "run", "compact", "small"]).success();
    place.run(&["eval", "small"]).success();
    place.run(&["resume", "run", "--steps", "50", "--no-eval"]).success();
    let written = std::fs::read_to_string(place.path("run/config.toml")).unwrap();
    assert_eq!(written.matches("method = ").count(), 1);
    assert_eq!(written, now.replace("steps = 40", "steps = 50"));
    place.write("run/config.toml", &old(&written).replace("[field]\n", "[field]\nmethod = \"hollow\"\n"));
    place.run(&["resume", "run", "--steps", "51", "--no-eval"]).success();
    let plain = written.replace("method = \"hollow\"", "method = \"plain\"");
    place.write("run/config.toml", &plain);
    place.fails(&["resume", "run", "--steps", "60"], &["field.method was \"hollow\"", "config.toml"]);
}
