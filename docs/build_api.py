"""Build the API reference with pdoc: python docs/build_api.py FOLDER; its warnings are errors. Needs the package and pdoc."""

import os
import pkgutil
import sys
import warnings
from pathlib import Path

import pdoc

import sg2ada_colab


def modules():
    """Return the names of the rooms, whose modules pdoc finds; `__all__` names the calls of the notebooks only."""
    found = pkgutil.iter_modules(sg2ada_colab.__path__, "sg2ada_colab.")
    return ["sg2ada_colab"] + [module.name for module in found if not module.name.endswith("__main__")]


def main(folder):
    for name in sg2ada_colab.__all__:  # the calls are found when they are asked for; pdoc looks at what is there
        setattr(sg2ada_colab, name, getattr(sg2ada_colab, name))
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)  # pdoc warns where a folder with the name of the package lies beside it
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pdoc.pdoc(*modules(), output_directory=folder)
    # Pillow's annotations, which a subclass of its Image inherits, name a class that is not there.
    found = sorted({str(one.message) for one in caught if "pdoc" in one.filename and "ImagingCore" not in str(one.message)})
    print("\n".join(found) or f"{len(list(folder.rglob('*.html')))} pages without a warning in {folder}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
