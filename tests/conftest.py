"""What holds for all tests."""

import os

from hypothesis import HealthCheck, Phase, settings

import xlbackprop  # noqa: F401  # before openpyxl, as its users do

# times say nothing on a machine that is shared; generated workbooks are slow to make, and making a failing one smaller
# takes minutes, so that the first one found is shown as it is
settings.register_profile(
    "xlbackprop",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("CI") == "true",  # what lands is not left to chance; developers' machines explore
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
settings.load_profile("xlbackprop")
