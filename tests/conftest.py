"""What holds for all tests."""

from hypothesis import HealthCheck, settings

import xlbackprop  # noqa: F401  # before openpyxl, as its users do

# times say nothing on a machine that is shared, and generated workbooks are slow to make
settings.register_profile("xlbackprop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("xlbackprop")
