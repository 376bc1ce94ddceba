"""The generator object: NVIDIA's pictures from seeds, w files and mixing, truncation, one compilation an architecture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.network_data import NetworkData, NetworkSnapshot
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.generate import generator as generator_module
from sg2ada_colab.generate.generator import TrainedGenerator
from sg2ada_colab.networks import shared_programs
from sg2ada_colab.networks.generator import Generator
from tests.oracles.mean_square import MeanSquare
from tests.oracles.small_snapshots import small_snapshot

DATA = Path(__file__).parents[1] / "data"
TAGS = ("tf_uncond", "tf_cond", "pt_uncond", "pt_cond")


@pytest.fixture(scope="module")
def generators():
    return {tag: TrainedGenerator(read_snapshot(DATA / f"network_{tag}.pkl").Gs, title=tag, xla=False) for tag in TAGS}


@pytest.fixture(scope="module")
def numbers(reference):
    return reference("generate")


def assert_same_pictures(ours, theirs):
    """One level's difference in at most a thousandth of the values, as between the two original programs."""
    assert ours.dtype == np.uint8 and ours.shape == theirs.shape
    difference = np.abs(ours.astype(int) - theirs)
    assert difference.max() <= 1 and (difference > 0).mean() <= 1e-3


@pytest.mark.parametrize("tag", ["tf_uncond", "tf_cond"])
def test_seeds_as_the_tensorflow_program_makes_them(generators, numbers, relmax, tag):
    config, generator = numbers.json("config"), generators[tag]
    seeds, classes = config["seeds"], config["classes"].get(tag, [None])
    theirs = numbers[f"{tag}.uint8"].reshape([3, len(classes), len(seeds), 32, 32, 3])
    floats = numbers[f"{tag}.float_last_seed"].reshape([3, len(classes), 3, 32, 32])
    for row, psi in enumerate(config["tf_truncations"]):
        for column, class_ in enumerate(classes):
            assert_same_pictures(generator.images(seeds, class_, psi, noise="tf"), theirs[row, column])
            last = generator.synthesize(generator.w(seeds[-1:], class_, psi), "tf", seeds[-1:])
            assert relmax(last[0].transpose(2, 0, 1), floats[row, column]) < 2e-5
        if tag == "tf_cond":
            assert_same_pictures(generator.images(seeds, "none", psi, noise="tf"), numbers["tf_cond.uint8_noclass"][row])


@pytest.mark.parametrize("tag", ["pt_uncond", "pt_cond"])
def test_seeds_as_the_pytorch_program_makes_them(generators, numbers, relmax, tag):
    config, generator = numbers.json("config"), generators[tag]
    seeds, classes = config["seeds"], config["classes"].get(tag, [None])
    theirs = numbers[f"{tag}.uint8"].reshape([2, 2, len(classes), len(seeds), 32, 32, 3])
    floats = numbers[f"{tag}.float"].reshape([2, 2, len(classes), len(seeds), 3, 32, 32])
    for mode, noise in enumerate(config["pt_noise_modes"]):
        for row, psi in enumerate(config["pt_truncations"]):
            for column, class_ in enumerate(classes):
                w = generator.w(seeds, class_, psi)
                assert_same_pictures(generator.pictures(w, noise), theirs[mode, row, column])
                assert relmax(generator.synthesize(w, noise).transpose(0, 3, 1, 2), floats[mode, row, column]) < 2e-5


def test_w_of_a_file(generators, numbers):
    for tag in ("tf_uncond", "tf_cond"):
        assert_same_pictures(generators[tag].pictures(numbers[f"{tag}.dlatents"]), numbers[f"{tag}.dlatents_uint8_const"])
    for tag in ("pt_uncond", "pt_cond"):
        assert_same_pictures(generators[tag].pictures(numbers[f"{tag}.projected_w"]), numbers[f"{tag}.projected_w_uint8"])


@pytest.mark.parametrize("tag", ["tf_uncond", "tf_cond", "pt_uncond"])
def test_mixing(generators, numbers, tag):
    config, generator = numbers.json("config"), generators[tag]
    class_ = "none" if tag == "tf_cond" else None
    rows, columns = (generator.w(config[key], class_, config["mix_truncation"]) for key in ("mix_rows", "mix_columns"))
    assert_same_pictures(generator.pictures(rows), numbers[f"{tag}.mix_row_images"])
    for row in range(2):
        mixed = generator.mix(np.repeat(rows[row : row + 1], 2, axis=0), columns, config["mix_styles"])
        assert_same_pictures(generator.pictures(mixed), numbers[f"{tag}.mix_images"][row])


