"""What the values of ``delivery/`` are called in labels."""


def selection_of(values, words):
    """The selection of a field whose values are those of an enumeration.

    :param type values: an enumeration of ``delivery/``
    :param dict words: the label of each value
    :raise KeyError: a value has no label
    """
    return [(value.value, words[value.value]) for value in values]


OUTCOMES = {
    "sending": "Being Sent",
    "sent": "Sent",
    "deferred": "Put Off",
    "throttled": "Slowed Down",
    "refused": "Refused",
    "unknown": "May Have Arrived",
    "released": "Given Back",
    "bounced": "Bounced",
}
SCOPES = {
    "recipient": "The recipient's",
    "message": "The message's",
    "session": "The connection's",
    "server": "The server's",
}
PHASES = {
    "connect": "Connecting",
    "greeting": "Greeting",
    "ehlo": "EHLO",
    "starttls": "STARTTLS",
    "auth": "Login",
    "mail": "Sender (MAIL)",
    "rcpt": "Recipient (RCPT)",
    "data": "Text (DATA)",
    "message": "After the text",
}
CAUSES = {
    "connection": "Connection",
    "login": "Login",
    "quota": "Quota",
    "identity": "Sender address",
    "address": "Recipient's address",
    "content": "Content",
    "policy": "Policy",
    "configuration": "Configuration",
    "other": "Something else",
}
LANES = {"urgent": "Urgent", "normal": "Normal", "bulk": "Bulk"}
HEALTHS = {
    "ok": "Well",
    "limited": "Slowed down",
    "suspended": "Suspended",
    "stopped": "Stopped",
}
