from sg2ada_colab.images.wording import size_text, some


def test_sizes():
    assert [size_text(n) for n in (0, 999, 1000, 3210000, 273e9)] == ["0 bytes", "999 bytes", "1.0 kB", "3.2 MB", "273.0 GB"]


def test_one_and_many():
    assert some(1, "file is", "files are") == "1 file is" and some(0, "file is", "files are") == "0 files are"
