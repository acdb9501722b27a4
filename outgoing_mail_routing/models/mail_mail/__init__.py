from . import sending
from . import splitting
from . import facts
from . import failing
from . import makers
from . import company
from . import explaining
