"""A whole measurement: independent of batches, order and interruptions, with clear errors."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from sg2ada_colab.config.metric_names import parse_metric
from sg2ada_colab.errors import UserError
from sg2ada_colab.metrics import features
from sg2ada_colab.metrics.evaluate import MeasureOptions, measure, measure_all
from sg2ada_colab.metrics.fid import frechet_distance
from sg2ada_colab.metrics.kid import kernel_distance
from sg2ada_colab.metrics.reals import dataset_digest, flips_of
from sg2ada_colab.seeds import random_state
from tests.oracles.forms import FORMS, picture_shape

from .conftest import MemoryDataset, images_by_number, random_network, statistics_of

METRICS = ["kid300_efflite0", "fd300_efflite0", "kid150_efflite0"]


def options_of(cache_dir, **more):
    return MeasureOptions(networks=random_network, cache_dir=cache_dir, **more)


def run(tmp_path, metrics=METRICS, generate=images_by_number, dataset=None, **options):
    dataset = dataset or MemoryDataset(images_by_number(200, 0, stream="reals"))
    return measure_all(metrics, generate, dataset, options_of(tmp_path / "cache", **options))


@pytest.mark.parametrize("size", [16, (24, 16), (16, 24)])
def test_values_equal_a_direct_computation(size, tmp_path):
    network, fakes = random_network(), partial(images_by_number, size=size)
    reals = fakes(200, 0, stream="reals")
    real, fake = network(reals), network(fakes(300, 0))
    kid, fid, kid_small = run(tmp_path, generate=fakes, dataset=MemoryDataset(reals))
    expected = frechet_distance(statistics_of(real, unbiased=False), statistics_of(fake, unbiased=True))
    assert fid.values[""] == pytest.approx(expected, rel=1e-9)
    assert kid.values[""] == kernel_distance(real, fake, random_state(0, "kid", 0))
    assert kid_small.values[""] == kernel_distance(real, fake[:150], random_state(0, "kid", 0))
    assert (kid.num_reals, kid.num_fakes, kid_small.num_fakes) == (200, 300, 150)


def collection(form):
    """Return (function that makes fakes, MemoryDataset) of images of a form."""
    height, width, channels = picture_shape(form)
    made = partial(images_by_number, size=(height, width), channels=channels)
    reals = MemoryDataset(made(200, 0, stream="reals"))
    reals.channels = channels
    return made, reals


@pytest.mark.parametrize("form", FORMS)
def test_each_metric_alone_gives_what_it_gives_in_company(tmp_path, form):
    fakes, reals = collection(form)
    together = [result.values for result in run(tmp_path / "a", METRICS, fakes, reals)]
    alone = [run(tmp_path / "b", [name], fakes, reals)[0].values for name in reversed(METRICS)]
    assert together == alone[::-1]


@pytest.mark.parametrize("form", ["square", "tall", "wide rgba"])
def test_an_interrupted_measurement_goes_on_and_ends_the_same(tmp_path, form):
    fakes, reals = collection(form)
    whole = [result.values for result in run(tmp_path / "whole", METRICS, fakes, reals)]
    asked, calls = [], []

    def generate(count, start):
        asked.append(start)
        return fakes(count, start)

    for stop_after in (3, 4):
        calls.clear()
        with pytest.raises(KeyboardInterrupt):
            run(
                tmp_path / "b", generate=generate, dataset=reals, source="snapshot 1", partial_dir=tmp_path / "partial",
                should_stop=lambda limit=stop_after: calls.append(1) or len(calls) == limit,
            )  # fmt: skip
    asked.clear()
    resumed = run(tmp_path / "b", generate=generate, dataset=reals, source="snapshot 1", partial_dir=tmp_path / "partial")
    assert [result.values for result in resumed] == whole
    # the first stop falls into the reals (7 batches), the second one ends them after 4 + 3 batches; asked[0] is the shape check
    assert 0 in asked
    assert not list((tmp_path / "partial").glob("*")), "partial features are deleted in the end"


def test_batches_under_way_change_nothing(tmp_path, monkeypatch):
    whole = [result.values for result in run(tmp_path / "a", mirror=True, metrics=METRICS + ["fid200"])]
    monkeypatch.setattr(features, "batches_ahead", lambda: 3)
    assert [result.values for result in run(tmp_path / "b", mirror=True, metrics=METRICS + ["fid200"])] == whole
    options = {"source": "snapshot 1", "partial_dir": tmp_path / "partial", "mirror": True, "metrics": METRICS + ["fid200"]}
    for stop_after in (3, 9, 7):
        calls = []
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "c", should_stop=lambda: calls.append(1) or len(calls) == stop_after, **options)  # noqa: B023
    assert [result.values for result in run(tmp_path / "c", **options)] == whole


def test_a_broken_generator_is_noticed_before_anything_is_kept(tmp_path):
    def broken():
        raise UserError("the generator gives numbers that are not finite", "a network", "another one")

    def generate(count, start):
        return images_by_number(count, start)

    generate.launch = lambda count, start: (generate(count, start), broken)
    with pytest.raises(UserError, match="not finite"):
        run(tmp_path, generate=generate, source="snapshot 1", partial_dir=tmp_path / "partial")
    assert sum(path.stat().st_size for path in (tmp_path / "partial").glob("*rows*")) < 200


def test_flips_do_not_depend_on_how_many_are_asked_for_at_once():
    whole = flips_of(3, 150, 0)
    np.testing.assert_array_equal(np.concatenate([flips_of(3, 50, 0), flips_of(3, 30, 50), flips_of(3, 70, 80)]), whole)
    assert 40 < whole.sum() < 110


def test_fakes_are_not_generated_twice_after_an_interruption(tmp_path):
    run(tmp_path)  # fills the cache of reals
    calls = []
    options = {"source": "snapshot 1", "partial_dir": tmp_path / "partial"}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, should_stop=lambda: calls.append(1) or len(calls) == 5, **options)
    starts = []

    def generate(count, start):
        starts.append(start)
        return images_by_number(count, start)

    run(tmp_path, generate=generate, **options)
    assert starts[1:] == [160, 192, 224, 256, 288], "five batches of 32 were kept"


def test_a_torn_partial_file_is_cut_back_not_trusted(tmp_path):
    whole = [result.values for result in run(tmp_path)]
    calls = []
    options = {"source": "snapshot 1", "partial_dir": tmp_path / "partial"}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, should_stop=lambda: calls.append(1) or len(calls) == 5, **options)
    for path in (tmp_path / "partial").iterdir():
        content = bytearray(path.read_bytes())
        content[-40] ^= 0xFF
        path.write_bytes(bytes(content[:-3]))
    assert [result.values for result in run(tmp_path, **options)] == whole


def test_reals_are_read_once_and_cached_across_sessions(tmp_path):
    dataset = MemoryDataset(images_by_number(200, 0, stream="reals"))
    first = run(tmp_path, dataset=dataset)
    reads = dataset.reads
    again = run(tmp_path, dataset=dataset)
    assert [result.values for result in again] == [result.values for result in first]
    assert dataset.reads - reads <= 3, "only the digest and the shape check read images"


def test_another_dataset_does_not_hit_the_cache(tmp_path):
    first = run(tmp_path)[0].values
    other = MemoryDataset(images_by_number(200, 0, stream="other", spread=20))
    assert dataset_digest(other) != dataset_digest(MemoryDataset(images_by_number(200, 0, stream="reals")))
    assert run(tmp_path, dataset=other)[0].values != first


def test_legacy_metrics_flip_the_reals_and_repeat_them(tmp_path):
    flipped = []

    class Recording(MemoryDataset):
        digest = "known"

        def read(self, indices):
            flipped.extend(np.asarray(indices).tolist())
            return super().read(indices)

    dataset = Recording(images_by_number(40, 0, stream="reals"))
    plain = run(tmp_path, ["fid100"], dataset=dataset, mirror=False)[0]
    assert plain.num_reals == 100 and flipped.count(3) == 3 and flipped.count(39) == 2, "repeated in order"
    assert run(tmp_path, ["fid100"], dataset=dataset, mirror=True)[0].values != plain.values


def test_grey_images_are_measured_as_grey_rgb(tmp_path):
    grey = MemoryDataset(images_by_number(80, 0, channels=1, stream="reals"))
    colour = MemoryDataset(np.repeat(grey.images, 3, axis=3))
    one = run(tmp_path / "a", ["kid90_efflite0"], lambda n, k: images_by_number(n, k, channels=1), grey)
    three = run(tmp_path / "b", ["kid90_efflite0"], lambda n, k: np.repeat(images_by_number(n, k, channels=1), 3, axis=3), colour)
    assert one[0].values == three[0].values


def test_is_and_pr_run_through_the_same_pass(tmp_path):
    spec = replace(parse_metric("pr1k3_efflite0"), num_fakes=64)
    recall, score = run(tmp_path, [spec, "is100"])
    assert list(recall.values) == ["_precision", "_recall"] and 0 <= recall.values["_recall"] <= 1
    assert score.values["_mean"] >= 1


def test_few_images_give_a_warning(tmp_path):
    result = measure("fd6_efflite0", images_by_number, MemoryDataset(images_by_number(20, 0)), options_of(tmp_path))
    assert "6 images are fewer than the 6 features" in result.notes[0] and np.isfinite(result.values[""])


@pytest.mark.parametrize("images,text", [
    (images_by_number(1, 0), "1 image"),
    (images_by_number(9, 0, size=32), "of 16x16 px in RGB, the dataset holds 32x32 px in RGB"),
    (images_by_number(9, 0, size=(24, 16)), r"of 16x16 px in RGB, the dataset holds 16x24 px in RGB \(width x height\)"),
    (images_by_number(9, 0, channels=1), "of 16x16 px in RGB, the dataset holds 16x16 px in grey"),
])  # fmt: skip
def test_a_dataset_that_does_not_fit_is_refused(tmp_path, images, text):
    with pytest.raises(UserError, match=text):
        run(tmp_path, dataset=MemoryDataset(images))


def test_images_of_another_type_and_infinite_features_are_refused(tmp_path):
    with pytest.raises(UserError, match="float64"):
        random_network()(np.zeros([2, 16, 16, 3]))
    broken = random_network()
    broken.forward = lambda images: {"features": np.full([len(images), 6], np.nan, np.float32)}
    with pytest.raises(UserError, match="not finite"):
        broken(np.zeros([2, 16, 16, 3], np.uint8))
