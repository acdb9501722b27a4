"""Why mail waits or failed, in words."""

from ..delivery import Outcome

# Core's types of failures, by the cause of a refusal
_FAILURE_TYPES = {
    "address": "mail_email_invalid",
    "identity": "mail_from_invalid",
    "content": "mail_spam",
    "policy": "mail_spam",
}


def clean(text):
    """A text that a database takes: no zero byte, no half of a character."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


class Words:
    """Makes sentences of attempts, in the language of an environment."""

    def __init__(self, env):
        self.env = env

    def failure_type(self, last):
        """Core's type of the failure that an attempt is (``mail.mail``)."""
        return _FAILURE_TYPES.get(last.cause, "unknown")

    def of(self, last):
        """The answer of an attempt, as administrators read it.

        :param last: an attempt, ``None`` where there was none
        """
        if last is None:
            return self.env._("The mail server takes no mail now.")
        code = f"{last.code} " if last.code else ""
        answer = f"{code}{last.reply or ''}".strip()
        if last.outcome is Outcome.REFUSED:
            return self.env._("The mail server refused it: %(answer)s", answer=answer)
        return self.env._("The mail server put it off: %(answer)s", answer=answer)

    def of_unknown(self, last):
        """What is known of a mail that may have arrived."""
        answer = last.reply or ""
        return self.env._(
            "It may have arrived: the connection ended after the text was sent and "
            "before the server answered. Ask the recipient before it is sent again. "
            "%(answer)s",
            answer=answer,
        ).strip()

    def of_wait(self, last, waits):
        """Why a mail waits.

        :param waits: of the servers that take nothing now
        """
        if waits and (last is None or last.scope == "server"):
            if any(wait.until is None for wait in waits):
                return self.env._(
                    "It waits until somebody mends or resumes its mail server, and "
                    "fails if nobody does: %(words)s",
                    words=waits[0].words,
                )
            return self.env._(
                "Its mail server takes no mail now: %(words)s", words=waits[0].words
            )
        return self.of(last)

    def of_given_up(self, last):
        """Why a mail is not tried again any more."""
        return self.env._(
            "It was tried for too long. The last answer was: %(words)s",
            words=self.of(last),
        )


def refusal_of(env, error):
    """Why a setting cannot be and what to do, in the language of an environment.

    :param delivery.SettingError error: with the label of the setting in its values
    """
    problem = env._(error.problem, **error.values)
    return f"{problem} {env._(error.remedy, **error.values)}"
