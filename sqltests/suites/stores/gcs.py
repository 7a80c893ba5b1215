"""A stand-in for Google Cloud Storage: one bucket in memory, behind the part of the XML API that object_store speaks.

    gcs.py PORT BUCKET [--lie]

--lie: a create of a name that is taken overwrites it, as servers do that do not know the header.
"""

import email.utils
import hashlib
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

PORT, BUCKET, LIE = int(sys.argv[1]), sys.argv[2], "--lie" in sys.argv
PAGE = 1000
objects = {}  # name -> (bytes, generation)
lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def missing(self, code):
        self.answer(404, f"<Error><Code>{code}</Code></Error>".encode())

    def name(self):
        """The object's name, "" for the bucket; None: another bucket."""
        path = unquote(urlsplit(self.path).path).lstrip("/")
        bucket, _, name = path.partition("/")
        return name if bucket == BUCKET else None

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        name = self.name()
        if not name:
            return self.missing("NoSuchBucket")
        with lock:
            taken = objects.get(name)
            if self.headers.get("x-goog-if-generation-match") == "0" and taken and not LIE:
                return self.answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
            generation = (taken[1] if taken else 0) + 1
            objects[name] = (body, generation)
        self.answer(200, headers=meta(body, generation))

    def do_DELETE(self):
        name = self.name()
        with lock:
            found = objects.pop(name, None)
        self.answer(204) if found else self.missing("NoSuchKey")

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        name = self.name()
        if name is None:
            return self.missing("NoSuchBucket")
        if name == "":
            return self.list({k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()})
        with lock:
            found = objects.get(name)
        if not found:
            return self.missing("NoSuchKey")
        body, generation = found
        headers = meta(body, generation)
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not wanted:
            return self.answer(200, body, headers)
        first, last = wanted.groups()
        start = int(first) if first else max(len(body) - int(last), 0)
        end = min(int(last) + 1, len(body)) if first and last else len(body)
        if start >= len(body):
            return self.answer(416, b"<Error><Code>InvalidRange</Code></Error>")
        headers.append(("Content-Range", f"bytes {start}-{end - 1}/{len(body)}"))
        self.answer(206, body[start:end], headers)

    def list(self, query):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        after = query.get("continuation-token") or query.get("start-after", "")
        with lock:
            names = sorted(n for n in objects if n.startswith(prefix) and n > after)
            sizes = {n: len(objects[n][0]) for n in names}
        parts, folders, count, token = [], set(), 0, None
        for name in names:
            rest = name[len(prefix):]
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.split(delimiter)[0] + delimiter)
                continue
            if count == PAGE:
                token = last
                break
            count, last = count + 1, name
            parts.append(
                f"<Contents><Key>{escape(name)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                f'<ETag>"x"</ETag><Size>{sizes[name]}</Size></Contents>'
            )
        parts += [f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>" for f in sorted(folders)]
        if token:
            parts.append(f"<NextContinuationToken>{escape(token)}</NextContinuationToken>")
        body = f'<?xml version="1.0"?><ListBucketResult>{"".join(parts)}</ListBucketResult>'
        self.answer(200, body.encode(), [("Content-Type", "application/xml")])


def meta(body, generation):
    return [
        ("ETag", f'"{hashlib.md5(body).hexdigest()}"'),
        ("Last-Modified", email.utils.formatdate(0, usegmt=True)),
        ("x-goog-generation", str(generation)),
    ]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", PORT), Handler).serve_forever()
