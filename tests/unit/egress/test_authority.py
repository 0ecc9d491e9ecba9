"""A sandbox's authority signs for any host, is bounded, and its key is in no file that the sandbox sees."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from workers import authority
from workers.authority import Authority, Leaf


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    file = tmp_path / "roots.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\nsystem\n-----END CERTIFICATE-----")
    return file


@pytest.fixture
def one(tmp_path: Path, roots: Path) -> Authority:
    return Authority.make(tmp_path / "ca.pem", "assistant-1", roots=roots)


def test_the_bundle_holds_the_systems_roots_and_ours_and_no_key(one: Authority, roots: Path) -> None:
    text = one.bundle.read_text()
    assert text.startswith(roots.read_text() + "\n-----BEGIN CERTIFICATE-----\n")
    assert text.count("BEGIN") == 2
    assert "KEY" not in text
    assert stat.S_IMODE(one.bundle.stat().st_mode) == 0o644
    assert one.saved().count("BEGIN PRIVATE KEY") == 1


def test_a_certificate_names_one_host_and_is_signed_by_it(one: Authority) -> None:
    root = x509.load_pem_x509_certificates(one.saved().encode())[0]
    for host in ("site.test", "10.0.0.1", "fd00::1"):
        leaf = x509.load_pem_x509_certificate(one.leaf(host).certificate.encode())
        leaf.verify_directly_issued_by(root)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert [str(name.value) for name in names] == [host]
        assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_certificate_is_made_once_and_anew_before_it_ends(one: Authority) -> None:
    first = one.leaf("site.test")
    assert one.leaf("site.test") is first
    one._leaves["site.test"] = Leaf(first.certificate, first.key, datetime.now(UTC) + timedelta(hours=1))
    assert one.leaf("site.test").certificate != first.certificate


def test_certificates_are_kept_up_to_a_bound(one: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority, "LEAVES", 3)
    kept = one.leaf("h0.test")
    for number in (1, 2, 0, 3, 4):
        one.leaf(f"h{number}.test")
    assert list(one._leaves) == ["h0.test", "h3.test", "h4.test"]
    assert one.leaf("h0.test") is kept


def test_two_sandboxes_have_two_authorities(one: Authority, tmp_path: Path, roots: Path) -> None:
    other = Authority.make(tmp_path / "other.pem", "assistant-1", roots=roots)
    leaf = x509.load_pem_x509_certificate(other.leaf("site.test").certificate.encode())
    with pytest.raises(InvalidSignature):
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificates(one.saved().encode())[0])


def test_one_is_taken_up_again_as_it_was(one: Authority, roots: Path) -> None:
    again = Authority.restored(one.bundle, one.saved(), roots=roots)
    leaf = x509.load_pem_x509_certificate(again.leaf("site.test").certificate.encode())
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificates(one.saved().encode())[0])


def test_a_host_without_roots_has_a_bundle_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority, "system_roots", lambda: None)
    alone = Authority.make(tmp_path / "ca.pem", "assistant-1")
    assert len(x509.load_pem_x509_certificates(alone.bundle.read_bytes())) == 1
