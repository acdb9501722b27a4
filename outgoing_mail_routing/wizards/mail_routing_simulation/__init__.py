from . import inputs
from . import answer
from . import testing
