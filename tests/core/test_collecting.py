"""What may be asked of collecting."""

from __future__ import annotations

import pytest

from edgekit.core.collecting import CollectSettings


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"quota_mib": 4}, "quota_mib: expected 8 to 1048576, got 4"),
        ({"per_hour": 0}, "per_hour: expected 1 to 36000, got 0"),
        ({"stream_share": 0.0}, "stream_share: expected more than 0, at most 1, got 0"),
        ({"stratum_share": 1.5}, "stratum_share: expected more than 0, at most 1, got 1.5"),
        ({"uncertain_band": -0.1}, "uncertain_band: expected 0 to 1, got -0.1"),
        ({"random_share": 2.0}, "random_share: expected 0 to 1, got 2"),
    ],
)
def test_what_no_device_could_keep_to_is_refused(wrong, said):
    """A quota of nothing would keep nothing, and say nothing."""
    with pytest.raises(ValueError, match=said.replace(".", r"\.")):
        CollectSettings(**wrong)


def test_everything_wrong_is_told_at_once():
    """People would correct one a run."""
    with pytest.raises(ValueError, match=r"quota_mib.*; per_hour"):
        CollectSettings(quota_mib=0, per_hour=-1)
