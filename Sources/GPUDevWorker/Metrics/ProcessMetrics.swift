import FoundationEssentials
import Glibc
import Metrics

/// What the kernel knows of this process, under the names that all Prometheus clients use.
///
/// Source: proc(5), `stat`, `statm` and `fd`.
struct ProcessMetrics: Sendable {
    private let cpu = Meter(label: "process_cpu_seconds_total")
    private let memory = Meter(label: "process_resident_memory_bytes")
    private let openDescriptors = Meter(label: "process_open_fds")

    init(version: String) {
        Meter(label: "gpudev_build_info", dimensions: [("version", version)]).set(1)
        Meter(label: "process_start_time_seconds").set(Date().timeIntervalSince1970)
        var limit = rlimit()
        let status = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        if status == 0 { Meter(label: "process_max_fds").set(Double(limit.rlim_cur)) }
    }

    /// Looks again; for each scrape.
    func refresh() {
        var usage = rusage()
        if unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
            self.cpu.set(usage.ru_utime.seconds + usage.ru_stime.seconds)
        }
        if let pages = Self.residentPages() { self.memory.set(pages * Int(sysconf(Int32(_SC_PAGESIZE)))) }
        if let descriptors = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            self.openDescriptors.set(descriptors.count)
        }
    }

    private static func residentPages() -> Int? {
        guard let statm = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
        return statm.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }
}

extension timeval {
    fileprivate var seconds: Double { Double(self.tv_sec) + Double(self.tv_usec) / 1e6 }
}
