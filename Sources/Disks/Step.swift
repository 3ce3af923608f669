import Jobs

/// What became of one step of a job: done, or the end of this try.
enum Step<Value: Sendable>: Sendable {
    case done(Value)
    case over(Outcome)
}
