"""Record sets as Route 53 keeps them: a batch is carried out whole or not at all."""

import dataclasses
import itertools

import botocore.exceptions

from harness.aws.call import Call, Refusal, put, read_xml, write_xml
from harness.aws.proxy import Answer


@dataclasses.dataclass(frozen=True)
class RecordSet:
    """One set, or what a change says of one."""

    name: str
    type: str
    identifier: str
    content: tuple

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.name, self.type, self.identifier)


def normalized(name: str) -> str:
    return name.lower().rstrip(".").replace("*", r"\052") + "."


class Records:
    """What Route 53 refuses and the server behind the peer does not, and changes that take their time."""

    def __init__(self, peer) -> None:
        self._peer = peer
        self._times_busy = 0
        self._are_held = False
        self._numbers = itertools.count(1)
        self._changes: dict[str, str] = {}
        self.batches: list[list[tuple[str, str, str]]] = []
        """Action, name and type of each change, of the batches that were asked for, refused ones too."""

    # What a test says

    def be_busy(self, times: int) -> None:
        """Answers so many batches that an earlier one of the zone is not complete."""
        self._times_busy = times

    def hold(self) -> None:
        """From now on a change stays PENDING until it is finished."""
        self._are_held = True

    def finish(self) -> None:
        """Brings all changes in sync."""
        self._are_held = False
        self._changes = dict.fromkeys(self._changes, "INSYNC")

    # What AWS does

    def change(self, call: Call) -> Answer:
        changes = [
            (change.findtext("Action"), self._asked(change.find("ResourceRecordSet")))
            for change in read_xml(call.body).iterfind("ChangeBatch/Changes/Change")]
        self.batches.append([(action, record.name, record.type) for action, record in changes])
        if self._times_busy:
            self._times_busy -= 1
            raise Refusal(
                "PriorRequestNotComplete",
                "The request was rejected because Route 53 was still processing a prior request.")
        zone = call.path.split("/")[3]
        try:
            messages = self._refusals(changes, self._current(zone), self._apex(zone))
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchHostedZone":
                raise
            raise Refusal("NoSuchHostedZone", f"No hosted zone found with ID: {zone}", 404) from None
        if messages:
            raise Refusal("InvalidChangeBatch", f"[{', '.join(messages)}]")
        answer = self._peer.pass_on(call)
        if answer.status != 200:
            return answer
        root = read_xml(answer.content)
        change = f"C{next(self._numbers):020}"
        self._changes[change] = "PENDING" if self._are_held else "INSYNC"
        put(root.find("ChangeInfo"), "Id", f"/change/{change}")
        put(root.find("ChangeInfo"), "Status", "PENDING")
        return answer.but(content=write_xml(root))

    def change_status(self, call: Call) -> Answer:
        """GetChange."""
        change = call.path.rpartition("/")[2]
        if change not in self._changes:
            raise Refusal("NoSuchChange", f"Could not find resource with ID: {change}", 404)
        return Answer(200, (
            '<GetChangeResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeInfo>'
            f"<Id>/change/{change}</Id><Status>{self._changes[change]}</Status>"
            "<SubmittedAt>2025-01-02T03:04:05.678Z</SubmittedAt></ChangeInfo></GetChangeResponse>").encode())

    @staticmethod
    def _asked(record) -> RecordSet:
        values = tuple(sorted(value.text or "" for value in record.iterfind("ResourceRecords/ResourceRecord/Value")))
        alias = record.find("AliasTarget")
        content = (
            ("alias", normalized(alias.findtext("DNSName"))) if alias is not None
            else (int(record.findtext("TTL") or 0), values))
        identifier = record.findtext("SetIdentifier") or ""
        return RecordSet(normalized(record.findtext("Name")), record.findtext("Type"), identifier, content)

    def _current(self, zone: str) -> dict[tuple, RecordSet]:
        pages = self._peer.clients("route53").get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
        return {
            record.key: record for page in pages for record in map(self._known, page["ResourceRecordSets"])}

    @staticmethod
    def _known(record: dict) -> RecordSet:
        values = tuple(sorted(value["Value"] for value in record.get("ResourceRecords", [])))
        alias = record.get("AliasTarget")
        content = ("alias", normalized(alias["DNSName"])) if alias else (record.get("TTL", 0), values)
        return RecordSet(normalized(record["Name"]), record["Type"], record.get("SetIdentifier", ""), content)

    def _apex(self, zone: str) -> str:
        return self._peer.clients("route53").get_hosted_zone(Id=zone)["HostedZone"]["Name"]

    @staticmethod
    def _refusals(changes: list[tuple[str, RecordSet]], records: dict[tuple, RecordSet], apex: str) -> list[str]:
        """Route 53's words about each change that cannot be; `records` become what they would be afterwards."""
        messages = []
        for action, record in changes:
            what = f"resource record set [name='{record.name}', type='{record.type}']"
            there = records.get(record.key)
            others = {each.type for each in records.values() if each.name == record.name} - {record.type}
            if not record.name.endswith("." + apex) and record.name != apex:
                messages.append(f"RRSet with DNS name {record.name} is not permitted in zone {apex}")
            elif action == "CREATE" and there:
                messages.append(f"Tried to create {what} but it already exists")
            elif action == "DELETE" and not there:
                messages.append(f"Tried to delete {what} but it was not found")
            elif action == "DELETE" and there.content != record.content:
                messages.append(f"Tried to delete {what} but the values provided do not match the current values")
            elif action == "DELETE":
                del records[record.key]
            elif record.type == "CNAME" and record.name == apex:
                messages.append(f"RRSet of type CNAME with DNS name {apex} is not permitted at apex in zone {apex}")
            elif record.type == "CNAME" and others:
                messages.append(
                    f"RRSet of type CNAME with DNS name {record.name} is not permitted as it conflicts with other"
                    f" records with the same DNS name in zone {apex}")
            elif "CNAME" in others:
                messages.append(
                    f"RRSet of type {record.type} with DNS name {record.name} is not permitted because a conflicting"
                    f" RRSet of type  CNAME with the same DNS name already exists in zone {apex}")
            else:
                records[record.key] = record
        return messages
