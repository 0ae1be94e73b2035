"""Where operator.toml is found, and where its paths start."""

from pathlib import Path

import pytest

from supervisor.configfile import NoConfig, find_config, load_config, state_directory
from supervisor.domain.errors import ConfigError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("OPERATOR_CONFIG", "OPERATOR_STATE_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home/.config/operator").mkdir(parents=True)
    return tmp_path / "home"


def written(folder: Path, text: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "operator.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_nearest_file_applies(tmp_path: Path, home: Path) -> None:
    own = written(home / ".config/operator")
    deep = tmp_path / "a/b/c"
    deep.mkdir(parents=True)
    assert find_config(environ={}, start=deep) == own
    outer = written(tmp_path / "a")
    assert find_config(environ={}, start=deep) == outer
    inner = written(tmp_path / "a/b")
    assert find_config(environ={}, start=deep) == inner
    assert find_config(environ={"OPERATOR_CONFIG": str(outer)}, start=deep) == outer
    assert find_config(own, {"OPERATOR_CONFIG": str(outer)}, deep) == own
    assert find_config(outer.parent, {}, deep) == outer


def test_no_file_is_no_error_but_a_named_one_must_be_there(tmp_path: Path, home: Path) -> None:
    assert find_config(environ={}, start=home) is None
    with pytest.raises(NoConfig, match="gone"):
        find_config(tmp_path / "gone.toml", {}, home)
    with pytest.raises(NoConfig, match="gone"):
        find_config(environ={"OPERATOR_CONFIG": str(tmp_path / "gone")}, start=home)


def test_paths_start_at_the_file(tmp_path: Path, home: Path) -> None:
    path = written(
        tmp_path / "conf",
        """
        [daemon]
        state_dir = "state"
        [projects.app]
        path = "../app"
        [projects.own]
        path = "~/own"
        [drivers.near]
        command = ["./bin/agent", "./kept"]
        [drivers.far]
        command = ["agent"]
        [collections.board]
        provider = "local"
        path = "/tickets"
        """,
    )
    loaded = load_config(path)
    config = loaded.config
    assert config.daemon.state_dir == str(tmp_path / "conf/state")
    assert config.projects["app"].path == str(tmp_path / "app")
    assert config.projects["own"].path == str(home / "own")
    assert config.drivers["near"].command == (str(tmp_path / "conf/bin/agent"), "./kept")
    assert config.drivers["far"].command == ("agent",)
    assert config.collections["board"].path == "/tickets"
    assert {"daemon.state_dir", "projects.app.path"} <= loaded.given
    assert "daemon.port" not in loaded.given
    assert state_directory(path, environ={}) == tmp_path / "conf/state"


def test_the_state_directory_in_order(tmp_path: Path, home: Path) -> None:
    path = written(tmp_path / "conf", '[daemon]\nstate_dir = "state"\n')
    given = {"OPERATOR_STATE_DIR": str(tmp_path / "env")}
    assert state_directory(path, tmp_path / "flag", given) == tmp_path / "flag"
    assert state_directory(path, None, given) == tmp_path / "env"
    assert state_directory(None, environ={}) == home / ".local/state/operator"
    assert state_directory(written(tmp_path / "other"), environ={}) == home / ".local/state/operator"


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path, home: Path) -> None:
    broken = written(tmp_path, "[daemon")
    with pytest.raises(NoConfig, match="TOML"):
        state_directory(broken, environ={})
    with pytest.raises(ConfigError):
        load_config(broken)
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(NoConfig, match="UTF-8"):
        load_config(broken)
    broken.write_bytes(b"#" * (5 * 1024 * 1024))
    with pytest.raises(NoConfig, match="large"):
        load_config(broken)


def test_no_file_means_defaults() -> None:
    assert load_config(None).config.daemon.port == 7008
