import numpy as np
import pytest

from sg2ada_colab.errors import UserError
from sg2ada_colab.formats.export_onnx import export_onnx
from sg2ada_colab.formats.read import read_snapshot
from sg2ada_colab.networks.config import GeneratorConfig
from tests.conftest import DATA
from tests.oracles.forms import FORMS, picture_shape
from tests.oracles.small_snapshots import small_snapshot


def run_onnx(path, **inputs):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["images", "images_float"], {name: np.asarray(value, np.float32) for name, value in inputs.items()})


@pytest.mark.parametrize("tag", ["tf_uncond", "tf_cond", "pt_uncond", "pt_cond"])
def test_it_gives_the_reference_images(tag, reference, relmax, tmp_path):
    pytest.importorskip("onnx")
    numbers, network = reference("pickles"), read_snapshot(DATA / f"network_{tag}.pkl").Gs
    export_onnx(tmp_path / "Gs.onnx", network)
    labels = {"labels": numbers[tag + ".labels"]} if network.label_size else {}
    prefix = tag + (".Gs_images_" if tag.startswith("tf") else ".G_ema_images_")
    for psi, key in ((1, "psi1"), (0.5, "psi05")):
        images, images_float = run_onnx(tmp_path / "Gs.onnx", z=numbers[tag + ".z"], psi=psi, **labels)
        assert relmax(images_float, numbers[prefix + key]) < 2e-5
        expected = np.clip(np.trunc(numbers[prefix + key] * 127.5 + 128), 0, 255).transpose(0, 2, 3, 1)
        assert images.dtype == np.uint8 and np.abs(images - expected).max() <= 1
        assert (images != expected).mean() < 1e-3


@pytest.mark.parametrize("form", [{"num_channels": 1}, FORMS["rgba"], FORMS["tall"], FORMS["wide"], {"init_res": (9, 16)}])
@pytest.mark.parametrize("architecture, kernel", [("orig", None), ("resnet", None), ("skip", [1, 2, 4, 3]), ("skip", [1, 1])])
def test_other_architectures_and_kernels(architecture, kernel, form, relmax, tmp_path):
    pytest.importorskip("onnx")
    from sg2ada_colab.networks.generator import Generator

    network = small_snapshot(g_architecture=architecture, label_size=2, **form).Gs
    if kernel or architecture == "orig":
        network.kwargs["resample_kernel"] = kernel
    export_onnx(tmp_path / "Gs.onnx", network)
    z, labels = np.random.RandomState(1).randn(3, 5).astype(np.float32), np.float32([[0, 1], [1, 0], [0.5, 0.5]])
    G = Generator(GeneratorConfig.from_kwargs(network.kwargs), network.variables, num_fp16_res=0)
    expected = np.transpose(G(z, labels, truncation_psi=0.7).numpy(), [0, 3, 1, 2])
    assert relmax(run_onnx(tmp_path / "Gs.onnx", z=z, psi=0.7, labels=labels)[1], expected) < 2e-5


@pytest.mark.parametrize("form", FORMS)
def test_it_makes_the_pictures_that_generate_writes(form, tmp_path):
    pytest.importorskip("onnx")
    from sg2ada_colab.generate.generator import TrainedGenerator

    network = small_snapshot(**FORMS[form]).Gs
    generator = TrainedGenerator(network, xla=False)
    export_onnx(tmp_path / "Gs.onnx", network)
    theirs = run_onnx(tmp_path / "Gs.onnx", z=generator.latents(range(4)), psi=0.7)[0].astype(int)
    ours = generator.images(range(4), psi=0.7)
    assert theirs.shape == ours.shape == (4,) + picture_shape(form)
    assert np.abs(theirs - ours).max() <= 1 and (theirs != ours).mean() < 1e-3 and np.ptp(ours) > 50


def test_a_fixed_truncation_is_no_input(relmax, tmp_path):
    pytest.importorskip("onnx")
    network, z = small_snapshot().Gs, np.random.RandomState(1).randn(3, 5).astype(np.float32)
    export_onnx(tmp_path / "free.onnx", network)
    export_onnx(tmp_path / "fixed.onnx", network, psi=0.6)
    fixed = run_onnx(tmp_path / "fixed.onnx", z=z)
    assert relmax(fixed[1], run_onnx(tmp_path / "free.onnx", z=z, psi=0.6)[1]) < 1e-6
    with pytest.raises(Exception, match="psi"):
        run_onnx(tmp_path / "fixed.onnx", z=z, psi=1.0)


def test_a_missing_library_is_named(monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match="pip install onnx"):
        export_onnx(tmp_path / "Gs.onnx", small_snapshot().Gs)
    assert not (tmp_path / "Gs.onnx").exists()
