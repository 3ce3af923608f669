import Calls

/// The error of a call that tests make up.
struct ExampleError: CallError, Equatable {
    var isTransient = true
    var isThrottling = false
    var retryAfter: Duration?
    var isCancellation = false

    var asCancellation: ExampleError { ExampleError(isTransient: false, isCancellation: true) }
    var description: String { "an example" }
}

/// What may help such a call.
struct ExampleRemedy: Identifiable, Equatable, Sendable {
    let id: String
    var value = 0
}

typealias ExampleFailure = AttemptFailure<ExampleError, ExampleRemedy>
