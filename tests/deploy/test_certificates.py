"""deploy/certificates.sh: what it makes is what TLS asks for, and a second run leaves it alone."""

from __future__ import annotations

import os
import pathlib
import pwd
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

import pytest
from support.certificates import SCRIPT, SERVICES, make
from support.stack import FILE, ROOT, read


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of a first run, for the services of docker-compose.yml."""
    folder = tmp_path_factory.mktemp("certificates")
    done = make(folder, *SERVICES)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture
def folder(made: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of it, to be spoilt."""
    return shutil.copytree(made, tmp_path / "certificates")


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def handshake(folder: pathlib.Path, service: str, host: str, trust: pathlib.Path) -> str:
    """The problem of a client that trusts ``trust`` and means ``host``; empty where there is none."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / service / f"{service}.crt", folder / service / f"{service}.key")
    client = ssl.create_default_context(cafile=str(trust))
    # As Python does from 3.13 on by itself.
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()

    def answer() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        client.wrap_socket(ours, server_hostname=host).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    finally:
        ours.close()
        thread.join()
    return ""


def test_the_services_are_those_of_the_stack() -> None:
    """Each server of Elastic's has a certificate, and its command says so."""
    stack = read(FILE.read_text(), (ROOT / ".env.example").read_text())
    assert stack.services["certificates"].command == ["certificates.sh", "/certificates", *SERVICES]
    assert {name for name, service in stack.services.items() if not service.ours} == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("host", ["{service}", "localhost", "127.0.0.1"])
def test_the_right_host_is_believed(made: pathlib.Path, service: str, host: str) -> None:
    """By a client that trusts the authority alone, under each name that the service has."""
    assert handshake(made, service, host.format(service=service), made / "trust" / "ca.crt") == ""


@pytest.mark.parametrize("host", ["kibana", "elasticsearch.example", "127.0.0.2"])
def test_a_wrong_host_is_refused(made: pathlib.Path, host: str) -> None:
    """A certificate of the same authority for another service is none for this one."""
    assert "mismatch" in handshake(made, "elasticsearch", host, made / "trust" / "ca.crt")


