extension AWSOperation {
    /// The actions that a policy has to allow for it, as far as they do not depend on what exists.
    ///
    /// Tags that go with a create need a permission of their own. Without `s3:ListBucket` an object that does not exist
    /// is a refusal and not an absence. (Service Authorization Reference; Amazon S3 API Reference, GetObject.)
    var permissions: [String] {
        let own = "\(self.service.signingName):\(self.name)"
        return switch (self.service, self.name) {
        case (.sts, _): []
        case (.ec2, "CreateVolume"), (.ec2, "CreateSnapshot"): [own, "ec2:CreateTags"]
        case (.elasticLoadBalancing, "CreateTargetGroup"), (.elasticLoadBalancing, "CreateRule"):
            [own, "elasticloadbalancing:AddTags"]
        case (.s3, "GetObject"): [own, "s3:ListBucket"]
        default: [own]
        }
    }
}
