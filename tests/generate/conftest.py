"""What the tests of making pictures share: one small generator, of a square, or of the form that a test names."""

import pytest

from sg2ada_colab.generate.generator import TrainedGenerator
from tests.oracles.forms import FORMS
from tests.oracles.small_snapshots import small_snapshot


@pytest.fixture(scope="module")
def generator(request):
    """Return a TrainedGenerator; a test asks for other forms by parametrize("generator", FORMS, indirect=True)."""
    form = FORMS[getattr(request, "param", "square")]
    return TrainedGenerator(small_snapshot(**form).Gs, xla=False, title="cats")