def test_another_authority_is_refused(made: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """One of the same name, made by the same script."""
    make(tmp_path, "kibana")
    assert handshake(made, "elasticsearch", "elasticsearch", tmp_path / "trust" / "ca.crt") != ""


def test_a_service_is_no_authority(made: pathlib.Path) -> None:
    """What it would sign isn't believed: it is marked as no authority, and serves servers and clients only."""
    said = subprocess.run(
        ["openssl", "x509", "-noout", "-text", "-in", made / "logstash" / "logstash.crt"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "CA:FALSE" in said
    assert "TLS Web Server Authentication, TLS Web Client Authentication" in said


def test_who_may_read_what(made: pathlib.Path) -> None:
    """Keys are their owner's alone, in PKCS#8 as Logstash wants it, and the authority's is in no service's folder."""
    keys = {str(path.relative_to(made)) for path in made.rglob("*.key")}
    assert keys == {"authority/ca.key", *(f"{service}/{service}.key" for service in SERVICES)}
    for name in keys:
        assert (made / name).stat().st_mode & 0o777 == 0o400
        assert (made / name).read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert [path.name for path in (made / "trust").iterdir()] == ["ca.crt"]
    assert {path.name for path in (made / "kibana").iterdir()} == {"ca.crt", "kibana.crt", "kibana.key"}


def test_a_second_run_changes_nothing(folder: pathlib.Path) -> None:
    """Byte for byte, and says until when they last."""
    before = contents(folder)
    done = make(folder, *SERVICES)
    assert done.returncode == 0
    assert contents(folder) == before
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == [
        f"{name}: kept" for name in ("authority", *SERVICES)
    ]


def test_one_that_ends_soon_is_made_anew(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """The others stay, and so does the authority, whom clients go on trusting."""
    short = tmp_path / "short.sh"
    short.write_text(
        SCRIPT.read_text().replace("SERVICE_DAYS=397", "SERVICE_DAYS=89").replace("RENEWED_DAYS=90", "RENEWED_DAYS=10")
    )
    (folder / "kibana" / "kibana.crt").unlink()
    assert "kibana: made" in make(folder, "kibana", script=short).stdout
    before = contents(folder)
    done = make(folder, *SERVICES)
    after = contents(folder)
    assert {name for name in after if after[name] != before[name]} == {"kibana/kibana.crt", "kibana/kibana.key"}
    assert "kibana: made" in done.stdout
    assert handshake(folder, "kibana", "kibana", folder / "trust" / "ca.crt") == ""


@pytest.mark.parametrize(
    "spoil", ["no key", "another key", "half a certificate", "no certificate", "another authority"]
)
def test_what_is_no_good_is_made_anew(folder: pathlib.Path, spoil: str) -> None:
    """Whatever happened to it; the service can be reached again afterwards."""
    own = folder / "logstash"
    if spoil == "no key":
        (own / "logstash.key").unlink()
    elif spoil == "another key":
        shutil.copyfile(folder / "kibana" / "kibana.key", own / "other")
        (own / "other").rename(own / "logstash.key")
    elif spoil == "half a certificate":
        whole = (own / "logstash.crt").read_bytes()
        (own / "logstash.crt").unlink()
        (own / "logstash.crt").write_bytes(whole[: len(whole) // 2])
    elif spoil == "no certificate":
        (own / "logstash.crt").unlink()
    else:
        shutil.rmtree(folder / "authority")
    done = make(folder, *SERVICES)
    assert done.returncode == 0, done.stderr
    assert "logstash: made" in done.stdout
    assert ("kibana: made" in done.stdout) == (spoil == "another authority")
    for service in SERVICES:
        assert handshake(folder, service, service, folder / service / "ca.crt") == ""
    assert (own / "logstash.key").stat().st_mode & 0o777 == 0o400


def test_further_names(folder: pathlib.Path) -> None:
    """They are in all certificates; those that had none are made anew, once."""
    names = "DNS:kibana.example,IP:192.0.2.7"
    assert make(folder, *SERVICES, names=names).stdout.count(": made") == 3
    assert make(folder, *SERVICES, names=names).stdout.count(": made") == 0
    for host in ("kibana.example", "192.0.2.7", "kibana"):
        assert handshake(folder, "kibana", host, folder / "trust" / "ca.crt") == ""


def test_two_at_once_make_one_authority(tmp_path: pathlib.Path) -> None:
    """The second waits for the first, and keeps what that made."""
    both = [subprocess.Popen(["sh", SCRIPT, tmp_path, "kibana"], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = "".join(process.communicate(timeout=120)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert (said.count("authority: made"), said.count("kibana: made")) == (1, 1)
    assert handshake(tmp_path, "kibana", "kibana", tmp_path / "trust" / "ca.crt") == ""


def test_a_volume_of_another_user_is_said() -> None:
    """In one sentence, before anything is made."""
    other = {"user": pwd.getpwnam("nobody").pw_uid} if os.geteuid() == 0 else {}
    user = other.get("user", os.geteuid())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        script = shutil.copy(SCRIPT, folder)
        for part in ("authority", "trust", "kibana"):
            (folder / part).mkdir(mode=0o555)
        done = make(folder, "kibana", script=script, **other)
        assert done.returncode == 3
        assert done.stderr.startswith(f"certificates.sh: user {user} can't write to {folder}/authority: another user")
        assert list((folder / "kibana").iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["folder"]])
def test_wrong_usage_is_2(arguments: list[str], tmp_path: pathlib.Path) -> None:
    """And makes nothing."""
    done = subprocess.run(["sh", SCRIPT, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage: certificates.sh FOLDER SERVICE..." in done.stderr
    assert list(tmp_path.iterdir()) == []