def test_mean_and_spread_of_w(generators, numbers, relmax):
    for tag, class_ in (("tf_uncond", None), ("tf_cond", "none"), ("pt_uncond", None)):
        generator = generators[tag]
        z = np.random.RandomState(123).randn(10000, generator.config.latent_size)
        w = generator.map(z, generator.labels(class_, 10000))[:, 0].astype(np.float64)
        assert relmax(w.mean(axis=0), numbers[f"{tag}.proj_w_avg"]) < 2e-5
        spread = np.sqrt(((w - w.mean(axis=0)) ** 2).sum() / 10000)
        assert spread == pytest.approx(float(numbers[f"{tag}.proj_w_std"]), rel=1e-6)


def small(seed=0, xla=False, **options):
    return TrainedGenerator(small_snapshot(seed, **options).Gs, xla=xla)


def test_the_cutoff_leaves_later_layers_alone():
    generator = small()
    w = generator.w([1, 2])
    truncated = generator.truncate(w, 0.5, cutoff=2)
    np.testing.assert_allclose(truncated[:, :2], generator.w_avg + 0.5 * (w[:, :2] - generator.w_avg), rtol=1e-5)
    np.testing.assert_array_equal(truncated[:, 2:], w[:, 2:])
    assert generator.truncate(w, 1) is w


def test_truncation_towards_the_nearest_centre():
    generator = small()
    centres = generator.centres(3)
    assert centres.shape == (3, 4) and generator.centres(3) is centres
    w = generator.w(range(20))
    nearest = centres[((w[:, 0, None] - centres) ** 2).sum(axis=2).argmin(axis=1)]
    np.testing.assert_allclose(generator.truncate(w, 0.0, centres=centres)[:, 3], nearest, rtol=1e-5)
    np.testing.assert_allclose(generator.truncate(w, 0.25, centres=centres)[:, 0], 0.75 * nearest + 0.25 * w[:, 0], atol=1e-5)


@pytest.mark.parametrize("noise", ["const", "random", "none", "tf"])
def test_a_picture_does_not_depend_on_its_neighbours(noise, monkeypatch):
    generator = small()
    together = generator.images(range(5), noise=noise)
    monkeypatch.setattr(TrainedGenerator, "batch_size", 2)
    apart = np.concatenate([generator.images([seed], noise=noise) for seed in range(5)])
    for other in (apart, generator.images(range(5), noise=noise)):
        assert np.abs(together.astype(int) - other).max() <= 1


def test_compiled_and_not_compiled_make_the_same_pictures():
    snapshot = small_snapshot(3)
    plain, compiled = (TrainedGenerator(snapshot.Gs, xla=xla) for xla in (False, True))
    for noise in ("const", "random", "none"):
        for count in (1, 3):
            seeds = list(range(count))
            difference = np.abs(plain.images(seeds, noise=noise).astype(int) - compiled.images(seeds, noise=noise))
            assert difference.max() <= 1


def test_many_pictures_are_worth_compiling_and_few_are_not(monkeypatch):
    asked = []
    original = shared_programs.shared_program
    monkeypatch.setattr(generator_module, "shared_program", lambda *key: asked.append(key) or original(*key))
    generator = TrainedGenerator(small_snapshot().Gs)
    generator.images(range(100))
    assert not asked, "a hundred pictures of 16x16 are few"
    monkeypatch.setattr(generator_module, "COMPILE_FROM", 101 * 16**2 / 256**2)
    generator.images(range(100))
    assert not asked
    generator.images(range(101))
    assert len(asked) == 3, "batches of 32; the 5 that are left are sooner made without"
    generator.images(range(11))
    assert len(asked) == 4, "what is there is used"
    generator.images(range(10))
    assert len(asked) == 4
    TrainedGenerator(small_snapshot().Gs, xla=False).images(range(200))
    assert len(asked) == 4


def test_a_person_who_asks_for_one_picture_after_another_gets_them_from_a_graph(monkeypatch):
    """Python calls a thousand operations a picture else, which takes longer than a GPU does; the pictures are the same."""
    traced = []
    monkeypatch.setattr(generator_module, "synthesize", counting(traced))
    generator = small(0, fmap_max=7)  # of no other test, so that it is not traced yet
    first = [generator.images([seed], psi=0.7) for seed in (1, 2)]
    assert len(traced) == 2
    later = [generator.images([seed], psi=0.7) for seed in (3, 1, 2)]
    assert len(traced) == 3, "traced once, then run as it is"
    np.testing.assert_array_equal(later[1:], first)
    generator.images([1, 2])
    assert len(traced) == 4, "several at once are not worth a graph"


