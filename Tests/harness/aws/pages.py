"""Lists in pages, as AWS gives them."""

import base64
import hashlib
import xml.etree.ElementTree as ElementTree

from harness.aws.call import Call, Refusal, put, write_xml
from harness.aws.proxy import Answer

BOUNDS = {"MaxResults": (5, 1000), "PageSize": (1, 400)}
IDS = ("VolumeId", "SnapshotId", "TargetGroupArns", "Names")


class Pages:
    """Cuts whole lists into pages; a token holds the place to go on from, and belongs to one request."""

    def __init__(self, peer) -> None:
        self._peer = peer
        self._most: int | None = None
        self._empty = 0

    # What a test says

    def hold_at_most(self, count: int) -> None:
        """From now on no page holds more items, whatever was asked for: AWS may always give fewer."""
        self._most = count

    def begin_empty(self, count: int = 1) -> None:
        """From now on so many pages with nothing but a token come before the first item of a list."""
        self._empty = count

    def restore(self) -> None:
        self._most = None
        self._empty = 0

    # What AWS does

    def all_of(self, call: Call, *filters: str) -> Answer:
        """The whole list without paging, and without filters that the peer itself applies."""
        self._check(call)
        return self._peer.pass_on(call.without("MaxResults", "PageSize", "NextToken", "Marker", *filters))

    def cut(self, call: Call, answer: Answer, root: ElementTree.Element, name: str) -> Answer:
        """The page of the list called `name` that was asked for."""
        asked = next((call.parameters[size] for size in BOUNDS if size in call.parameters), None)
        listed = root.find(f".//{name}")
        if listed is None or any(call.values(ids) for ids in IDS):
            return answer.but(content=write_xml(root))
        place = self._place(call) if self._token(call) else -self._empty
        items = list(listed)
        size = min(int(asked or len(items) or 1), self._most or 1000, 1000)
        end = min(place + 1, 0) if place < 0 else place + size
        for item in items[:max(place, 0)] + items[max(end, 0):]:
            listed.remove(item)
        parent = root if call.service == "ec2" else root[0]
        for earlier in ("nextToken", "NextMarker"):
            if (found := parent.find(earlier)) is not None:
                parent.remove(found)
        if end < len(items) or place < 0:
            put(parent, "nextToken" if call.service == "ec2" else "NextMarker", self._token_for(call, end))
        return answer.but(content=write_xml(root))

    @staticmethod
    def _check(call: Call) -> None:
        for size, (least, most) in BOUNDS.items():
            if (asked := call.parameters.get(size)) is None:
                continue
            if any(call.values(ids) for ids in IDS):
                given = next(ids for ids in IDS if call.values(ids))
                raise Refusal(
                    "InvalidParameterCombination" if call.service == "ec2" else "ValidationError",
                    f"The parameter {given} cannot be used with the parameter {size}")
            if not least <= int(asked):
                raise Refusal(
                    "InvalidParameterValue" if call.service == "ec2" else "ValidationError",
                    f"Value ( {asked} ) for parameter {size} is invalid. Expecting a value greater than {least}.")
            if most < int(asked) and call.service != "ec2":
                raise Refusal("ValidationError", f"Page size must be between {least} and {most}")

    @staticmethod
    def _token(call: Call) -> str | None:
        return call.parameters.get("NextToken") or call.parameters.get("Marker")

    @staticmethod
    def _request(call: Call) -> str:
        """What makes requests for pages of one list the same."""
        rest = call.without("NextToken", "Marker", "MaxResults", "PageSize").parameters
        return hashlib.sha256(repr(sorted(rest.items())).encode()).hexdigest()[:16]

    def _token_for(self, call: Call, place: int) -> str:
        return base64.b64encode(f"{self._request(call)}/{place}".encode()).decode()

    def _place(self, call: Call) -> int:
        try:
            request, _, place = base64.b64decode(self._token(call), validate=True).decode().partition("/")
        except ValueError:
            request = place = ""
        if request != self._request(call):
            raise Refusal(
                "InvalidParameterValue" if call.service == "ec2" else "ValidationError",
                "Unable to parse pagination token" if not place else "The token does not match the request")
        return int(place)
