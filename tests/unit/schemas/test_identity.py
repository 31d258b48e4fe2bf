"""Identities: golden values, computed with sha256sum over the contract's formula and not with this code."""

import pytest

from schemas.identity import diagnosis_id, fingerprint, pod_key


def test_the_key_is_cluster_namespace_and_pod() -> None:
    assert pod_key("prod-eu", "shop", "web-0") == "prod-eu/shop/web-0"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        # printf '1\x1fu1\x1fshop\x1fDeployment\x1fweb\x1fapp\x1fcontainer_restarts' | sha256sum
        (("u1", "shop", "Deployment", "web", "app", "container_restarts"), "0af23b84f1b1292b2108c824d33ef91b"),
        # printf '1\x1fu1\x1fshop\x1fPod\x1fweb-1\x1f\x1fevicted' | sha256sum
        (("u1", "shop", "Pod", "web-1", None, "evicted"), "ffd34d9cc8050852192ea72d75682350"),
        # printf '1\x1fu1\x1fn\xc3\xa4me\x1fPod\x1fp\x1f\x1fevicted' | sha256sum
        (("u1", "näme", "Pod", "p", None, "evicted"), "153b1df39cda5c3e8d6de70c9668fc90"),
    ],
)
def test_a_fingerprint_is_the_contracts_hash(parts: tuple[str, str, str, str, str | None, str], expected: str) -> None:
    assert fingerprint(*parts) == expected


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        # printf 'u1\x1fp1\x1fapp\x1fcontainer_restarts\x1f1' | sha256sum
        (("u1", "p1", "app", "container_restarts", 1), "3f15ac903f66c249e02472b3a86d4c81"),
        # printf 'u1\x1fp1\x1f\x1fevicted\x1f2' | sha256sum
        (("u1", "p1", None, "evicted", 2), "063d0f592bd5e6dd84fcf71afbbe4090"),
    ],
)
def test_an_episodes_id_is_the_contracts_hash(parts: tuple[str, str, str | None, str, int], expected: str) -> None:
    assert diagnosis_id(*parts) == expected


def test_parts_do_not_run_into_each_other() -> None:
    assert fingerprint("u", "ab", "c", "d", "e", "p") != fingerprint("u", "a", "bc", "d", "e", "p")


def test_a_name_that_utf_8_cannot_write_still_has_an_identity() -> None:
    assert len(fingerprint("u", "\ud800", "Pod", "p", None, "evicted")) == 32
