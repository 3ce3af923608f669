import Kubernetes

extension Pod {
    /// The GPUs that the scheduler sets aside for the pod.
    ///
    /// Init containers run one after another before the others, beside those of them that stay. (Kubernetes manual,
    /// "Sidecar Containers", resource sharing within containers.)
    ///
    /// - Returns: A whole number.
    /// - Throws: `UncountableGPUs` if it is none.
    func gpus() throws(UncountableGPUs) -> Int {
        var staying = Quantity.zero
        var most = Quantity.zero
        for container in self.initContainers {
            let own = container.requests.gpus
            if container.staysBeside { staying = staying + own }
            most = max(most, container.staysBeside ? staying : staying + own)
        }
        let together = self.containers.reduce(staying) { $0 + $1.requests.gpus }
        guard let gpus = (max(most, together) + self.overhead.gpus).whole, gpus >= 0 else {
            throw UncountableGPUs(owner: "pod \(self.namespace)/\(self.name)")
        }
        return gpus
    }

    /// Whether it waits for a node; one that has a node but does not run yet waits for something else.
    var waitsForNode: Bool { self.phase == .pending && self.nodeName == nil && !self.isTerminating }

    /// Whether it belongs to a reservation.
    var isOfReservation: Bool { self.name.hasPrefix("gpu-dev-") }
}

extension Resources {
    var gpus: Quantity { self["nvidia.com/gpu"] ?? .zero }
}
