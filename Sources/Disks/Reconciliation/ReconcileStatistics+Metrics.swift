import FoundationEssentials
import Metrics

extension ReconcileStatistics {
    /// Tells the numbers as gauges, of a run that has looked at all disks and done what it says.
    func tell() {
        guard !self.dry_run, !self.skipped_concurrent_run else { return }
        for (name, value) in Mirror(reflecting: self).children {
            guard let name, let number = value as? Int else { continue }
            Meter(label: "gpudev_reconcile_items", dimensions: [("statistic", name)]).set(number)
        }
        Meter(label: "gpudev_reconcile_last_run_timestamp_seconds").set(Date().timeIntervalSince1970)
    }
}
