"""Keeps the program from calling addresses that are made up, and could be somebody's: URLs of webhooks lead to a closed port of
this machine."""

from urllib.parse import urlsplit

import schemathesis

HERE = "http://127.0.0.1:9/"


@schemathesis.hook
def before_call(context, case, kwargs):
    body = case.body
    if case.operation.path == "/webhooks/{name}" and isinstance(body, dict) and leads_somewhere(body.get("url")):
        body["url"] = HERE


def leads_somewhere(url):
    try:
        return isinstance(url, str) and urlsplit(url.strip()).hostname is not None
    except ValueError:
        return False
