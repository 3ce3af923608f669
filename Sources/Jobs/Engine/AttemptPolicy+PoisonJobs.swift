extension AttemptPolicy {
    /// A final failure if the job has been started too often without any outcome: it seems to kill its worker.
    func poison(_ claim: Claim) -> Outcome? {
        guard claim.start > self.settings.maximumStarts else { return nil }
        let error = "\(claim.start - 1) starts ended without any outcome: the job seems to kill its worker"
        return .dead(FinalFailure(.poison, error: error, attempts: claim.attempts), triedInVain: nil)
    }
}
