"""Loading the compiled kernels that lie beside an engine."""

from __future__ import annotations

import pytest

from edgekit.errors import DeviceError
from edgekit.runtime.cuda.kernels import Kernels


def test_kernels_of_another_edgekit_are_refused_whole(stand_in):
    """Their structures have other fields: their filter would fill the candidates with noise, without an error."""
    stand_in.stand_in_fail(b"cuModuleGetFunction", 500)
    with pytest.raises(DeviceError, match="another edgekit") as caught:
        Kernels(b"older")
    assert "cuModuleGetFunction" in caught.value.why
    assert "again" in caught.value.hint
