from . import mail_routing
from . import fetchmail_server
from . import ir_mail_server
from . import mail_mail
from . import res_company
from . import res_config_settings
from . import res_users
