"""The envelope of a few pictures: what it holds, and what lies outside."""

from __future__ import annotations

import numpy as np
import pytest

from edgepatho.envelope import colour, fit, statistics
from edgepatho.exporters.parts import RANGES, check_parts

SIZE = 96
HEMATOXYLIN, DAB = np.array([0.65, 0.70, 0.29]), np.array([0.27, 0.57, 0.78])


def tile(seed: int, turn: int = 0) -> np.ndarray:
    """Blue and brown nuclei at random places; `turn` moves the channels, so the hue turns."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE]
    density = np.zeros((SIZE, SIZE, 3))
    for number in range(24):
        row, column = generator.uniform(4, SIZE - 4, 2)
        disc = np.hypot(y - row, x - column) <= 4
        density[disc] = (0.8 * DAB) if number % 3 == 0 else (generator.uniform(0.2, 0.35) * HEMATOXYLIN)
    density += 0.03 * HEMATOXYLIN
    picture = np.rint(generator.uniform(215, 240) * 10**-density + generator.normal(0, 1, density.shape))
    return np.roll(np.clip(picture, 0, 255).astype(np.uint8), turn, axis=2)


def heat(picture: np.ndarray) -> np.ndarray:
    """Heat maps that are dark where the picture is light."""
    return (255 - picture).astype(np.float32)


@pytest.fixture(scope="module")
def envelope():
    pictures = [tile(seed) for seed in range(12)]
    maps = {number: heat(pictures[number]) for number in range(12)}
    return fit.fit(pictures, [f"p{number // 3}" for number in range(12)], maps, [90, 90, 90], "12 discs")


def known(envelope) -> np.ndarray:
    bits = np.frombuffer(bytes.fromhex("".join(envelope["colours"])), np.uint8)
    return np.unpackbits(bits).reshape(colour.TABLE).astype(bool)


def test_it_is_a_valid_object_of_a_bundle(envelope):
    check_parts({"envelope": envelope})
    assert envelope["trained_on"] == "12 discs"
    assert set(envelope["ranges"]) <= set(RANGES)
    assert set(fit.ENDS) == set(RANGES) - {"unseen_colours"}


def test_it_is_the_same_every_time(envelope):
    pictures = [tile(seed) for seed in range(12)]
    maps = {number: heat(pictures[number]) for number in range(12)}
    assert envelope == fit.fit(
        pictures, [f"p{number // 3}" for number in range(12)], maps, [90, 90, 90], "12 discs"
    )


def test_another_picture_of_the_kind_is_inside(envelope):
    picture = tile(100)
    seen = colour.colour(picture)
    found = statistics.of_picture(picture, seen)
    for name, (low, high) in envelope["ranges"].items():
        value = found.get(name)
        if value is not None:
            assert low is None or value >= low, name
            assert high is None or value <= high, name
    assert statistics.unseen_colours(seen, known(envelope)) <= envelope["ranges"]["unseen_colours"][1]
    for name in ("hematoxylin", "dab"):
        low, high = np.array(envelope["stains"][name])
        assert ((np.array(found[name]) >= low - 0.03) & (np.array(found[name]) <= high + 0.03)).all()


def test_another_hue_is_outside(envelope):
    seen = colour.colour(tile(100, turn=1))
    assert statistics.unseen_colours(seen, known(envelope)) > 0.5


def test_a_single_picture_has_an_envelope():
    check_parts({"envelope": fit.fit([tile(0)], ["p1"], {}, (), "one picture")})


def test_pictures_without_stain_have_one_too():
    glass = [np.full((20, 20, 3), 230, np.uint8)] * 2
    envelope = fit.fit(glass, ["p1", "p2"], {}, (), "glass")
    check_parts({"envelope": envelope})
    assert not known(envelope).any()
