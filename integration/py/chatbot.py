"""A chat bot that knows nothing but the local API, and needs nothing but Python.

    python3 chatbot.py SOCKET

It takes every buddy request, answers every message, and says so on standard
output. SOCKET is what panpipe up prints as its API.
"""

import http.client
import json
import socket
import sys
from urllib.parse import quote


class Node(http.client.HTTPConnection):
    """A connection to the Unix socket of a node."""

    def __init__(self, path):
        super().__init__("panpipe")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def call(path, method, route, body=None):
    """One request. Fails with what the node says is wrong, and what to do."""
    node = Node(path)
    node.request(method, "/v1" + route, None if body is None else json.dumps(body))
    answer = node.getresponse()
    content = answer.read()
    node.close()
    if answer.status >= 400:
        problem = json.loads(content)
        raise RuntimeError(f"{problem['detail']} ({problem['code']}); {problem.get('next', '')}")
    return json.loads(content) if content else None


def events(path, since):
    """What happens at the node after an event."""
    node = Node(path)
    node.request("GET", "/v1/events", headers={"Last-Event-ID": str(since)})
    for line in node.getresponse():
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


def main(path):
    since = call(path, "GET", "/status")["event"]
    print("ready", flush=True)
    for event in events(path, since):
        if event["kind"] == "request":
            for asks in call(path, "GET", "/requests")["requests"]:
                call(path, "POST", f"/requests/{quote(asks['account'])}/accept")
                print("accepted", asks["account"], flush=True)
        elif event["kind"] == "message" and not event["message"]["mine"]:
            message, chat = event["message"], "/chats/" + quote(event["account"])
            call(path, "POST", chat + "/messages", {"text": "you said: " + message["text"]})
            call(path, "POST", chat + "/read", {"up_to": message["place"]})
            print("answered", json.dumps(message["text"]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
