//! Mapping once more without pairs that mislead.
use super::*;
use crate::photos::unfold::unfold_with;

/// As [`GOOD`], with the commands that drop and compare pairs.
fn commands(mapper: &str) -> String {
    format!("{GOOD}\ndatabase_cleaner() {{ true; }}\nmatches_importer() {{ true; }}\n{mapper}")
}

fn unfold(place: &Place, better: bool) -> Result<bool, PhotosError> {
    let program = place.root.path().join("colmap").into_os_string();
    let settings = ColmapSettings { matching: Matching::Exhaustive, threads: 1 };
    let pairs = [["b.png".to_owned(), "a1.png".to_owned()], ["a2.png".to_owned(), "c.png".to_owned()]];
    let find = || Colmap::at(program);
    unfold_with(
        find,
        &place.photos,
        &place.work(),
        &settings,
        &pairs,
        &mut || better,
        &mut |_, _| {},
        &|| false,
    )
}

/// The number of images in the models that are there.
fn models(place: &Place) -> Vec<usize> {
    crate::photos::work::models(&place.work())
}

#[test]
fn pairs_are_left_out_and_what_is_better_is_kept() {
    // The second time the mapper places three photos.
    let again = r#"mapper() { mkdir -p "$output/0"; printf '\003\0\0\0\0\0\0\0' > "$output/0/images.bin"; }"#;
    for better in [true, false] {
        let place = Place::new(&FIVE, GOOD);
        place.run().unwrap();
        let first = models(&place);
        place.script(&commands(again));
        assert_eq!(unfold(&place, better).unwrap(), better);
        assert_eq!(models(&place), if better { vec![3] } else { first });
        let calls = place.calls();
        assert!(calls[3].starts_with("database_cleaner") && calls[3].contains("--type matches"), "{calls:?}");
        assert!(
            calls[4].starts_with("matches_importer") && calls[4].contains("--match_type pairs"),
            "{calls:?}"
        );
        assert!(calls[4].contains("--SiftMatching.use_gpu 0") && calls[5].starts_with("mapper"), "{calls:?}");
        let pairs = fs::read_to_string(place.work().join("pairs.txt")).unwrap();
        assert_eq!(pairs.lines().count(), 8, "{pairs}");
        assert!(!pairs.contains("a1.png b.png") && !pairs.contains("a2.png c.png"), "{pairs}");
        // Once is enough, and the folder is whole.
        assert!(!unfold(&place, true).unwrap() && place.calls().len() == 6);
        assert!(place.run().unwrap().reused && !place.work().join("sparse-folded").exists());
    }
}

#[test]
fn what_fails_leaves_the_first_models() {
    let fails = "mapper() { echo 'failed to create sparse model'; exit 1; }";
    for (second, is_error) in [(fails, false), ("matches_importer() { exit 3; }", true)] {
        let place = Place::new(&FIVE, GOOD);
        place.run().unwrap();
        let first = models(&place);
        place.script(&commands(second));
        assert_eq!(unfold(&place, true).is_err(), is_error);
        assert_eq!(models(&place), first);
        assert!(place.run().unwrap().reused);
    }
    // Names with spaces cannot be listed.
    let place = Place::new(&["a 1.png", "a2.png", "a3.png"], GOOD);
    place.run().unwrap();
    assert!(!unfold(&place, true).unwrap() && place.calls().len() == 3);
}
