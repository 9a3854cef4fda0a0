"""E-mail into Exim, which nobody here wrote; skipped where it is not installed."""

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import trustme

from sentio_async import errors
from sentio_async.connectors.email.notifier import EmailNotifier
from sentio_async.models import Attachment, Delivery

EXIM = shutil.which("exim4", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
START = 5.0

CONFIGURATION = """
primary_hostname = mx.exim.test
spool_directory = {folder}/spool
log_file_path = {folder}/log/%s
pid_file_path = {folder}/exim.pid
local_interfaces = 127.0.0.1
host_lookup =
rfc1413_query_timeout = 0s
queue_only = true
message_size_limit = 20k
smtp_accept_max_per_connection = 3
tls_advertise_hosts = *
tls_certificate = {folder}/cert.pem
tls_privatekey = {folder}/key.pem
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
acl_smtp_rcpt = rcpt
acl_smtp_data = data
keep_environment =
begin acl
rcpt:
  deny message = 5.1.1 no such mailbox
       local_parts = nobody
  defer message = 4.7.1 greylisted, try again in 300 seconds
        local_parts = greylisted
  accept
data:
  deny message = 5.7.1 content rejected
       condition = ${{if match{{$rh_subject:}}{{REJECT}}}}
  accept
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{bot}}}}{{eq{{$auth3}}{{s3cret}}}}}}}}
  server_set_id = $auth2
"""


class Exim:
    def __init__(self, folder, port):
        self.folder, self.port, self.ca_file = folder, port, folder / "ca.pem"

    def settings(self, **more):
        login = {"username": "bot", "password": "s3cret", "tls": "starttls"}
        known = {"host": "127.0.0.1", "port": self.port, "sender": "bot@sentio.test"}
        return {**known, **login, "ca_file": self.ca_file, "recipients": "a@x.test", **more}

    def queue(self):
        """Envelope and headers of every message that was taken."""
        files = sorted((self.folder / "spool" / "input").rglob("*-H"))
        return [file.read_text(errors="replace") for file in files]

    async def logged(self, words):
        """How often Exim wrote this; it replies first and writes afterwards."""
        for _ in range(100):
            found = (self.folder / "log" / "main").read_text().count(words)
            if found:
                return found
            await asyncio.sleep(0.01)
        return 0


@pytest.fixture(scope="module")
def exim():
    if EXIM is None:
        pytest.skip("Exim is not installed (Debian: exim4-daemon-light)")
    if os.geteuid() != 0:
        pytest.skip("Exim takes a configuration of the caller's from root only")
    # Exim gives its rights up, so it must be able to reach this folder.
    folder = Path(tempfile.mkdtemp(prefix="sentio-exim-"))
    folder.chmod(0o777)
    for name in ("spool", "log"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    (folder / "cert.pem").write_bytes(b"".join(b.bytes() for b in issued.cert_chain_pems))
    (folder / "key.pem").chmod(0o644)
    (folder / "conf").write_text(CONFIGURATION.format(folder=folder))
    (folder / "conf").chmod(0o644)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [EXIM, "-C", str(folder / "conf"), "-bdf", "-oX", str(port)]
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    try:
        _wait_for(port, process, folder)
        yield Exim(folder, port)
    finally:
        # Its children would write to a log, and make the folder anew.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(START)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port, process, folder):
    until = time.monotonic() + START
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.skip(f"Exim did not start: {(folder / 'out').read_text()[-300:]}")


def notifier(exim, **more):
    mail = EmailNotifier(exim.settings(**more))
    mail._pipeline._luck = lambda: 0.01
    return mail


async def test_mail_arrives_through_starttls_and_a_login(exim):
    file = Attachment(filename="Aufträge.csv", content=b"a;b", content_type="text/csv")

    async with notifier(exim) as mail:
        receipt = await mail.send_notification(
            ["a@x.test", "Jörg <b@x.test>"],
            "Köln",
            "text\n.\n..\n",
            html="<b>ü</b>",
            attachments=[file],
            bcc=["blind@x.test"],
            event_id="exim-1",
        )

    assert receipt.is_delivered
    assert receipt.results[0].reason.startswith("OK id=")
    (queued,) = [each for each in exim.queue() if "<exim-1@sentio.test>" in each]
    envelope, headers = queued.split("\n\n", 1)
    assert "blind@x.test" in envelope
    assert "blind@x.test" not in headers
    assert "-received_protocol esmtpsa" in envelope
    assert "-auth_id bot" in envelope


async def test_what_looks_encoded_is_one_header_to_others_too(exim):
    text = "=?utf-8?q?=0D=0ABcc=3A_evil=40x=2Etest=0D=0A=0D=0Aevil?= " + "long" * 200

    receipt = await notifier(exim).send_notification(
        f'"{text}" <a@x.test>', text, "m", headers={"X-Note": text}, event_id="exim-2"
    )

    assert receipt.is_delivered
    (queued,) = [each for each in exim.queue() if "<exim-2@sentio.test>" in each]
    envelope, headers = queued.split("\n\n", 1)
    assert "evil@x.test" not in envelope + headers
    # Exim counts a header's characters and names those it knows: 049T To: …
    assert re.findall(r"(?m)^\d{3,}([A-Z]) ", headers) == list("PFTI")


async def test_recipients_are_told_apart(exim):
    everybody = ["a@x.test", "nobody@x.test", "greylisted@x.test"]

    receipt = await notifier(exim).send_notification(everybody, "s", "m")

    assert [(r.delivery, r.code) for r in receipt.results] == [
        (Delivery.ACCEPTED, "250"),
        (Delivery.REFUSED, "550 5.1.1"),
        (Delivery.DEFERRED, "451 4.7.1"),
    ]


async def test_a_connection_that_is_full_is_replaced(exim):
    async with notifier(exim, retry_attempts=1) as mail:
        receipts = [await mail.send_notification(None, "s", "m") for _ in range(8)]

    assert all(receipt.is_delivered and receipt.attempts == 1 for receipt in receipts)
    assert await exim.logged("too many messages")


async def test_one_wrong_password_is_one_line_in_the_log(exim):
    mail = notifier(exim, password="wrong")
    for _ in range(3):
        with pytest.raises(errors.AuthenticationError, match="535"):
            await mail.send_notification(None, "s", "m")

    assert await exim.logged("535 Incorrect authentication data") == 1


@pytest.mark.parametrize(
    ("subject", "text", "words"), [("REJECT", "m", "5.7.1"), ("s", "x" * 40_000, "552")]
)
async def test_a_message_that_is_not_wanted_is_refused_for_good(exim, subject, text, words):
    with pytest.raises(errors.BadRequestError, match=words) as caught:
        await notifier(exim).send_notification(None, subject, text)

    assert len(caught.value.attempts) == 1


async def test_an_untrusted_certificate_ends_it(exim):
    with pytest.raises(errors.CertificateError):
        await notifier(exim, ca_file=None).send_notification(None, "s", "m")


async def test_implicit_tls_to_its_starttls_port_says_what_may_be_wrong(exim):
    mail = notifier(exim, tls="implicit", retry_attempts=1)

    with pytest.raises(errors.ConnectionError, match="starttls"):
        await mail.send_notification(None, "s", "m")
