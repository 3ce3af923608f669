"""Target groups and rules as Elastic Load Balancing has them."""

import re

import botocore.exceptions

from harness.aws.call import Call, Refusal, read_xml
from harness.aws.proxy import Answer

HOST = re.compile(r"(?=.*\.)[A-Za-z0-9.*?-]{1,128}")


class Routes:
    """What AWS does with target groups and rules and the server behind the peer does not."""

    def __init__(self, peer) -> None:
        self._peer = peer
        self._made: dict[str, tuple[dict, Answer]] = {}
        self._times_in_use = 0

    # What a test says

    def keep_groups_in_use(self, times: int) -> None:
        """Refuses to delete target groups so many times, as AWS does for a while after their last rule has gone."""
        self._times_in_use = times

    # What AWS does

    def create_group(self, call: Call) -> Answer:
        name = call.parameters.get("Name", "")
        settings = {key: value for key, value in call.parameters.items() if not key.startswith("Tags.")}
        earlier, made = self._made.get(name, (None, None))
        if earlier == settings and self._exists(name):
            return made
        answer = self._peer.pass_on(call)
        if answer.status == 200:
            self._made[name] = (settings, answer)
        return answer

    def _exists(self, name: str) -> bool:
        try:
            return bool(self._peer.clients("elbv2").describe_target_groups(Names=[name])["TargetGroups"])
        except botocore.exceptions.ClientError:
            return False

    def describe_groups(self, call: Call) -> Answer:
        answer = self._peer.pages.all_of(call)
        if answer.status != 200:
            return answer
        return self._peer.pages.cut(call, answer, read_xml(answer.content), "TargetGroups")

    def delete_group(self, call: Call) -> Answer:
        arn = call.parameters.get("TargetGroupArn", "")
        if self._times_in_use:
            self._times_in_use -= 1
            raise Refusal("ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule")
        return self._peer.pass_on(call)

    def register(self, call: Call) -> Answer:
        wanted = [value for key, value in call.parameters.items() if re.fullmatch(r"Targets\.member\.\d+\.Id", key)]
        running = {
            instance["InstanceId"]
            for page in self._peer.clients("ec2").get_paginator("describe_instances").paginate()
            for reservation in page["Reservations"] for instance in reservation["Instances"]
            if instance["State"]["Name"] == "running"}
        if bad := [each for each in wanted if each not in running]:
            raise Refusal(
                "InvalidTarget",
                f"The following targets are not in a running state and cannot be registered: '{', '.join(bad)}'")
        return self._peer.pass_on(call)

    def create_rule(self, call: Call) -> Answer:
        if not 1 <= int(call.parameters.get("Priority", 0)) <= 50000:
            raise Refusal("ValidationError", "Priority must be between 1 and 50000")
        return self.change_rule(call)

    def change_rule(self, call: Call) -> Answer:
        """ModifyRule."""
        hosts = [
            value for key, value in call.parameters.items()
            if re.fullmatch(r"Conditions\.member\.\d+\.(HostHeaderConfig\.)?Values\.member\.\d+", key)]
        if bad := [host for host in hosts if not HOST.fullmatch(host)]:
            raise Refusal("ValidationError", f"Condition value '{bad[0]}' contains a character that is not valid")
        return self._peer.pass_on(call)

    def delete_rule(self, call: Call) -> Answer:
        arn = call.parameters.get("RuleArn", "")
        try:
            self._peer.clients("elbv2").describe_rules(RuleArns=[arn])
        except botocore.exceptions.ClientError:
            raise Refusal("RuleNotFound", f"Rule '{arn}' not found") from None
        return self._peer.pass_on(call)
