"""python run.py [-i] COMMAND: run it in the daemon's shell like a local one; -i: forward stdin."""

import json
import os
import platform
import sys

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

url, token = os.getenv("SHELLWIRE_URL"), os.getenv("SHELLWIRE_TOKEN")
client_id = os.getenv("SHELLWIRE_CLIENT_ID") or f"run.py@{platform.node()}"
reads = sys.argv[1:2] == ["-i"]
command = " ".join(sys.argv[1 + reads :])
if not (url and token and command):
    sys.exit("usage: run.py [-i] COMMAND, with SHELLWIRE_URL and SHELLWIRE_TOKEN set")
job = {"id": os.urandom(8).hex(), "command": command, "timeout": 120, "on_disconnect": "kill"}
try:
    if reads:
        job["stdin_data"] = sys.stdin.buffer.read().decode(errors="replace")
    with connect(url, max_size=None, proxy=None) as ws:
        ws.send(json.dumps({"type": "auth", "token": token, "client_id": client_id, "protocol": 1}))
        for message in map(json.loads, ws):
            if message["type"] == "status":
                ws.send(json.dumps({"type": "execute", **job}))
            elif message["type"] == "output":
                os.write(1 if message["stream"] == "stdout" else 2, message["data"].encode())
            elif message["type"] == "error":
                sys.exit(f"{message['code']}: {message['message']}")
            elif message["type"] == "result":
                if message["reason"] != "exited":
                    print("run.py:", message["error"] or message["reason"], file=sys.stderr)
                code = message["exit_code"]
                sys.exit(128 - code if message["signal"] else code)
    sys.exit("the daemon has left")
except (OSError, ValueError, WebSocketException) as error:
    sys.exit(f"{url}: {error}")
except KeyboardInterrupt:
    sys.exit(130)
