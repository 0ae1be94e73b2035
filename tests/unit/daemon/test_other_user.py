"""What agents of another user are told about themselves."""

import pwd

import pytest

from supervisor.daemon.other_user import NoSuchUser, at_home

DAEMON = {
    "PATH": "/bin",
    "HOME": "/var/lib/operator",
    "USER": "operatord",
    "XDG_RUNTIME_DIR": "/run/user/7",
    "LANG": "C",
}


def test_they_are_at_home_in_their_own_folder() -> None:
    known = pwd.getpwnam("nobody")
    found = at_home("nobody", DAEMON)
    assert found == {
        "PATH": "/bin",
        "LANG": "C",
        "HOME": known.pw_dir,
        "USER": "nobody",
        "LOGNAME": "nobody",
        "SHELL": known.pw_shell,
    }


def test_the_daemons_own_user_changes_nothing() -> None:
    assert at_home(None, DAEMON) == DAEMON


def test_a_user_that_is_not_there() -> None:
    with pytest.raises(NoSuchUser, match="no-such-user"):
        at_home("no-such-user", DAEMON)
