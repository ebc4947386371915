"""Certificates of one's own and of others, against servers that speak TLS."""

from __future__ import annotations

import os
import pty
import shutil
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from support.receivers import logstash

from mllog.errors import SettingError
from mllog.shipping import open_destination
from mllog.shipping.destinations.tls import tls_context

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "a secret of the key"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def pair(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a certificate (``c.pem``) and its key (``k.pem``), to which the environment leads."""
    issued = authority.issue_cert("client.example")
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "c.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "k.pem"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLLOG_CLIENT_CERT", "c.pem")
    monkeypatch.setenv("MLLOG_CLIENT_KEY", "k.pem")
    return tmp_path


def encrypt(path: Path) -> None:
    """Put a password on a key."""
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(PASSWORD.encode()),
        )
    )


def serving(authority: trustme.CA, *, asks: bool = False) -> ssl.SSLContext:
    """A server's side, which may ask for a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    if asks:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def answers(authority: trustme.CA, *, asks: bool = False) -> tuple[bool, str]:
    """Whether a server that this authority vouches for is talked to, and what is said of it."""
    with logstash(context=serving(authority, asks=asks)) as receiver:
        destination = open_destination(receiver.place())
        found = destination.check(5.0)
        destination.close()
    return found.reachable, found.message


def rehash(folder: Path) -> None:
    """What `openssl rehash` does: links by which OpenSSL finds certificates itself."""
    program = shutil.which("openssl")
    assert program is not None, "there is no openssl to make the links with"
    # It ends with an error where a file holds no certificate, after having looked at all of them.
    subprocess.run([program, "rehash", str(folder)], check=False, capture_output=True)
    assert any(path.is_symlink() and path.suffix == ".0" for path in folder.iterdir())


@pytest.mark.parametrize("name", ["ours.pem", "ours.crt", "OURS.CER"])
@pytest.mark.parametrize("hashed", [False, True])
def test_a_folder_of_authorities(
    name: str, hashed: bool, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files as people put them there, also beside a key, a note and others that are hashed; and nothing else is trusted."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "theirs.pem"))
    authority.issue_cert("x").private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    (tmp_path / "README").write_text("put certificates here")
    (tmp_path / "gone.pem").symlink_to("absent")
    if hashed:
        rehash(tmp_path)
    monkeypatch.setenv("MLLOG_CA_CERTS", str(tmp_path))
    reachable, message = answers(authority)
    assert not reachable
    assert "certificate is refused" in message
    authority.cert_pem.write_to_path(str(tmp_path / name))
    assert answers(authority)[0]


def test_a_folder_as_openssl_has_it(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that are hashes alone are found, and what they lead to isn't read twice."""
    authority.cert_pem.write_to_path(str(tmp_path / "ours.pem"))
    rehash(tmp_path)
    monkeypatch.setenv("MLLOG_CA_CERTS", str(tmp_path))
    assert tls_context().cert_store_stats()["x509"] == 0  # OpenSSL looks when it needs one
    assert answers(authority)[0]
    (link,) = (path for path in tmp_path.iterdir() if path.is_symlink())
    link.unlink()
    (tmp_path / "ours.pem").rename(link)
    assert answers(authority)[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no certificate is in there"),
        (b"-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n", "ours.pem"),
        (b"\x30\x82\x01\x02 that is DER", "ours.pem"),
    ],
)
def test_a_folder_without_certificates(
    content: bytes | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty one, and one with a file that can't be read, are said, and not by a server that seems to be wrong."""
    if content is not None:
        (tmp_path / "ours.pem").write_bytes(content)
    monkeypatch.setenv("MLLOG_CA_CERTS", str(tmp_path))
    with pytest.raises(SettingError, match=words) as caught:
        tls_context()
    assert (caught.value.field, caught.value.value) == ("MLLOG_CA_CERTS", str(tmp_path))


def test_a_server_that_asks_who_we_are(authority: trustme.CA, pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With our certificate it talks to us: the key beside it, in the same file, or encrypted; without it doesn't."""
    authority.cert_pem.write_to_path(str(pair / "ca.pem"))
    monkeypatch.setenv("MLLOG_CA_CERTS", "ca.pem")
    assert answers(authority, asks=True)[0]
    encrypt(pair / "k.pem")
    monkeypatch.setenv("MLLOG_CLIENT_KEY_PASSWORD", PASSWORD)
    assert answers(authority, asks=True)[0]
    (pair / "c.pem").write_bytes((pair / "c.pem").read_bytes() + (pair / "k.pem").read_bytes())
    monkeypatch.delenv("MLLOG_CLIENT_KEY")
    assert answers(authority, asks=True)[0]
    monkeypatch.delenv("MLLOG_CLIENT_CERT")
    assert not answers(authority, asks=True)[0]


@pytest.mark.parametrize("name", ["MLLOG_CLIENT_CERT", "MLLOG_CLIENT_KEY"])
@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), (b"", "can be read"), (b"-----BEGIN X-----\n", "can be read")]
)
def test_a_wrong_file_is_named_by_its_own_variable(name: str, content: bytes | None, words: str, pair: Path) -> None:
    """Which of the two isn't there, or isn't what it should be."""
    path = pair / os.environ[name]
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingError, match=f"{name} '{path.name}': .*{words}.*; name ") as caught:
        tls_context()
    assert (caught.value.field, caught.value.value) == (name, path.name)


def test_a_key_of_another_certificate(authority: trustme.CA, pair: Path) -> None:
    """Both are named."""
    authority.issue_cert("other.example").private_key_pem.write_to_path(str(pair / "k.pem"))
    with pytest.raises(SettingError, match=r"MLLOG_CLIENT_KEY 'k\.pem'.*MLLOG_CLIENT_CERT 'c\.pem'"):
        tls_context()


@pytest.mark.parametrize("given", ["wrong" + PASSWORD, "x" * 2000, "\udcff"])
def test_a_wrong_password_of_a_key(given: str, pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and never shown."""
    encrypt(pair / "k.pem")
    monkeypatch.setenv("MLLOG_CLIENT_KEY_PASSWORD", given)
    with pytest.raises(SettingError, match="MLLOG_CLIENT_KEY_PASSWORD doesn't decrypt it") as caught:
        tls_context()
    assert given not in f"{caught.value}{caught.value.value}"


@pytest.mark.parametrize("inside", [False, True])
def test_an_encrypted_key_asks_nobody(inside: bool, pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody sits at a terminal as where nobody does: the logger is refused at once, with the remedy."""
    encrypt(pair / "k.pem")
    if inside:
        (pair / "c.pem").write_bytes((pair / "c.pem").read_bytes() + (pair / "k.pem").read_bytes())
        monkeypatch.delenv("MLLOG_CLIENT_KEY")
    code = """
import os, mllog
os.open(os.ttyname(0), os.O_RDWR)  # it becomes the terminal of this session, where OpenSSL would ask
try:
    mllog.ModelLogger("model", version="1", sink="logstash+https://127.0.0.1:9")
except mllog.SettingError as error:
    print(error.field, error)
"""
    master, terminal = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            check=False,
            stdin=terminal,
            capture_output=True,
            text=True,
            timeout=30,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    finally:
        os.close(terminal)
        os.close(master)
    name = "MLLOG_CLIENT_CERT" if inside else "MLLOG_CLIENT_KEY"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{name} {name} ")
    assert "set MLLOG_CLIENT_KEY_PASSWORD, or decrypt it" in done.stdout
