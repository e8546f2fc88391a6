use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::formatted;
use crate::config::ByteSize;
use crate::logging::{Compression, File, Output, Rotation};

const DAY: u64 = 86_400;

/// The names beside a file that are not its own, in order.
fn old(path: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|it| it.unwrap().path());
    let mut old: Vec<_> = all.filter(|it| it != path).collect();
    old.sort();
    old
}

fn write(file: &mut File, lines: &[(&str, u64)]) {
    let at = |second: &u64| UNIX_EPOCH + Duration::from_secs(*second);
    let batch: Vec<_> = lines.iter().map(|(line, second)| formatted(line, at(second))).collect();
    file.write(&batch).unwrap();
}

fn small(files_max: usize, compression: Compression) -> Rotation {
    Rotation { bytes_max: Some(ByteSize::new(10)), daily: false, files_max, compression }
}

#[test]
fn a_full_file_is_put_aside_and_the_oldest_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    std::fs::write(folder.path().join("app.log.mine"), "not ours").unwrap();
    let mut file = File::new(&path, small(2, Compression::None)).unwrap();
    // Several in one batch, several in one second, one larger than a file may be.
    write(&mut file, &[("aaaa", 0), ("bbbb", 0), ("cccc", 0), ("dddddddddddddddd", 1), ("e", 1)]);
    write(&mut file, &[("ffff", 2), ("gggg", 2)]);
    file.close().unwrap();
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    assert_eq!(read(&path), "gggg\n");
    let old = old(&path);
    let texts: Vec<_> = old.iter().map(read).collect();
    assert_eq!(texts, ["dddddddddddddddd\n", "e\nffff\n", "not ours"], "{old:?}");
    assert_eq!(file.health(), Ok(()));
}

#[test]
fn a_day_has_a_file_of_its_own_after_a_restart_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let daily = Rotation { bytes_max: None, daily: true, ..Rotation::default() };
    let mut file = File::new(&path, daily.clone()).unwrap();
    write(&mut file, &[("a", 10), ("b", DAY - 1), ("c", DAY), ("d", DAY + 1)]);
    write(&mut file, &[("e", 2 * DAY)]);
    file.close().unwrap();
    let old_names: Vec<_> =
        old(&path).iter().map(|it| it.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(old_names, ["app.log.19700102T000000.0000", "app.log.19700103T000000.0000"]);
    assert_eq!(std::fs::read_to_string(&old(&path)[0]).unwrap(), "a\nb\n");
    assert_eq!(std::fs::read_to_string(&old(&path)[1]).unwrap(), "c\nd\n");
    // What another process left there was written today; a line of tomorrow is for a new file.
    let tomorrow = std::time::SystemTime::now() + Duration::from_secs(2 * DAY);
    let mut file = File::new(&path, daily).unwrap();
    file.write(&[formatted("f", tomorrow)]).unwrap();
    file.close().unwrap();
    assert_eq!((std::fs::read_to_string(&path).unwrap().as_str(), old(&path).len()), ("f\n", 3));
}

#[cfg(feature = "gzip")]
#[test]
fn files_that_are_put_aside_are_packed() {
    use std::io::Read;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let mut file = File::new(&path, small(10, Compression::Gzip)).unwrap();
    write(&mut file, &[("aaaaaaaa", 0), ("bbbbbbbb", 1), ("cccccccc", 2)]);
    file.close().unwrap();
    let texts: Vec<_> = old(&path)
        .iter()
        .map(|it| {
            assert!(it.to_str().unwrap().ends_with(".gz"), "{it:?}");
            let mut text = String::new();
            flate2::read::GzDecoder::new(std::fs::File::open(it).unwrap()).read_to_string(&mut text).unwrap();
            text
        })
        .collect();
    assert_eq!(texts, ["aaaaaaaa\n", "bbbbbbbb\n"]);
}

#[cfg(feature = "zstd")]
#[test]
fn files_can_be_packed_with_zstd() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let mut file = File::new(&path, small(10, Compression::Zstd)).unwrap();
    write(&mut file, &[("aaaaaaaa", 0), ("bbbbbbbb", 1)]);
    file.close().unwrap();
    let old = old(&path);
    assert!(old.len() == 1 && old[0].to_str().unwrap().ends_with(".zst"), "{old:?}");
    assert_eq!(zstd::decode_all(std::fs::File::open(&old[0]).unwrap()).unwrap(), b"aaaaaaaa\n");
}

