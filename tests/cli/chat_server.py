"""A chat endpoint on loopback that behaves as the first part of the path says; for judge.t and explain.t.

chat_server.py PORT_FILE LOG: writes its port, then a line for each request: MODE, the key it came with, the number of texts.
"""
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port_file, log_file = sys.argv[1:3]
seen = {}


def completion(text):
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}],
                       "usage": {"prompt_tokens": 100, "completion_tokens": 7}}).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def send(self, status, body, length=None):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        mode = self.path.split("/")[1]
        key = self.headers.get("Authorization", "-").replace("Bearer ", "")
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        user = request["messages"][1]["content"]
        n = len(json.loads(user.split("Texts: ", 1)[1].split("\n")[0]))
        seen[mode] = seen.get(mode, 0) + 1
        with open(log_file, "a") as f:
            f.write(f"{mode} {key} {n} {self.path.endswith('/v1/chat/completions')}\n")
        ones = completion(str([1] * n))
        if mode == "busy" and seen[mode] % 2:
            return self.send(429, b'{"error":{"message":"slow down"}}')
        if mode in ("ones", "busy"):
            return self.send(200, ones)
        if mode == "thinks":
            return self.send(200, completion("<think>is it [1, 2]? or [0]?</think> So: " + str([0] * n) + "."))
        if mode == "first":  # one good answer, then out of credits
            return self.send(200, ones) if seen[mode] == 1 else self.send(402, b'{"error":{"message":"no credits left"}}')
        if mode == "down":
            return self.send(503, b"<html>down</html>")
        if mode == "garbage":
            return self.send(200, b"\x1b[2J not json \xff\xfe")
        if mode == "prose":
            return self.send(200, completion("I would rather not say."))
        if mode == "wrong":
            return self.send(200, completion(str([1] * (n + 1)) + " or " + str([2] * n)))
        if mode == "huge":
            try:
                return self.send(200, completion("x" * 3_000_000))
            except OSError:
                return None
        if mode == "hang":
            time.sleep(30)
            return None
        if mode == "key":
            return self.send(401, json.dumps({"error": {"message": "bad key " + key}}).encode())
        if mode == "echo":
            return self.send(400, json.dumps({"error": {"message": "\x1b[31mno: " + key}}).encode())
        if mode == "cut":  # within the key, by whoever shows 200 bytes
            return self.send(400, json.dumps({"error": {"message": "x" * 190 + key}}).encode())
        if mode == "raw":
            return self.send(200, key.encode())
        if mode == "repeats":
            return self.send(200, completion("my key is " + key[:-2]))
        if mode == "brackets":
            return self.send(200, completion(str([1] * n) + "[" * 900_000 + "]"))
        if mode == "elsewhere":
            self.send_response(307)
            self.send_header("Location", "/ones/v1/chat/completions")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if mode == "names":
            return self.send(200, completion('**"rivers and \x1b[31mboats"**.\nsecond line'))
        if mode == "novel":
            return self.send(200, completion("word " * 200))
        return self.send(404, b"{}")


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(port_file + ".part", "w") as f:
    f.write(str(server.server_port))
import os
os.rename(port_file + ".part", port_file)
server.serve_forever()
