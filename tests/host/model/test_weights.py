"""Weights are read by name from any common format, and nothing in a file is ever executed."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from edgepatho.compression import record
from edgepatho.errors import InputError
from edgepatho.exporters.parts import check_parts
from edgepatho.model import pathonet, weights


@pytest.fixture(scope="module")
def model():
    net = pathonet.build(size=None)
    rng = np.random.default_rng(7)
    for variable in net.variables:
        if not variable.path.startswith("seed"):
            variable.assign(rng.normal(0.5, 0.1, variable.shape))
    return net


def test_pathonet_has_the_parameters_of_the_paper(model):
    assert model.count_params() == pathonet.PARAMETERS == 3_236_907
    kernels = [w for layer in model.layers for w in layer.weights if w.path.endswith("kernel")]
    assert len(kernels) == 46
    assert sum(int(np.prod(k.shape)) for k in kernels) == pathonet.CONV_WEIGHTS == 3_220_296


@pytest.mark.parametrize(
    "name", ["net.keras", "net.weights.h5", "net.h5", "net.hdf5", "net.safetensors", "net.npz"]
)
def test_every_format_restores_the_same_network(model, tmp_path, name):
    path = tmp_path / name
    if name == "net.safetensors":
        weights.save(model, path)
    elif name == "net.npz":
        np.savez(path, **weights.arrays_of(model))
    elif "weights" in name:
        model.save_weights(path)
    elif path.suffix == ".hdf5":
        model.save(tmp_path / "net.h5")
        (tmp_path / "net.h5").rename(path)
    else:
        model.save(path)
    assert weights.sha256(weights.load(path, size=None)) == weights.sha256(model)


def test_a_keras_2_file_with_numbered_layers_is_matched_by_order(model, tmp_path):
    path = tmp_path / "old.hdf5"
    counts: dict[str, int] = {}
    with h5py.File(path, "w") as file:
        names = []
        for layer in model.layers:
            if not layer.weights:
                continue
            stem = "conv2d" if "Conv" in type(layer).__name__ else "batch_normalization"
            counts[stem] = counts.get(stem, 0) + 1
            name = f"{stem}_{counts[stem]}"
            names.append(name)
            group = file.create_group(name)
            stored = [f"{name}/{v.path.rsplit('/', 1)[-1]}:0" for v in layer.weights]
            for key, variable in zip(stored, layer.weights, strict=True):
                group[key] = np.asarray(variable)
            group.attrs["weight_names"] = [key.encode() for key in stored]
        file.attrs["layer_names"] = [name.encode() for name in names]
    assert weights.sha256(weights.load(path, size=None)) == weights.sha256(model)


def test_the_first_layer_that_does_not_fit_is_named_with_both_shapes(model, tmp_path):
    arrays = weights.arrays_of(model)
    arrays["b2_a1_1/kernel"] = np.zeros((3, 3, 16, 31), np.float32)
    np.savez(tmp_path / "foreign.npz", **arrays)
    with pytest.raises(InputError, match=r"b2_a1_1/kernel has shape \(3, 3, 16, 31\).*\(3, 3, 16, 32\)"):
        weights.load(tmp_path / "foreign.npz")


def test_a_missing_variable_and_nan_are_named(model, tmp_path):
    arrays = weights.arrays_of(model)
    del arrays["conv10/bias"]
    np.savez(tmp_path / "short.npz", **arrays)
    with pytest.raises(InputError, match="has no conv10/bias"):
        weights.load(tmp_path / "short.npz")
    arrays = weights.arrays_of(model)
    arrays["u6_p1/kernel"][0, 0, 3, 4] = np.nan
    np.savez(tmp_path / "nan.npz", **arrays)
    with pytest.raises(InputError, match="u6_p1/kernel holds NaN"):
        weights.load(tmp_path / "nan.npz")


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5", ".npz", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"\x89HDF\r\n\x1a\n" + b"x" * 100])
def test_a_corrupt_file_is_one_sentence(tmp_path, suffix, content):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match="bad"):
        weights.load(path)


def test_an_internal_h5py_error_is_one_sentence(tmp_path, monkeypatch):
    def stumble(*arguments):
        raise SystemError("returned a result with an exception set")

    (tmp_path / "flipped.h5").write_bytes(b"\x89HDF")
    monkeypatch.setattr(h5py, "File", stumble)
    with pytest.raises(InputError, match=r"flipped\.h5 is not a readable \.h5 weights file"):
        weights.read(tmp_path / "flipped.h5")


def test_truncated_files_are_refused(model, tmp_path):
    weights.save(model, tmp_path / "net.safetensors")
    model.save(tmp_path / "net.keras")
    for name in ("net.safetensors", "net.keras"):
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
        with pytest.raises(InputError, match="not a readable"):
            weights.load(tmp_path / name)


def hostile_npz(path: Path, what: str) -> None:
    """An .npz that breaks numpy's reader or the checks after it."""
    if what == "text instead of numbers":
        arrays = weights.read(weights.SHIPPED) | {"b1_1/kernel": np.full((3, 3, 3, 16), "x")}
        np.savez(path, **arrays)
        return
    header = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (%d,), }"
    content = (header % (1 << 45 if what == "128 TiB" else 100)).ljust(127) + b"\n" + bytes(400)
    method = {"damaged deflate": zipfile.ZIP_DEFLATED, "damaged lzma": zipfile.ZIP_LZMA}.get(what, 0)
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("b1_1/kernel.npy", content)
    if method:
        data = bytearray(path.read_bytes())
        data[55:75] = b"\xff" * 20
        path.write_bytes(data)


