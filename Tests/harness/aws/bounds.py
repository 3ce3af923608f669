"""What AWS takes in one request: of tags, filters and resources."""

import re

from harness.aws.call import Call, Refusal

TAG = re.compile(r"(?:TagSpecification\.\d+\.Tag|Tags?)\.(?:member\.)?(\d+)\.(Key|Value)")
BALANCING_TEXT = re.compile(r"[\w\s.:/=+@-]*")
LONGEST = {"ec2": {"Key": 127, "Value": 256}, "elasticloadbalancing": {"Key": 128, "Value": 256}}
"""Characters of a tag (Amazon EC2 and Elastic Load Balancing API References, `Tag`)."""


def check(call: Call) -> None:
    """Refuses what is too long or too much (Amazon EC2 User Guide and Elastic Load Balancing API Reference)."""
    _check_tags(call)
    for name, values in call.filters().items():
        if len(values) > 200:
            raise Refusal("FilterLimitExceeded", f"The maximum number of filter values specified ({name}) is 200")
    if len(call.values("ResourceId")) > 1000:
        raise Refusal("InvalidParameterValue", "The number of resources is above 1000")
    if call.action == "DescribeTags" and len(call.values("ResourceArns")) > 20:
        raise Refusal("ValidationError", "Cannot have more than 20 resources described")


def _check_tags(call: Call) -> None:
    is_ec2 = call.service == "ec2"
    refusal = "InvalidParameterValue" if is_ec2 else "ValidationError"
    given = [(match, value) for key, value in call.parameters.items() if (match := TAG.fullmatch(key))]
    for match, value in given:
        part, longest = match[2], LONGEST["ec2" if is_ec2 else "elasticloadbalancing"][match[2]]
        if len(value) > longest:
            raise Refusal(refusal, f"Tag {part.lower()} exceeds the maximum length of {longest} characters")
        if part == "Key" and value.lower().startswith("aws:"):
            raise Refusal(refusal, "Tag keys starting with 'aws:' are reserved for internal use")
        if not is_ec2 and not BALANCING_TEXT.fullmatch(value):
            raise Refusal(refusal, f"Tag {part.lower()} '{value}' contains a character that is not valid")
    if len({match[1] for match, _ in given}) > 50:
        raise Refusal("TagLimitExceeded" if is_ec2 else "TooManyTags", "The maximum number of tags is 50")
