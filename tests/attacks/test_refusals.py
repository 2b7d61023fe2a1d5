"""Refusals are one closed list, and both readers give the same one for every file."""

from __future__ import annotations

import re
from pathlib import Path

import bad_bundles
import pytest
import readers
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepatho.exporters import bundle
from edgepatho.exporters import limits as host_limits
from edgepatho.exporters import refusals as host
from edgepatho_runtime.bundle import limits as device_limits
from edgepatho_runtime.bundle import reader
from edgepatho_runtime.bundle import refusals as device
from edgepatho_runtime.errors import BundleError

PAGE = (Path(__file__).parents[2] / "docs" / "bundle-format.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def limits_of(module: object) -> dict[str, int]:
    return {name: value for name, value in vars(module).items() if name.startswith(("MAX_", "MIN_"))}


def test_page_host_and_device_have_the_same_refusals_in_the_same_order() -> None:
    documented = re.findall(r"^\| `(\w+)` \|", section("Refusals"), re.MULTILINE)
    assert documented == list(host.REFUSALS) == list(device.REFUSALS)


def test_page_host_and_device_have_the_same_limits() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", section("Limits"), re.MULTILINE)
    documented = {name: int(number.replace(",", "")) for name, number in rows}
    assert documented == limits_of(host_limits) == limits_of(device_limits)


def test_every_refusal_has_a_bad_bundle() -> None:
    given = {refusal for refusal, _ in bad_bundles.CASES.values()}
    assert given == set(host.REFUSALS) - {"NotAFile"}  # below


@pytest.mark.parametrize("case", bad_bundles.CASES)
def test_both_readers_refuse_a_defect_by_the_same_name(case: str) -> None:
    refusal, build = bad_bundles.CASES[case]
    assert readers.refused(build()) == refusal


@pytest.mark.parametrize("name", bad_bundles.GOOD)
def test_the_files_that_attacks_start_from_are_good(name: str) -> None:
    assert bad_bundles.good(name) == bad_bundles.FROZEN[name].read_bytes()
    assert readers.answers(bad_bundles.good(name)) == {"host": None, "device": None}


def test_an_lzma_dictionary_of_exactly_the_limit_is_accepted() -> None:
    data = bad_bundles.lzma_with_dictionary(host_limits.MAX_DICTIONARY_BYTES)()
    assert readers.answers(data) == {"host": None, "device": None}


def test_what_is_not_a_regular_file_or_too_large_is_not_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge.epb"
    with huge.open("wb") as file:
        file.truncate(1 << 40)  # sparse
    for path, refusal in ((tmp_path, "NotAFile"), (huge, "FileTooLarge")):
        for read, error in ((bundle.read, host.BundleError), (reader.read, BundleError)):
            with pytest.raises(error, match=re.escape(f"{path}: ")) as caught:
                read(path)
            assert caught.value.refusal == refusal


@settings(max_examples=400)
@given(st.sampled_from(bad_bundles.GOOD), st.integers(0, 10**6), st.integers(0, 7))
def test_a_flipped_bit_under_a_right_checksum_gets_the_same_answer(name: str, place: int, bit: int) -> None:
    data = bytearray(bad_bundles.good(name))
    data[place % len(data)] ^= 1 << bit
    answer = readers.answers(bad_bundles.signed(bytes(data)))
    assert answer["host"] == answer["device"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


PLACES = [("coded", key) for key in ("graph", "coding", "scoring")]
PLACES += [("complete", key) for key in ("cutoffs", "envelope", "image")]


@settings(max_examples=400)
@given(st.sampled_from(PLACES), st.integers(0, 10**6), JSON)
def test_any_value_anywhere_in_the_metadata_gets_the_same_answer(
    at_key: tuple[str, str], place: int, value: object
) -> None:
    name, key = at_key
    parts = bad_bundles.Parts(name)
    places = [*bad_bundles.places(parts.texts[key])]
    parent, at = places[place % len(places)]
    parent[at] = value
    answer = readers.answers(bad_bundles.file_of(parts.header(), parts.payload()))
    assert answer["host"] == answer["device"]
