"""The grammars that CloudEvents takes from other documents; pure.

RFC 3986 for URIs, RFC 3339 for timestamps, RFC 2046 with RFC 2045 for media types, and the
specification's own rule of which characters a string may have. Every pattern is without
backtracking: hostile text costs no more than its length.
"""

from __future__ import annotations

import re
from calendar import isleap
from ipaddress import AddressValueError, IPv6Address

_PERCENT_ENCODED = "%[0-9A-Fa-f]{2}"
_REGISTERED = r"A-Za-z0-9\-._~!$&'()*+,;="


def _run_of(characters: str) -> str:
    return f"(?:[{characters}]++|{_PERCENT_ENCODED})*+"


_SCHEME = r"[A-Za-z][A-Za-z0-9+\-.]*+:"
_ADDRESS = rf"\[(?:v[0-9A-Fa-f]++\.[{_REGISTERED}:]++|[0-9A-Fa-f:.]++)\]"
_HOST = rf"(?:{_ADDRESS}|{_run_of(_REGISTERED)})(?::[0-9]*+)?"
_AUTHORITY = rf"//(?:{_run_of(_REGISTERED + ':')}@)?{_HOST}(?:/{_run_of(_REGISTERED + ':@/')})?"
_PATH = f"(?!//){_run_of(_REGISTERED + ':@/')}"
_QUERY = rf"(?:\?{_run_of(_REGISTERED + ':@/?')})?"
_FRAGMENT = rf"(?:\#{_run_of(_REGISTERED + ':@/?')})?"
_ABSOLUTE = f"{_SCHEME}(?:{_AUTHORITY}|{_PATH})"
_RELATIVE = f"(?:{_AUTHORITY}|(?![^/?#:]*+:){_PATH})"

_absolute_uri = re.compile(_ABSOLUTE + _QUERY).fullmatch
_uri_reference = re.compile(f"(?=.)(?:{_ABSOLUTE}|{_RELATIVE}){_QUERY}{_FRAGMENT}").fullmatch

_timestamp = re.compile(
    r"""(?P<year>[0-9]{4})-(?:
      (?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])
      | (?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)
      | 02-(?:0[1-9]|1[0-9]|2[0-8]|(?P<leap_day>29)))
    [Tt](?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9]):(?:[0-5][0-9]|(?P<leap_second>60))
    (?:\.[0-9]++)?
    (?:[Zz]|(?P<sign>[+-])(?P<east_hours>[01][0-9]|2[0-3]):(?P<east_minutes>[0-5][0-9]))""",
    re.VERBOSE,
).fullmatch
_LAST_MINUTE_OF_DAY = 23 * 60 + 59

_WORD = r"[!#$%&'*+\-.^_`{|}~0-9A-Za-z]++"
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*+"'
_PARAMETER = f"({_WORD})=({_WORD}|{_QUOTED})"
_media_type = re.compile(f"{_WORD}/{_WORD}(?: *+;(?: *+{_PARAMETER})?)*+ *+").fullmatch
_parameters = re.compile(f"; *+{_PARAMETER}").findall

_NONCHARACTERS = "".join(chr(plane << 16 | end) for plane in range(17) for end in (0xFFFE, 0xFFFF))
_disallowed = re.compile(
    f"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{_NONCHARACTERS}]",
).search


def is_string(text: str) -> bool:
    """Whether all characters are allowed in a String (CloudEvents, Type System)."""
    return (text.isascii() and text.isprintable()) or _disallowed(text) is None


def is_uri_reference(text: str) -> bool:
    """Whether this is a URI-reference that is not empty (RFC 3986, section 4.1)."""
    return _uri_reference(text) is not None and ("[" not in text or _has_real_address(text))


def is_absolute_uri(text: str) -> bool:
    """Whether this is an absolute-URI: with a scheme, without a fragment (RFC 3986, 4.3)."""
    return _absolute_uri(text) is not None and ("[" not in text or _has_real_address(text))


def _has_real_address(uri: str) -> bool:
    """Whether what stands in brackets is an address (RFC 3986, section 3.2.2)."""
    start = uri.index("[") + 1
    if uri[start] in "vV":
        return True
    try:
        IPv6Address(uri[start : uri.index("]")])
    except AddressValueError:
        return False
    return True


def is_timestamp(text: str) -> bool:
    """Whether this is a date-time (RFC 3339, section 5.6) on the calendar (5.7)."""
    match = _timestamp(text)
    if match is None:
        return False
    if match["leap_day"] and not isleap(int(match["year"])):
        return False
    if not match["leap_second"]:
        return True
    east = 0
    if match["sign"]:
        east = int(match["sign"] + "1") * (
            int(match["east_hours"]) * 60 + int(match["east_minutes"])
        )
    minute_utc = (int(match["hour"]) * 60 + int(match["minute"]) - east) % (24 * 60)
    return minute_utc == _LAST_MINUTE_OF_DAY


def is_media_type(text: str) -> bool:
    """Whether this is a type, a subtype and parameters (RFC 2046, with RFC 2045's grammar)."""
    return text == "application/json" or _media_type(text) is not None


def declares_json(media_type: str) -> bool:
    """Whether a media type says the content is JSON: `*/json`, `*/*+json` (JSON format, 3.1.1)."""
    if media_type == "application/json":
        return True
    subtype = media_type.partition(";")[0].partition("/")[2].strip().lower()
    return subtype == "json" or subtype.endswith("+json")


def charsets(media_type: str) -> list[str]:
    """List the values of a media type's charset parameters, in lower case."""
    return [
        value.strip('"').replace("\\", "").lower()
        for name, value in _parameters(media_type)
        if name.lower() == "charset"
    ]