def test_a_second_snapshot_compiles_nothing_and_leaves_the_first_as_it_is(monkeypatch):
    traced = []
    monkeypatch.setattr(generator_module, "synthesize", counting(traced))
    shape = {"fmap_max": 5}  # of no other test, so that it is not compiled yet
    first, second = small(0, xla=True, **shape), small(1, xla=True, **shape)
    before = first.images([1, 2])
    assert len(traced) == 1
    other = second.images([1, 2])
    assert len(traced) == 1, "the second snapshot was traced again"
    assert (before != other).mean() > 0.5
    np.testing.assert_array_equal(first.images([1, 2]), before)
    np.testing.assert_allclose(other, TrainedGenerator(second.network, xla=False).images([1, 2]), atol=1)


def counting(traced):
    from sg2ada_colab.networks.generator import synthesize

    return lambda *inputs: traced.append(1) or synthesize(*inputs)


def test_it_is_the_generator_of_the_trainer():
    network = small_snapshot(2, label_size=3).Gs
    generator, trainer = (
        TrainedGenerator(network, xla=False),
        Generator(small(2, label_size=3).config, network.variables, num_fp16_res=0),
    )
    z, labels = generator.latents([4, 5]), generator.labels([2, 0], 2)
    theirs = trainer(z, labels, 0.7).numpy()
    np.testing.assert_allclose(generator.synthesize(generator.map(z, labels, 0.7)), theirs, atol=1e-4)


def test_the_digest_is_that_of_the_weights_or_of_the_file():
    assert small(0).digest == small(0).digest != small(1).digest
    assert TrainedGenerator(small_snapshot().Gs, digest="ab").digest == "ab"
    assert TrainedGenerator(small_snapshot().Gs, digest=lambda: "cd").digest == "cd"


def test_w_of_another_size_is_refused():
    with pytest.raises(UserError, match=r"w has the shape \[1, 6, 5\]") as error:
        small().pictures(np.zeros([1, 6, 5]))
    assert error.value.expected == "[N, 6, 4] for the network"


def test_a_network_that_diverged_is_named():
    network = small_snapshot().Gs
    network.variables["synthesis/4x4/Conv/bias"][:] = np.nan
    with pytest.raises(UserError, match="run 3 gives numbers that are not finite"):
        TrainedGenerator(network, title="run 3").images([0])


def test_grey_pictures():
    assert small(num_channels=1).images([1, 2]).shape == (2, 16, 16, 1)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Two related networks that were loaded with their discriminators."""
    first = small_snapshot(4)
    changed = {name: np.float32(value) * np.float32(0.5) for name, value in first.Gs.variables.items()}
    other = NetworkData("Gs", dict(first.Gs.kwargs), changed)
    second = NetworkSnapshot(NetworkData("G", dict(first.Gs.kwargs), changed), first.D, other)
    return [TrainedGenerator(one.Gs, title=name, xla=False, snapshot=one) for name, one in (("a", first), ("b", second))]


def test_the_verbs_are_methods(loaded, tmp_path):
    a, b = loaded
    blended = a.blend(b, split=16)
    assert blended.title == "a, blended"
    fine, coarse = "synthesis/16x16/Conv1/weight", "synthesis/4x4/Conv/weight"
    np.testing.assert_array_equal(blended.network.variables[fine], b.network.variables[fine])
    np.testing.assert_array_equal(blended.network.variables[coarse], a.network.variables[coarse])
    mean = a.average(b)
    np.testing.assert_allclose(mean.network.variables[fine], 0.75 * a.network.variables[fine], rtol=1e-6)
    mean.save(tmp_path / "mean.pkl")
    np.testing.assert_array_equal(read_snapshot(tmp_path / "mean.pkl").Gs.variables[fine], mean.network.variables[fine])
    names = [one.name for one in a.directions(2, "pca")] + [one.name for one in a.directions(1)]
    assert names == ["pca0", "pca1", "weights0"]
    with pytest.raises(UserError, match="There is no method 'svd'"):
        a.directions(1, "svd")
    files = a.publish(tmp_path / "card", name="A", licence="cc0-1.0", data="drawn", data_licence="cc0-1.0")
    assert sorted(files) == sorted(path.name for path in (tmp_path / "card").iterdir()) and "README.md" in files
    with pytest.raises(UserError, match="--licence"):
        a.publish(tmp_path / "other", name="A")


def test_project_takes_a_path_or_pixels(loaded, tmp_path):
    a, _ = loaded
    target = a.images([7])[0]
    Image.fromarray(target).save(str(tmp_path / "seven.png"))
    found = [a.project(one, steps=3, distance=MeanSquare()) for one in (target, tmp_path / "seven.png")]
    assert found[0].w.shape == a.w([7]).shape and np.array_equal(found[0].w, found[1].w)
    assert a.project(target, steps=2, space="w+", distance=MeanSquare()).path.shape[1] == a.num_layers


def test_what_needs_more_than_gs_says_so(generators):
    with pytest.raises(UserError, match="tf_uncond was read without its discriminator"):
        generators["tf_uncond"].average(generators["tf_uncond"])
