from . import mail_compose_message
from . import mail_routing_assignment
from . import mail_routing_assignment_line
from . import mail_routing_simulation
