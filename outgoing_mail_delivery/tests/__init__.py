"""Tests of the addon."""

from . import test_core_ways
from . import test_crashes
from . import test_direct
from . import test_documentation
from . import test_mailings
from . import test_parallel
from . import test_guards
from . import test_isolation
from . import test_outcomes
from . import test_security
from . import test_settings
from . import test_splits
from . import test_views
