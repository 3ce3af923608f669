import FoundationEssentials
import Glibc
import MetricFamilies
import Metrics

/// What the kernel knows of this process, under the names that all Prometheus clients use.
///
/// Source: proc(5), `stat`, `statm` and `fd`.
struct ProcessMetrics: Sendable {
    private let cpu = Self.cpuTime()
    private let memory = Self.residentMemory()
    private let openDescriptors = Self.openDescriptors()

    init(version: String) {
        Self.build([("version", version)]).set(1)
        Self.startTime().set(Date().timeIntervalSince1970)
        var limit = rlimit()
        let status = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        if status == 0 { Self.maximumDescriptors().set(Double(limit.rlim_cur)) }
    }

    /// Reads the values again; for each scrape.
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

extension ProcessMetrics {
    private static let build = GaugeFamily("gpudev_build_info", "The version that runs.")
    private static let cpuTime = GaugeFamily(
        "process_cpu_seconds_total",
        kind: .counter,
        "CPU time, of user and kernel."
    )
    private static let residentMemory = GaugeFamily("process_resident_memory_bytes", "Resident memory.")
    private static let openDescriptors = GaugeFamily("process_open_fds", "Open descriptors.")
    private static let maximumDescriptors = GaugeFamily("process_max_fds", "The most that may be open.")
    private static let startTime = GaugeFamily("process_start_time_seconds", "When the process began.")
}

extension timeval {
    fileprivate var seconds: Double { Double(self.tv_sec) + Double(self.tv_usec) / 1e6 }
}
