"""A mail server that keeps what it gets; started by smtp.rs.

Prints its port, then one JSON line per mail or refusal. Exits when its standard input closes, so
that it cannot outlive the test that started it. Reads <folder>/control.json for planned faults.
"""

import argparse
import asyncio
import email
import email.header
import email.policy
import json
import logging
import os
import ssl
import subprocess
import sys
import time

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


def emit(event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def make_certificates(folder):
    """A private CA and a certificate for localhost, good for a day."""
    path = lambda name: os.path.join(folder, name)
    try:
        subprocess.run(["openssl", "version"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        import trustme

        ca = trustme.CA()
        cert = ca.issue_cert("localhost", "127.0.0.1")
        ca.cert_pem.write_to_path(path("ca.pem"))
        cert.private_key_pem.write_to_path(path("server.key"))
        for i, blob in enumerate(cert.cert_chain_pems):
            blob.write_to_path(path("server.pem"), append=i > 0)
        return

    with open(path("server.ext"), "w") as ext:
        ext.write(
            "subjectAltName=DNS:localhost,IP:127.0.0.1\n"
            "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
        )
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    ca_extensions = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    for command in (
        ["req", "-x509", *key, "-days", "1", "-subj", "/CN=test CA", *ca_extensions,
         "-keyout", path("ca.key"), "-out", path("ca.pem")],
        ["req", *key, "-subj", "/CN=localhost", "-keyout", path("server.key"),
         "-out", path("server.csr")],
        ["x509", "-req", "-in", path("server.csr"), "-CA", path("ca.pem"), "-CAkey",
         path("ca.key"), "-CAcreateserial", "-days", "1", "-extfile", path("server.ext"),
         "-out", path("server.pem")],
    ):
        subprocess.run(["openssl", *command], check=True, capture_output=True)


class Faults:
    """The plan of control.json: {"id", "count", "every", "stage", "code"}; a new id starts a new
    count, and every so many-th mail counts.
    """

    def __init__(self, folder):
        self.path = os.path.join(folder, "control.json")
        self.id = None
        self.left = 0
        self.seen = 0
        self.plan = {}

    def recipient(self, address):
        """The code of recipients.json for this one: {"address": code}."""
        try:
            with open(os.path.join(os.path.dirname(self.path), "recipients.json")) as file:
                return json.load(file).get(address)
        except FileNotFoundError:
            return None

    def take(self, *stages):
        try:
            with open(self.path) as file:
                plan = json.load(file)
        except FileNotFoundError:
            return None
        if plan["id"] != self.id:
            self.id, self.left, self.seen, self.plan = plan["id"], plan["count"], 0, plan
        if self.left <= 0 or self.plan["stage"] not in stages:
            return None
        self.seen += 1
        if self.seen % self.plan["every"]:
            return None
        self.left -= 1
        return self.plan


class Sink:
    def __init__(self, folder):
        self.folder = folder
        self.faults = Faults(folder)
        self.count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        code = self.faults.recipient(address)
        if code:
            emit({"event": "refused", "stage": "rcpt", "code": code})
            return answer(code)
        # One fault per mail, not per recipient.
        plan = None if envelope.rcpt_tos else self.faults.take("rcpt")
        if plan:
            emit({"event": "refused", "stage": "rcpt", "code": plan["code"]})
            return answer(plan["code"])
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        plan = self.faults.take("data", "drop", "accept_then_drop")
        if plan and plan["stage"] != "accept_then_drop":
            emit({"event": "refused", "stage": plan["stage"], "code": plan["code"]})
            if plan["stage"] == "data":
                return answer(plan["code"])
        else:
            self.keep(session, envelope)
        if plan:
            server.transport.abort()
        return "250 2.0.0 OK: queued"

    def keep(self, session, envelope):
        self.count += 1
        raw = envelope.original_content
        raw_file = os.path.join(self.folder, "mail-%04d.eml" % self.count)
        with open(raw_file, "wb") as file:
            file.write(raw)
        message = email.message_from_bytes(raw, policy=email.policy.default)
        headers = {}
        for name, value in message.items():
            headers.setdefault(name.lower(), str(value))
        mail = {
            "event": "mail",
            "at_ms": int(time.time() * 1000),
            "mail_from": envelope.mail_from,
            "rcpt_tos": envelope.rcpt_tos,
            "headers": headers,
            "text": part(message, "text/plain"),
            "html": part(message, "text/html"),
            "raw_file": raw_file,
            "tls": session.ssl is not None or SINK_TLS == "implicit",
            "user": session.auth_data.login.decode() if session.auth_data else None,
        }
        with open(os.path.join(self.folder, "mails.jsonl"), "a") as file:
            file.write(json.dumps(mail) + "\n")
        emit(mail)


def answer(code):
    return f"{code} {'4.2.0 try again later' if code < 500 else '5.7.1 refused'}"


def part(message, kind):
    for piece in message.walk():
        if piece.get_content_type() == kind:
            return piece.get_content()
    return None


def authenticator(user, password):
    def check(server, session, envelope, mechanism, data):
        good = (
            isinstance(data, LoginPassword)
            and data.login == user.encode()
            and data.password == password.encode()
        )
        if not good:
            emit({"event": "refused", "stage": "auth", "code": 535})
        return AuthResult(success=good, handled=False, auth_data=data if good else None)

    return check


async def main(options):
    context = None
    if options.tls != "plain":
        make_certificates(options.folder)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(
            os.path.join(options.folder, "server.pem"), os.path.join(options.folder, "server.key")
        )
    arguments = {"hostname": "localhost", "enable_SMTPUTF8": True}
    if options.user is not None:
        arguments["authenticator"] = authenticator(options.user, options.password)
        arguments["auth_required"] = True
        # aiosmtpd knows only STARTTLS; the other two modes are safe or meant to be unsafe.
        arguments["auth_require_tls"] = options.tls == "starttls"
    if options.tls == "starttls":
        arguments["tls_context"] = context
        arguments["require_starttls"] = True
    sink = Sink(options.folder)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(sink, loop=loop, **arguments),
        "127.0.0.1",
        0,
        ssl=context if options.tls == "implicit" else None,
    )
    closed = loop.create_future()

    class Leash(asyncio.Protocol):
        def connection_lost(self, error):
            if not closed.done():
                closed.set_result(None)

    await loop.connect_read_pipe(Leash, sys.stdin)
    print(server.sockets[0].getsockname()[1], flush=True)
    await closed


if __name__ == "__main__":
    # A login without TLS is what some tests are about.
    logging.disable(logging.ERROR)
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True)
    parser.add_argument("--tls", choices=["plain", "starttls", "implicit"], required=True)
    parser.add_argument("--user")
    parser.add_argument("--password")
    parsed = parser.parse_args()
    SINK_TLS = parsed.tls
    asyncio.run(main(parsed))
    os._exit(0)
