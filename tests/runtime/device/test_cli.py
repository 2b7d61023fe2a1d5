"""`edgepatho-run`: results, exit codes, and what remains when something goes wrong."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_recipe import floats, identity
from field_drawing import CENTRES
from PIL import Image

import edgepatho_runtime
from edgepatho_runtime import cli, files, network
from edgepatho_runtime.arguments import parser
from edgepatho_runtime.scoring import batch

SavePicture = Callable[..., Path]
RUN = [sys.executable, "-P", "-m", "edgepatho_runtime"]


def disk_full(*_: object) -> str:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def parts(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*.part")]


# -- score ---------------------------------------------------------------------------------------------


def test_score_prints_counts_with_denominators(
    bundle_file: Path, save_picture: SavePicture, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["score", str(save_picture()), "--bundle", str(bundle_file)]) == 0
    out = capsys.readouterr().out
    assert "field.png: 3 immunopositive, 1 immunonegative, 2 til   Ki-67 75.0 % (3/4) no class" in out
    assert "TIL 33.3 % (2/6) no class: under 30 tumour cells" in out
    assert "SCALE ASSUMED" in out
    assert "trained on nothing. Research use only" in out
    assert "Rings" not in out


def test_score_with_overlays_prints_their_legend(
    tmp_path: Path, bundle_file: Path, save_picture: SavePicture, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["score", str(save_picture()), "--bundle", str(bundle_file), "-o", str(tmp_path / "results")]
    assert cli.main(command) == 0
    assert "Rings: yellow immunopositive, sky blue immunonegative, purple til." in capsys.readouterr().out


def test_score_of_several_fields_gives_the_pooled_index_and_its_interval(
    tmp_path: Path, bundle_file: Path, save_picture: SavePicture, capsys: pytest.CaptureFixture[str]
) -> None:
    save_picture("fields/a.png")
    save_picture("fields/b.png", {0: CENTRES[0], 1: CENTRES[2]})
    assert cli.main(["score", str(tmp_path / "fields"), "--bundle", str(bundle_file), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["complete"] is True
    assert [entry["image"] for entry in record["images"]] == ["a.png", "b.png"]
    assert record["pooled"]["counts"] == {"immunopositive": 6, "immunonegative": 3, "til": 2}
    low, high = record["pooled"]["ki67_interval_95"]
    assert low == 0.6 <= record["pooled"]["ki67_index"] <= high == 0.75


def test_score_writes_whole_files_only(tmp_path: Path, bundle_file: Path, save_picture: SavePicture) -> None:
    results = tmp_path / "deep" / "results"
    assert cli.main(["score", str(save_picture()), "--bundle", str(bundle_file), "-o", str(results)]) == 0
    assert {path.name for path in results.iterdir()} == {
        "field.png.cells.csv",
        "field.png.geojson",
        "field.png.overlay.png",
        "field.png.score.json",
        "scores.json",
    }
    with Image.open(results / "field.png.overlay.png") as drawn_over:
        assert drawn_over.size == (128, 128 + 31)  # the legend is below
    assert len((results / "field.png.cells.csv").read_text().splitlines()) == 1 + 6
    assert json.loads((results / "scores.json").read_text())["pooled"]["fields"] == 1


def test_thresholds_for_once_are_named_in_every_output(
    tmp_path: Path, bundle_file: Path, save_picture: SavePicture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Drawn cells have a heat of 255 in their class and 0 in the others."""
    command = ["score", str(save_picture()), "--bundle", str(bundle_file), "-o", str(tmp_path / "results")]
    assert cli.main([*command, "--thresholds", "30,55.5,255"]) == 0
    note = "THRESHOLDS 30, 55.5, 255, not the bundle's 60, 55, 40"
    assert note in capsys.readouterr().out
    for name in ("cells.csv", "geojson", "score.json"):
        assert note in (tmp_path / f"results/field.png.{name}").read_text()
    with Image.open(tmp_path / "results/field.png.overlay.png") as overlay:
        assert overlay.info["Comment"].endswith(note)
    record = json.loads((tmp_path / "results/scores.json").read_text())
    assert record["scoring"]["thresholds"] == [30, 55.5, 255]
    assert record["one_cell_one_class"] == "the class of the highest heat / threshold within 3 px"
    assert record["images"][0]["note"].endswith(note)
    assert record["images"][0]["counts"] == {"immunopositive": 3, "immunonegative": 1, "til": 2}


