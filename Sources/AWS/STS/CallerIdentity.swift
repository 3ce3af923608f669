/// Whose credentials these are.
package struct CallerIdentity: Sendable, Hashable {
    package let account: String
    package let arn: String
    package let userID: String
}
