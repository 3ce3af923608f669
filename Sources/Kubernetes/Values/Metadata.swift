/// What all objects have. (Kubernetes API reference, `ObjectMeta`.)
struct Metadata: Decodable {
    let name: String
    let namespace: String?
    let uid: String?
    let labels: [String: String]?
    let annotations: [String: String]?
    let creationTimestamp: Timestamp?
    let deletionTimestamp: Timestamp?
}
