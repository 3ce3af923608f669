"""AWS as the platform would have set it up, and AWS's own view of what the worker did there."""

import uuid

import boto3

DOMAIN = "devservers.example"


class Cloud:
    """A zone, a network with a load balancer and an instance; volumes on request."""

    def __init__(self) -> None:
        self._ec2 = boto3.client("ec2")
        self._balancing = boto3.client("elbv2")
        self._dns = boto3.client("route53")
        self._s3 = boto3.client("s3")
        self._create_network()
        self._create_load_balancer()
        self._create_instance()
        zone = self._dns.create_hosted_zone(Name=f"{DOMAIN}.", CallerReference=str(uuid.uuid4()))
        self.zone = zone["HostedZone"]["Id"].rpartition("/")[2]

    def _create_network(self) -> None:
        self.vpc = self._ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self._subnets = [
            self._ec2.create_subnet(VpcId=self.vpc, CidrBlock=block, AvailabilityZone=zone)["Subnet"]["SubnetId"]
            for block, zone in (("10.0.1.0/24", "us-east-2a"), ("10.0.2.0/24", "us-east-2b"))
        ]

    def _create_load_balancer(self) -> None:
        balancer = self._balancing.create_load_balancer(Name=f"jupyter-{uuid.uuid4().hex[:8]}", Subnets=self._subnets)["LoadBalancers"][0]
        not_found = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
        listener = self._balancing.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[not_found]
        )
        self.balancer_name = balancer["DNSName"]
        self.listener = listener["Listeners"][0]["ListenerArn"]

    def _create_instance(self) -> None:
        instances = self._ec2.run_instances(
            ImageId="ami-12345678", InstanceType="g4dn.xlarge", MinCount=1, MaxCount=1, SubnetId=self._subnets[0]
        )
        self.instance = instances["Instances"][0]["InstanceId"]
        self.address = instances["Instances"][0]["PrivateIpAddress"]

    def settings(self) -> dict[str, str]:
        """The worker's settings for all this."""
        return {
            "DOMAIN_NAME": DOMAIN,
            "HOSTED_ZONE_ID": self.zone,
            "JUPYTER_ALB_DNS": self.balancer_name,
            "JUPYTER_ALB_LISTENER_ARN": self.listener,
            "ALB_VPC_ID": self.vpc,
        }

    def create_volume(self, user: str, disk: str) -> str:
        """A volume that belongs to a disk; returns its id."""
        tags = {"gpu-dev-user": user, "disk_name": disk, "Project": "gpu-dev-servers"}
        volume = self._ec2.create_volume(
            AvailabilityZone="us-east-2a", Size=10, VolumeType="gp3",
            TagSpecifications=[{
                "ResourceType": "volume",
                "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
            }],
        )
        return volume["VolumeId"]

    def attach(self, volume: str) -> None:
        """What the cluster does when a pod with this volume starts."""
        self._ec2.attach_volume(VolumeId=volume, InstanceId=self.instance, Device="/dev/xvdf")

    def detach(self, volume: str) -> None:
        """What the cluster does when the pod is gone."""
        self._ec2.detach_volume(VolumeId=volume, InstanceId=self.instance, Device="/dev/xvdf")

    def volumes_of(self, user: str, disk: str) -> list[str]:
        """The volumes of a disk, by its tags."""
        return [found["VolumeId"] for found in self._ec2.describe_volumes(Filters=self._tags(user, disk))["Volumes"]]

    def completed_snapshots(self, user: str, disk: str) -> set[str]:
        """The completed snapshots of a disk, by its tags."""
        wanted = [*self._tags(user, disk), {"Name": "status", "Values": ["completed"]}]
        return {found["SnapshotId"] for found in self._ec2.describe_snapshots(Filters=wanted)["Snapshots"]}

    @staticmethod
    def _tags(user: str, disk: str) -> list[dict]:
        return [{"Name": "tag:gpu-dev-user", "Values": [user]}, {"Name": "tag:disk_name", "Values": [disk]}]

    def create_bucket(self, name: str) -> None:
        """A bucket for the listings of disks."""
        location = {"LocationConstraint": "us-east-2"}
        self._s3.create_bucket(Bucket=name, CreateBucketConfiguration=location)

    def text_at(self, uri: str) -> str:
        """The object that an s3:// URI names."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return self._s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()

    def snapshots_of(self, job: str) -> list[str]:
        """The volumes of the snapshots that carry this job's tag."""
        wanted = [{"Name": "tag:gpu-dev-operation", "Values": [job.lower(), job.upper()]}]
        return [found["VolumeId"] for found in self._ec2.describe_snapshots(Filters=wanted)["Snapshots"]]

    def records_of(self, name: str) -> dict[str, list[str]]:
        """The values of the records of a host name, by type."""
        names = {f"{name}.{DOMAIN}.", f"_port.{name}.{DOMAIN}."}
        records = self._dns.list_resource_record_sets(HostedZoneId=self.zone)["ResourceRecordSets"]
        return {
            record["Type"]: [value["Value"] for value in record["ResourceRecords"]]
            for record in records if record["Name"] in names
        }

    def targets(self) -> list[tuple[str, int]]:
        """The instance and port of every target of every target group."""
        return [
            (health["Target"]["Id"], health["Target"]["Port"])
            for group in self._balancing.describe_target_groups()["TargetGroups"]
            for health in self._balancing.describe_target_health(
                TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
        ]

    def routed_hosts(self) -> list[str]:
        """The hosts that the listener's rules send somewhere."""
        pages = self._balancing.get_paginator("describe_rules").paginate(ListenerArn=self.listener)
        return [
            host for page in pages for rule in page["Rules"] for condition in rule["Conditions"]
            for host in condition.get("Values") or condition["HostHeaderConfig"]["Values"]
        ]
