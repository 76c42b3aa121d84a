import pytest

from orchestration.cli.dev.network import check_host, display_url, is_loopback, reachable
from orchestration.cli.errors import RemoteHostError


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.7", False),
        ("example.org", False),
        ("localhost.example.org", False),
    ],
)
def test_only_addresses_of_this_machine_are_loopback(host, loopback):
    assert is_loopback(host) is loopback


def test_an_address_that_others_can_reach_is_refused():
    with pytest.raises(RemoteHostError) as caught:
        check_host("0.0.0.0", allow_remote=False)

    assert str(caught.value) == (
        "error ORC622: other machines can reach the address `0.0.0.0`, and Dagster's UI asks nobody"
        " who they are: whoever opens it can start jobs\n"
        "   help: leave --host out, put a proxy that authenticates in front of it, or add"
        " --allow-remote if the network is yours alone"
    )


def test_an_address_that_others_can_reach_is_allowed_with_a_warning():
    assert check_host("0.0.0.0", allow_remote=True) == (
        "the UI has no authentication, and other machines can reach it through 0.0.0.0"
    )
    assert check_host("127.0.0.1", allow_remote=False) is None


@pytest.mark.parametrize(
    ("host", "url", "asked_at"),
    [
        ("127.0.0.1", "http://localhost:3000", "127.0.0.1"),
        ("10.0.0.7", "http://10.0.0.7:3000", "10.0.0.7"),
        ("0.0.0.0", "http://0.0.0.0:3000", "127.0.0.1"),
        ("fd00::7", "http://[fd00::7]:3000", "fd00::7"),
        ("::", "http://[::]:3000", "::1"),
    ],
)
def test_the_ui_is_shown_and_asked_at_an_address_that_works(host, url, asked_at):
    assert (display_url(host, 3000), reachable(host)) == (url, asked_at)
