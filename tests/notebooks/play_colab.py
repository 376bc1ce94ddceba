"""An IPython startup file of the tests: the FAKE google.colab in a kernel, with its folders in the test's own."""


def _play_colab():
    import importlib.machinery
    import os
    import sys
    from pathlib import Path

    content = Path(os.environ["SG2ADA_TEST_CONTENT"])
    sys.path.insert(0, os.environ["SG2ADA_TEST_FAKES"])
    import google.protobuf  # noqa: F401  so that the fake joins the namespace package google instead of hiding it
    from fake_google_colab import FakeColab

    from sg2ada_colab import machine as runtime
    from sg2ada_colab.colab import calls, datasets, drive, evaluate, find_images
    from sg2ada_colab.storage import workspace

    for name, module in FakeColab(content).modules().items():
        if name != "google":
            module.__spec__ = importlib.machinery.ModuleSpec(name, None)
            sys.modules[name] = module
    (content / "hostname").write_text("fake")
    runtime.COLAB_MARK = str(content / "hostname")
    drive.ColabDrive.__init__.__defaults__ = (str(content / "drive"),)
    for module in (calls, datasets, evaluate, find_images, workspace):
        module.MACHINE_FOLDER = str(content / "sg2ada")


_play_colab()
del _play_colab
