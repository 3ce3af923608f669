/// Everything that is wrong with the settings, one sentence each.
struct ConfigurationFaults: Error {
    let lines: [String]
}
