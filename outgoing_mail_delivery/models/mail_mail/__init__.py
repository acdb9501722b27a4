from . import state
from . import queue
from . import splitting
from . import direct
from . import showing
