"""Many volumes, each attached and with three snapshots, in the pages in which EC2 gives them."""

VOLUME = (
    "<item><volumeId>vol-{0:017x}</volumeId><size>200</size><snapshotId>snap-{0:017x}</snapshotId>"
    "<availabilityZone>us-east-2a</availabilityZone><status>in-use</status>"
    "<createTime>2026-01-01T00:00:00.000Z</createTime><attachmentSet><item><volumeId>vol-{0:017x}</volumeId>"
    "<instanceId>i-{0:017x}</instanceId><device>/dev/xvdf</device><status>attached</status>"
    "<attachTime>2026-01-01T00:00:01.000Z</attachTime><deleteOnTermination>false</deleteOnTermination></item>"
    "</attachmentSet><tagSet>{1}</tagSet><volumeType>gp3</volumeType><iops>3000</iops><encrypted>true</encrypted>"
    "<multiAttachEnabled>false</multiAttachEnabled><throughput>125</throughput></item>")
SNAPSHOT = (
    "<item><snapshotId>snap-{2:01x}{0:016x}</snapshotId><volumeId>vol-{0:017x}</volumeId><status>completed</status>"
    "<startTime>2026-01-0{2}T00:00:00.000Z</startTime><progress>100%</progress><ownerId>123456789012</ownerId>"
    "<volumeSize>200</volumeSize><description>gpu-dev shutdown snapshot for user-{0} (disk: home)</description>"
    "<tagSet>{1}</tagSet><encrypted>true</encrypted><storageTier>standard</storageTier></item>")
TAGS = {"Project": "gpu-dev-servers", "ManagedBy": "gpu-dev-cli", "created_at": "1767225600"}
MORE_TAGS = {
    "SnapshotType": "shutdown", "gpu-dev-snapshot-type": "shutdown", "disk_size": "1.2G",
    "snapshot_content_s3": "s3://gpu-dev-contents/user/home/snap-00000000000000000-contents.txt"}
SNAPSHOTS_EACH = 3


class Fleet:
    """Answers the two listing calls; everything is written out before the first of them."""

    def __init__(self, volumes: int) -> None:
        tags = [self._tags(number, TAGS) for number in range(volumes)]
        more = [self._tags(number, TAGS | MORE_TAGS) for number in range(volumes)]
        self._lists = {
            "DescribeVolumes": ("volumeSet", [VOLUME.format(number, tags[number]) for number in range(volumes)]),
            "DescribeSnapshots": ("snapshotSet", [
                SNAPSHOT.format(number, more[number], copy + 1)
                for number in range(volumes) for copy in range(SNAPSHOTS_EACH)]),
        }

    @staticmethod
    def _tags(number: int, others: dict[str, str]) -> str:
        tags = {"gpu-dev-user": f"user-{number}@example.com", "disk_name": "home"} | others
        return "".join(f"<item><key>{key}</key><value>{value}</value></item>" for key, value in tags.items())

    def page(self, fields: dict[str, str]) -> str:
        """The content of an answer: as many items as were asked for, and a token if there are more."""
        name, items = self._lists[fields["Action"]]
        start = int(fields.get("NextToken", "0"))
        end = start + int(fields["MaxResults"])
        token = f"<nextToken>{end}</nextToken>" if end < len(items) else ""
        return f"<{name}>{''.join(items[start:end])}</{name}>{token}"