@pytest.mark.parametrize("what", ["damaged deflate", "damaged lzma", "128 TiB", "text instead of numbers"])
def test_hostile_arrays_are_one_sentence(tmp_path, what):
    hostile_npz(tmp_path / "hostile.npz", what)
    with pytest.raises(InputError, match=r"hostile\.npz"):
        weights.load(tmp_path / "hostile.npz")


def test_a_missing_file_and_an_unknown_suffix_are_refused(tmp_path):
    with pytest.raises(InputError, match="is not a file"):
        weights.load(tmp_path / "none.keras")
    (tmp_path / "net.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match=r"suffix '\.pkl'"):
        weights.load(tmp_path / "net.pkl")


def test_pickled_arrays_and_links_are_not_followed(tmp_path):
    np.savez(tmp_path / "pickle.npz", **{"b1_1/kernel": np.array([{"a": 1}], object)})
    with pytest.raises(InputError, match="not a readable"):
        weights.load(tmp_path / "pickle.npz")
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["layers"] = h5py.ExternalLink("/etc/passwd", "x")
    with pytest.raises(InputError, match="link to elsewhere"):
        weights.load(tmp_path / "link.h5")


def test_a_lambda_layer_in_a_keras_file_is_never_run(model, tmp_path):
    """Keras' load_model would execute it; ours reads arrays only."""
    model.save(tmp_path / "net.keras")
    with zipfile.ZipFile(tmp_path / "net.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    witness = tmp_path / "witness"
    code = f"__import__('pathlib').Path({str(witness)!r}).touch()"
    config["config"]["layers"].append(
        {"class_name": "Lambda", "config": {"name": "evil", "function": code}, "module": "keras.layers"}
    )
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(tmp_path / "evil.keras", "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    loaded = weights.load(Path(tmp_path / "evil.keras"), size=None)
    assert weights.sha256(loaded) == weights.sha256(model)
    assert not witness.exists()


def test_the_shipped_weights_come_with_the_envelope_of_their_training_tiles():
    envelope = record.envelope(None, None, synthetic=False)
    assert envelope["trained_on"] == "288 synthetic tiles of 24 patients"
    check_parts({"envelope": envelope})