def test_thresholds_for_another_number_of_classes_are_a_usage_error(
    bundle_file: Path, save_picture: SavePicture, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["score", str(save_picture()), "--bundle", str(bundle_file), "--thresholds", "60,55"]
    assert cli.main(command) == 2
    assert capsys.readouterr().err == (
        "Error: --thresholds gives 2 numbers, but the bundle has 3 classes; "
        "give one for each of immunopositive, immunonegative, til.\n"
    )


def test_a_batch_continues_past_bad_files_and_exits_with_3(
    tmp_path: Path, bundle_file: Path, save_picture: SavePicture, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "fields"
    save_picture("fields/b.png")
    (folder / "a.png").touch()
    (folder / "c.jpg").write_text("just text")
    assert cli.main(["score", str(folder), "nowhere.png", "--bundle", str(bundle_file)]) == 3
    captured = capsys.readouterr()
    assert "b.png: 3 immunopositive" in captured.out
    errors = captured.err.splitlines()
    assert len(errors) == 3
    assert all(line.startswith("Error: ") and line.endswith(".") for line in errors)
    assert [word in captured.err for word in ("a.png", "c.jpg", "nowhere.png")] == [True] * 3


def test_overlays_of_an_earlier_run_are_not_scored(
    tmp_path: Path, bundle_file: Path, save_picture: SavePicture
) -> None:
    folder = save_picture("fields/b.png").parent
    for _ in range(2):
        assert cli.main(["score", str(folder), "--bundle", str(bundle_file), "-o", str(folder)]) == 0
        record = json.loads((folder / "scores.json").read_text())
        assert [entry["image"] for entry in record["images"]] == ["b.png"]


def test_a_file_name_that_is_not_text_is_scored(
    tmp_path: Path, bundle_file: Path, save_picture: SavePicture, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    shutil.copy(save_picture(), folder / os.fsdecode(b"\xff\x1b[2Jred.png"))
    command = ["score", str(folder), "--bundle", str(bundle_file), "-o", str(tmp_path / "r")]
    assert cli.main(command) == 0
    assert "??[2Jred.png: 3 immunopositive" in capsys.readouterr().out


def test_an_image_of_1_pixel_and_a_white_one_are_scored(
    tmp_path: Path, bundle_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "one.png")
    Image.new("RGB", (300, 40), "white").save(tmp_path / "white.png")
    command = ["score", str(tmp_path / "one.png"), str(tmp_path / "white.png"), "--bundle", str(bundle_file)]
    assert cli.main(command) == 0
    out = capsys.readouterr().out
    assert "one.png: 0 immunopositive, 0 immunonegative, 0 til   (1 x 1 px seen at 1 x 1" in out
    # one cell of three classes: the heat is alike, and the threshold for TILs is the lowest
    assert "white.png: 0 immunopositive, 0 immunonegative, 1 til" in out


def test_a_full_disk_leaves_no_half_file(
    tmp_path: Path,
    bundle_file: Path,
    save_picture: SavePicture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = tmp_path / "results"
    monkeypatch.setattr(files.os, "fsync", disk_full)
    assert cli.main(["score", str(save_picture()), "--bundle", str(bundle_file), "-o", str(results)]) == 1
    assert "No space left" in capsys.readouterr().err
    assert list(results.iterdir()) == []


def test_a_disk_that_fills_up_keeps_the_record_of_what_is_done(
    tmp_path: Path, bundle_file: Path, save_picture: SavePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        save_picture(f"fields/{name}.png")
    write = batch.cellfiles.table

    def last_that_fits(*cells: Any) -> str:
        monkeypatch.setattr(batch.cellfiles, "table", disk_full)
        return write(*cells)

    monkeypatch.setattr(batch.cellfiles, "table", last_that_fits)
    results = tmp_path / "results"
    command = ["score", str(tmp_path / "fields"), "--bundle", str(bundle_file), "-o", str(results)]
    assert cli.main(command) == 1
    record = json.loads((results / "scores.json").read_text())
    assert record["complete"] is False
    assert [entry["image"] for entry in record["images"]] == ["a.png"]
    assert {path.name.split(".")[0] for path in results.iterdir()} == {"a", "scores"}  # nothing of b


def test_results_that_cannot_be_written_fail_only_their_picture(
    tmp_path: Path,
    bundle_file: Path,
    save_picture: SavePicture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    longest = "e" * (255 - len(".png.overlay.png"))
    for name in ("a", "b" * 245, "c", "d", longest):
        save_picture(f"fields/{name}.png")
    table, written = batch.cellfiles.table, []

    def short_of_memory(*arguments: Any) -> str:
        written.append(arguments)
        if len(written) == 3:
            raise MemoryError
        return table(*arguments)

    monkeypatch.setattr(batch.cellfiles, "table", short_of_memory)
    results = tmp_path / "results"
    never = "f" * 300
    command = ["score", str(tmp_path / "fields"), never, "--bundle", str(bundle_file), "-o", str(results)]
    assert cli.main(command) == 3
    err = capsys.readouterr().err
    assert f"{never} cannot be read: File name too long." in err
    assert "name is too long for its result files" in err
    assert "c.png needs more memory than this device has free" in err
    assert {path.name.split(".")[0] for path in results.iterdir()} == {"a", "d", longest, "scores"}
    assert json.loads((results / "scores.json").read_text())["complete"] is True


def test_a_results_folder_that_cannot_be_made_is_not_a_bad_picture(
    tmp_path: Path, bundle_file: Path, save_picture: SavePicture, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    places = {str(tmp_path / "file" / "results"): "Not a directory", "/proc/results": "No such file"}
    for results, reason in places.items():
        assert cli.main(["score", str(save_picture()), "--bundle", str(bundle_file), "-o", results]) == 1
        assert reason in capsys.readouterr().err


def test_a_missing_bundle_is_bad_input_wherever_results_go(
    tmp_path: Path, save_picture: SavePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["score", str(save_picture()), "--bundle", "none.epb", "-o", "."]) == 3


def test_threads_that_the_system_refuses_are_one_sentence(
    bundle_file: Path,
    save_picture: SavePicture,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refused(*arguments: object) -> None:
        raise OSError("the system refused to start 3 threads")

    monkeypatch.setattr(network._core, "Core", refused)
    assert cli.main(["score", str(save_picture()), "--bundle", str(bundle_file)]) == 1
    assert capsys.readouterr().err == "Error: This device: the system refused to start 3 threads.\n"


def test_an_interrupt_keeps_what_is_done(
    tmp_path: Path, bundle_file: Path, save_picture: SavePicture
) -> None:
    first = save_picture("fields/000.png", size=250)
    for number in range(1, 1000):  # minutes of work, interrupted within seconds
        (first.parent / f"{number:03}.png").hardlink_to(first)
    results = tmp_path / "results"
    command = [*RUN, "score", str(tmp_path / "fields"), "--bundle", str(bundle_file), "-o", str(results)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("000.png")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=600)  # a safeguard, not a promise of speed
    assert process.returncode == 130
    assert "Interrupted after" in err
    record = json.loads((results / "scores.json").read_text())
    assert record["complete"] is False
    assert 1 <= len(record["images"]) < 1000
    assert len(list(results.glob("*.overlay.png"))) == len(record["images"])
    assert parts(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["score"], 2),
        (["score", "a.png"], 2),
        (["score", "a.png", "--bundle", "b.epb", "--threads", "0"], 2),
        (["score", "a.png", "--bundle", "b.epb", "--threads", "17"], 2),
        (["score", "a.png", "--bundle", "b.epb", "--scale", "nan"], 2),
        (["score", "a.png", "--bundle", "b.epb", "--max-pixels", "-1"], 2),
        (["score", "a.png", "--bundle", "b.epb", "--thresholds", "60,0,40"], 2),
        (["score", "a.png", "--bundle", "b.epb", "--thresholds", "60,nan,40"], 2),
        (["score", "a.png", "--bundle", "b.epb", "--thresholds", "60;55;40"], 2),
        (["bench"], 2),
        (["bench", "x", "--runs", "0"], 2),
        (["unknown"], 2),
        (["--version"], 0),
        (["--help"], 0),
        (["score", "--help"], 0),
    ],
)
def test_usage(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == code
    captured = capsys.readouterr()
    assert (captured.err if code else captured.out).strip()


@pytest.mark.parametrize("command", [["info"], ["selftest"], ["bench"], ["score", "a.png", "--bundle"]])
@pytest.mark.parametrize("content", [None, b"", b"not a bundle at all"])
def test_a_missing_or_foreign_bundle_is_one_sentence_and_3(
    tmp_path: Path, command: list[str], content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.epb"
    if content is not None:
        path.write_bytes(content)
    assert cli.main([*command, str(path)]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Error: ")
    assert captured.err.count("\n") == 1


# -- info, selftest ------------------------------------------------------------------------------------


def test_info_describes_a_bundle(bundle_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", str(bundle_file), "--plan", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["weights"], facts["layers"], facts["codebooks"]) == (9, 1, {"codebook": 2})
    assert facts["file_bytes"] == bundle_file.stat().st_size
    assert sum(facts["stored_bytes"].values()) < facts["file_bytes"]
    assert facts["plan"]["steps"] == len(facts["plan"]["rows"]) > 0
    assert cli.main(["info", str(bundle_file), "--plan"]) == 0
    text = capsys.readouterr().out
    assert "1 layers, 9 weights" in text
    assert f"{facts['sha256']} (SHA-256 of its content" in text
    assert f"{hashlib.sha256(bundle_file.read_bytes()).hexdigest()} (of the file)" in text
    assert facts["sha256"] != facts["sha256sum"]


def test_every_option_and_argument_has_help() -> None:
    (commands,) = (each for each in parser()._actions if isinstance(each.choices, dict))
    unexplained = [
        f"{name} {action.option_strings or action.dest}"
        for name, command in commands.choices.items()
        for action in command._actions
        if not action.help
    ]
    assert unexplained == []


def test_the_input_may_have_any_name(
    tmp_path: Path, save_picture: SavePicture, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = identity()
    recipe.graph["input"]["name"] = "input_layer_7"
    recipe.graph["nodes"][0]["inputs"] = ["input_layer_7"]
    (tmp_path / "other.epb").write_bytes(recipe.build())
    assert cli.main(["selftest", str(tmp_path / "other.epb")]) == 0
    assert cli.main(["score", str(save_picture()), "--bundle", str(tmp_path / "other.epb")]) == 0
    assert "3 immunopositive, 1 immunonegative, 2 til" in capsys.readouterr().out


def test_a_classifiers_bundle_cannot_score(
    tmp_path: Path, save_picture: SavePicture, capsys: pytest.CaptureFixture[str]
) -> None:
    dense = Path(__file__).parents[2] / "fixtures" / "v1" / "dense.epb"
    picture = tmp_path / "small.png"
    Image.new("RGB", (16, 16), "white").save(picture)
    assert cli.main(["score", str(picture), "--bundle", str(dense)]) == 3
    error = capsys.readouterr().err
    assert error.count("Error:") == error.count("\n") == 1
    assert "outputs 1 x 1 x 3 values, expected a heat map of 16 x 16 x 3" in error


def test_a_network_that_cannot_be_planned_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    dense = Path(__file__).parents[2] / "fixtures" / "v1" / "dense.epb"  # takes only images of 16 x 16 px
    assert cli.main(["info", str(dense), "--plan"]) == 3
    assert "cannot run at its own size of 256 x 256 px" in capsys.readouterr().err


def test_selftest_passes_on_the_right_output(bundle_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["selftest", str(bundle_file)]) == 0
    assert capsys.readouterr().out.startswith("self-test passed: largest error ")
    assert cli.main(["selftest", str(bundle_file), "--json", "--threads", "1"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["passed"] is True
    assert result["max_error"] <= result["limit"] == pytest.approx(1e-4 * result["largest_magnitude"])


@pytest.mark.parametrize("wrong", [1.0, -1e30])
def test_selftest_fails_on_a_wrong_output(
    tmp_path: Path, wrong: float, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = identity()
    recipe.tensors["tune.shift"] = ("F32", [3], floats(0, 0, wrong))
    (tmp_path / "bent.epb").write_bytes(recipe.build())
    assert cli.main(["selftest", str(tmp_path / "bent.epb")]) == 5
    captured = capsys.readouterr()
    assert captured.out.startswith("self-test FAILED")
    assert "do not use its results" in captured.err


def test_a_missing_instruction_set_makes_the_device_unfit(
    bundle_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGEPATHO_ISA", "abacus")
    assert cli.main(["selftest", str(bundle_file)]) == 5
    assert "abacus" in capsys.readouterr().err


# -- nothing but the wheel -----------------------------------------------------------------------------

ISOLATED = """
import sys
sys.path.insert(0, sys.argv[1])
for name in ("numpy", "PIL", "scipy", "hashlib"):
    sys.modules[name] = None
from edgepatho_runtime.cli import main
code = main(sys.argv[2:])
loaded = {name.partition(".")[0] for name, module in sys.modules.items() if module is not None}
foreign = loaded - sys.stdlib_module_names - {"__main__", "edgepatho_runtime"}
sys.exit(code or sorted(name for name in foreign if "cython" not in name) or 0)
"""


def test_all_commands_run_in_a_python_with_only_our_wheel(
    tmp_path: Path, bundle_file: Path, save_picture: SavePicture
) -> None:
    lib = tmp_path / "lib"
    shutil.copytree(Path(edgepatho_runtime.__file__).parent, lib / "edgepatho_runtime")
    for arguments in (
        ["selftest", str(bundle_file)],
        ["info", str(bundle_file), "--plan"],
        ["score", str(save_picture()), "--bundle", str(bundle_file), "-o", str(tmp_path / "results")],
        ["bench", str(bundle_file), "--runs", "2", "--warmup", "1"],
    ):
        command = [sys.executable, "-I", "-S", "-c", ISOLATED, str(lib), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_help_loads_no_extension() -> None:
    code = (
        "import sys, edgepatho_runtime.cli as cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name.endswith(('._core', '._vision', '.bundle', 'numpy'))])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_closed_pipe_ends_quietly(bundle_file: Path) -> None:
    command = [*RUN, "info", str(bundle_file), "--plan", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


def test_scores_do_not_depend_on_threads(
    tmp_path: Path, bundle_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 210, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    results = []
    for threads in ("1", "2", "4"):
        command = ["score", str(tmp_path / "noise.png"), "--bundle", str(bundle_file), "--threads", threads]
        assert cli.main([*command, "-o", str(tmp_path / threads)]) == 0
        results.append((tmp_path / threads / "noise.png.cells.csv").read_bytes())
    assert results[0] == results[1] == results[2]
    assert results[0].count(b"\n") > 50
    capsys.readouterr()
