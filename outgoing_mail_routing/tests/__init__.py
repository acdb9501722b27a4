from . import test_assignment
from . import test_core_names
from . import test_core_parity
from . import test_headers
from . import test_mail_facts
from . import test_routes
from . import test_rpc
from . import test_tours
