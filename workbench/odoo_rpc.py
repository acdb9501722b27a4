"""Odoo's RPC as its web client uses it: a login, a session, calls of methods."""

from __future__ import annotations

import http.cookiejar
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

#: The first call after a start may have to load every view and translation.
CALL_SECONDS = 120.0


class RpcError(Exception):
    """Odoo refused a call; the text is what it would show to the user."""


class Session:
    """A user's session on the database behind Odoo's address."""

    def __init__(self, url: str, database: str) -> None:
        self.url = url
        self.database = database
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies)

    def log_in(self, login: str, password: str) -> Session:
        """Open the session as a user.

        :raise RpcError: Odoo knows no such login and password
        """
        self._post(
            "/web/session/authenticate",
            {"db": self.database, "login": login, "password": password},
        )
        return self

    def call(
        self,
        model: str,
        method: str,
        *arguments: Any,
        context: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> Any:
        """Call a public method of a model as the user of the session.

        :param arguments: a method of records takes their ids first
        :raise RpcError: Odoo refused it
        """
        values = {**named, "context": dict(context or {})}
        return self._post(
            f"/web/dataset/call_kw/{model}/{method}",
            {"model": model, "method": method, "args": arguments, "kwargs": values},
        )

    def _post(self, path: str, parameters: Mapping[str, Any]) -> Any:
        body = {"jsonrpc": "2.0", "method": "call", "params": parameters}
        request = urllib.request.Request(  # noqa: S310
            self.url + path,
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=CALL_SECONDS) as response:
                answer = json.load(response)
        except (OSError, ValueError) as error:
            raise RpcError(f"{path}: {error}") from error
        if "error" in answer:
            data = answer["error"].get("data", {})
            message = data.get("message") or answer["error"].get("message", "")
            raise RpcError(f"{path}: {message} ({data.get('name', 'error')})")
        return answer.get("result")