#[test]
fn folders_are_made_and_a_file_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/app.log");
    let mut file = File::new(&path, Rotation::default()).unwrap();
    write(&mut file, &[("a", 0)]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n");
    drop(file);
    // It goes on where it was.
    let mut file = File::new(&path, Rotation::default()).unwrap();
    write(&mut file, &[("b", 0)]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\n");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_may_be_tried_again() {
    let mut file = File::new("/dev/full", Rotation { bytes_max: None, ..Rotation::default() }).unwrap();
    let error = file.write(&[formatted("a", UNIX_EPOCH), formatted("b", UNIX_EPOCH)]).unwrap_err();
    assert!(error.to_string().starts_with("cannot write to /dev/full: "), "{error}");
    assert!(error.retryable().is_some());
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_put_aside_is_written_on() {
    let folder = tempfile::tempdir().unwrap();
    // With the time behind it the name is too long for the file system, also for root.
    let path = folder.path().join("a".repeat(250));
    let mut file = File::new(&path, small(10, Compression::None)).unwrap();
    write(&mut file, &[("aaaaaaaa", 0), ("bbbbbbbb", 1), ("cccccccc", 2)]);
    write(&mut file, &[("dddddddd", 3)]);
    // It is tried again later.
    write(&mut file, &[("eeeeeeee", 100)]);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!((text.lines().count(), old(&path).len()), (5, 0), "{text}");
    assert!(file.health().unwrap_err().starts_with("cannot put files aside: "), "{:?}", file.health());
    file.close().unwrap();
}

#[cfg(unix)]
#[test]
fn a_file_that_somebody_moved_or_deleted_or_emptied_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let mut file = File::new(&path, small(10, Compression::None)).unwrap();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    write(&mut file, &[("a", 0)]);
    // As logrotate does.
    let moved = folder.path().join("moved");
    std::fs::rename(&path, &moved).unwrap();
    write(&mut file, &[("b", 1)]);
    assert_eq!((read(&moved), read(&path)), ("a\n".into(), "b\n".into()));
    std::fs::remove_file(&path).unwrap();
    write(&mut file, &[("c", 2)]);
    assert_eq!(read(&path), "c\n");
    // As logrotate does with `copytruncate`; what others append counts, too.
    std::fs::write(&path, "").unwrap();
    write(&mut file, &[("dddd", 3), ("ee", 4)]);
    assert_eq!(read(&path), "dddd\nee\n");
    std::fs::write(&path, "by others\n").unwrap();
    write(&mut file, &[("f", 5)]);
    assert_eq!(read(&path), "f\n");
}

/// Runs one test of this binary in a process of its own whose files cannot grow beyond 512 bytes.
#[cfg(unix)]
fn run_with_small_files(test: &str, path: &Path) {
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"";
    let mut shell = std::process::Command::new("sh");
    let shell = shell.args(["-c", script]).arg(std::env::current_exe().unwrap());
    let output = shell.args([test, "--exact", "--nocapture"]).env(SMALL_FILE, path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
}

#[cfg(unix)]
const SMALL_FILE: &str = "FRESNEL_TEST_SMALL_FILE";

#[cfg(unix)]
#[test]
fn a_full_disk_takes_nothing_back_that_others_wrote() {
    use std::io::Write;

    let Ok(path) = std::env::var(SMALL_FILE) else {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        run_with_small_files(
            "logging::tests::files::a_full_disk_takes_nothing_back_that_others_wrote",
            &path,
        );
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("mine\ntheirs\nwhole\nxxx") && !text.ends_with('\n'), "{text}");
        // There is room again: what was cut off is a line of its own, and the whole line follows.
        let mut file = File::new(&path, Rotation::default()).unwrap();
        write(&mut file, &[("after", 9)]);
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("xxx\nafter\n"));
        return;
    };
    let mut file = File::new(&path, Rotation::default()).unwrap();
    write(&mut file, &[("mine", 0)]);
    let mut theirs = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    theirs.write_all(b"theirs\n").unwrap();
    let mut batch = vec![formatted("whole", UNIX_EPOCH), formatted(&"x".repeat(4000), UNIX_EPOCH)];
    let error = file.write(&batch).unwrap_err();
    assert!(error.retryable().is_some(), "{error}");
    assert_eq!((error.written(2), error.settle(&mut batch), batch.len()), (1, 0, 1));
}
