"""Which addresses a board's credentials may go to. Pure."""

import ipaddress

import httpx2

from supervisor.domain.errors import ConfigError


def checked(base_url: str) -> httpx2.URL:
    """A configured address, if credentials may go there. Raises ConfigError."""
    try:
        url = httpx2.URL(base_url)
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    wrong = ""
    if url.scheme not in ("https", "http") or not url.host:
        wrong = "it must begin with https:// and name a host"
    elif url.scheme == "http" and not _is_loopback(url.host):
        wrong = "plain http is for loopback only"
    elif url.userinfo or url.query or url.fragment:
        wrong = "it must hold no credentials, query or fragment"
    if wrong:
        raise ConfigError(f"the board's address cannot be used: {wrong}", {"base_url": wrong})
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return (url.scheme, url.host, url.port or {"https": 443, "http": 80}.get(url.scheme))
