"""An IPython startup file of the tests: Kaggle's layout, FAKED, in a kernel, with its folders in the test's own."""


def _play_kaggle():
    import os
    from pathlib import Path

    from sg2ada_colab import machine

    root = Path(os.environ["SG2ADA_TEST_CONTENT"])
    machine.KAGGLE_WORKING, machine.KAGGLE_INPUT = str(root / "working"), str(root / "input")
    os.environ["KAGGLE_KERNEL_RUN_TYPE"] = "Batch"


_play_kaggle()
del _play_kaggle
