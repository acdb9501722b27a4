from . import mail_delivery_run
from . import mail_delivery_claim
from . import mail_delivery_attempt
from . import mail_delivery_health
from . import mail_mail
from . import ir_mail_server
from . import res_config_settings
